"""Results as a dataset: committed to a Hub on loopback, read back, repeated, raced; and what must not be in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ita_med import catalogue
from ita_med.leaderboard.database import accounts, store, tables

from ...hub import Client
from ...hub_http import Fault
from ...hub_server import Hub
from ..web.test_api import gold_texts

pytestmark = pytest.mark.slow

REPO = "clinica/results-sample"
READ_BACK = f"""
import datasets, json
results = datasets.load_dataset({REPO!r}, "results")["train"]
ranking = datasets.load_dataset({REPO!r}, "ranking")["train"]
assert datasets.load_dataset({REPO!r})["train"].num_rows == results.num_rows
print(json.dumps([results.num_rows, ranking.num_rows, results.column_names, results[0], ranking[0]], default=str))
"""
TEXT = {"type": "string", "minLength": 1}
DETAILS = {"type": "object", "additionalProperties": {"type": "string"}}


def an(required: str, **properties: Any) -> dict[str, Any]:
    found = {"type": "object", "required": required.split(), "properties": properties}
    return found | {"additionalProperties": False}


SCHEMA = an(
    "schema_version evaluation_id retrieved_timestamp source_metadata model_info eval_library evaluation_results",
    schema_version={"const": "0.3.0"},
    evaluation_id=TEXT,
    evaluation_timestamp=TEXT,
    retrieved_timestamp={"type": "string", "pattern": "^[0-9]+$"},
    source_metadata=an(
        "source_type source_organization_name evaluator_relationship",
        source_name=TEXT,
        source_type={"enum": ["documentation", "evaluation_run"]},
        source_organization_name=TEXT,
        evaluator_relationship={"enum": ["first_party", "third_party", "collaborative", "other"]},
        additional_details=DETAILS,
    ),
    model_info=an("name id", name=TEXT, id=TEXT, developer=TEXT, additional_details=DETAILS),
    eval_library=an("name version", name=TEXT, version=TEXT),
    evaluation_results={
        "type": "array",
        "minItems": 1,
        "items": an(
            "evaluation_name source_data metric_config score_details",
            evaluation_name=TEXT,
            source_data=an(
                "dataset_name source_type",
                dataset_name=TEXT,
                source_type={"const": "other"},
                additional_details=DETAILS,
            ),
            metric_config=an(
                "lower_is_better score_type min_score max_score",
                evaluation_description=TEXT,
                lower_is_better={"const": False},
                score_type={"const": "continuous"},
                min_score={"const": 0},
                max_score={"const": 1},
            ),
            score_details=an(
                "score",
                score={"type": "number", "minimum": 0, "maximum": 1},
                details=DETAILS,
                uncertainty=an(
                    "standard_error num_samples",
                    standard_error=an("value", value={"type": "number", "minimum": 0}, method=TEXT),
                    num_samples={"type": "integer", "minimum": 1},
                ),
            ),
            generation_config=an("additional_details", additional_details=DETAILS),
        ),
    },
)
"""Every Eval Ever 0.3, as far as it is used here, written from its documentation."""


@pytest.fixture
def board(tmp_path: Path, demo_board: bytes) -> Path:
    (tmp_path / "board.sqlite").write_bytes(demo_board)
    return tmp_path / "board.sqlite"


def publish(client: Client, board: Path, *more: str, to: str = REPO) -> Any:
    return client.run("leaderboard", "publish", "--db", board, "--to", to, "--synthetic", *more)


def commits(hub: Hub) -> int:
    return len(hub.repos["datasets", REPO].commits) - 1


def test_results_are_committed_once_and_read_back_by_datasets(
    hub: Hub, hub_client: Client, org: str, board: Path
) -> None:
    dry = publish(hub_client, board, "--dry-run")
    assert (dry.code, "would be committed" in dry.out, hub.repos) == (0, True, {}), dry
    done = publish(hub_client, board)
    assert done.code == 0, done
    assert "data/results.parquet" in done.out
    assert "nothing to change" in publish(hub_client, board).out
    assert commits(hub) == 1
    read = hub_client.run(code=READ_BACK)
    assert read.code == 0, read
    results, ranking, columns, first, ranked = json.loads(read.out)
    tasks = len(catalogue.tasks(ready=True))
    assert (results, ranking) == (8 * tasks + sum(k.family == "qa" for k in catalogue.tasks(ready=True)), 27)
    assert "user" not in columns
    assert first["synthetic"] is True
    assert 0 <= first["score"] <= 1
    assert (ranked["part"], ranked["kind"], ranked["group"]) == ("all", "ranked", 1)


def test_records_have_the_shape_of_every_eval_ever(hub: Hub, hub_client: Client, org: str, board: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    publish(hub_client, board)
    lines = hub.read("datasets", REPO)["every_eval_ever/results.jsonl"].splitlines()
    assert len(lines) == 9
    for line in lines:
        jsonschema.Draft7Validator(SCHEMA).validate(json.loads(line))
    broken = json.loads(lines[0])
    del broken["model_info"]["id"]
    assert not jsonschema.Draft7Validator(SCHEMA).is_valid(broken)


def test_a_withdrawn_row_leaves_and_somebody_else_s_files_stay(
    hub: Hub, hub_client: Client, org: str, board: Path
) -> None:
    publish(hub_client, board)
    engine = store.connect(board)
    with store.writing(engine) as connection:
        store.withdraw(connection, accounts.find_user(connection, "demo").id, 4)
    engine.dispose()
    repo = hub.repos["datasets", REPO]
    rival = hub.store("LICENSE", b"CC0", lfs=False)
    hub.faults.append(
        Fault("POST .*/commit/main", before=lambda: hub.add_commit(repo, "main", "x", {"LICENSE": rival}, []))
    )
    done = publish(hub_client, board)
    assert done.code == 0, done
    files = hub.read("datasets", REPO)
    assert files["LICENSE"] == b"CC0"
    assert len(files["every_eval_ever/results.jsonl"].splitlines()) == 8
    assert any("/commit/main" in line and line.endswith("412") for line in hub.log)


def test_what_is_published_holds_no_gold_no_predictions_and_no_users(
    hub: Hub, hub_client: Client, org: str, board: Path
) -> None:
    engine = store.connect(board)
    with store.writing(engine) as connection:
        connection.execute(tables.users.update().values(name="giulia.rossi"))
    engine.dispose()
    publish(hub_client, board)
    files = hub.read("datasets", REPO)
    shown = hub_client.run(
        code=f"import datasets; print(datasets.load_dataset({REPO!r}, 'results')['train'].to_list())"
    )
    everything = " ".join([*(files[name].decode() for name in files if not name.endswith(".parquet")), shown.out])
    assert [text for text in gold_texts() if text in everything] == []
    assert "giulia" not in everything
    head = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert [one["config_name"] for one in head["configs"]] == ["results", "ranking"]
    assert "SYNTHETIC SAMPLE DATA" in files["README.md"].decode()


def test_synthetic_and_real_results_never_share_a_name(hub: Hub, hub_client: Client, org: str, board: Path) -> None:
    assert "ends in -sample" in publish(hub_client, board, to="clinica/results").refused()
    real = hub_client.run("leaderboard", "publish", "--db", board, "--to", REPO)
    assert "ends in -sample" in real.refused()
    none = hub_client.run("leaderboard", "publish", "--db", board, "--to", "clinica/results")
    assert "nothing to publish" in none.refused()
    assert "ORG/NAME" in publish(hub_client, board, to="results-sample").refused()
    assert hub.repos == {}
