"""The board's results as a dataset on the Hub: Parquet, and JSON Lines in the shape of Every Eval Ever 0.3.

Scores, standard errors, and what is declared of the systems; no predictions, no texts, no gold answers, and no user
names: a dataset's history cannot forget them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine, select

from ita_med import catalogue, upload
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import store, tables
from ita_med.leaderboard.database.store import Entry
from ita_med.leaderboard.results.ranking import Board, Ranking
from ita_med.tasks.report.rows import COLUMNS, PARTS
from ita_med.upload import Change
from ita_med.version import BENCHMARK_VERSION, __version__

SCHEMA_VERSION = "0.3.0"
SAMPLE = "-sample"
RESULTS = "data/results.parquet"
RANKING = "data/ranking.parquet"
RECORDS = "every_eval_ever/results.jsonl"


def publish(
    engine: Engine, repo: str, *, synthetic: bool = False, private: bool = False, dry_run: bool = False
) -> Change:
    """Bring a dataset of the Hub to the state of the board, in one commit; where nothing has changed there is none.

    A synthetic board is published only under a name that ends in -sample, and a real one never under such a name.

    Args:
        engine: The board's database.
        repo: ORG/NAME of the dataset; it is made where there is none.
        synthetic: Whether to publish the runs on the embedded sample, or those on real data.
        private: Whether a new dataset is private.
        dry_run: Say what would be committed, and write nothing.

    Raises:
        ItaMedError: The name is not allowed, the board has no results, or the Hub refuses.
    """
    namespace, _, name = repo.partition("/")
    if not namespace or not name or "/" in name:
        raise ItaMedError(f'"{repo}" is no dataset of the Hub; name it ORG/NAME')
    if name.endswith(SAMPLE) != synthetic:
        raise ItaMedError(
            f"results on the synthetic sample, and only these, are published under a name that ends in {SAMPLE}"
        )
    with engine.begin() as connection:
        entries = store.entries(connection, synthetic=synthetic)
        documents = _documents(connection)
    if not entries:
        raise ItaMedError("the board has no results of this benchmark version; nothing to publish")
    board = Board(engine)
    views = [board.ranking(part, synthetic=synthetic) for part in PARTS]
    board.close()
    files = contents(repo, entries, documents, views)
    change = upload.put_files(
        upload.account(namespace), repo, "dataset", dict(files), message=f"Results of benchmark {BENCHMARK_VERSION}",
        stale=lambda others: [path for path in others if path.startswith(("data/", "every_eval_ever/"))],
        private=private, dry_run=dry_run,
    )  # fmt: skip
    if not dry_run:
        with store.writing(engine) as connection:
            store.record(connection, None, "publish", repo[:80], change.commit)
    return change


def _documents(connection: Connection) -> dict[tuple[int, str], int]:
    """How many documents each submission was scored on, by submission and task; they are the units of the bootstrap."""
    results = tables.results
    rows = connection.execute(select(results.c.submission_id, results.c.task, results.c.clusters))
    return {(row.submission_id, row.task): row.clusters for row in rows}


def contents(
    repo: str, entries: list[Entry], documents: dict[tuple[int, str], int], views: list[Ranking]
) -> dict[str, bytes]:
    """The files of the dataset by their path in the repository; the same state of the board makes the same bytes."""
    rows = [row for entry in entries for row in result_rows(entry, documents)]
    records = [record(entry, documents) for entry in entries]
    return {
        "README.md": card(repo, views[0], len(entries), len(rows)).encode(),
        RESULTS: _parquet(rows, RESULT_SCHEMA),
        RANKING: _parquet([row for view in views for row in ranking_rows(view)], RANKING_SCHEMA),
        RECORDS: b"".join(orjson.dumps(one) + b"\n" for one in records),
    }


def _fields(**types: pa.DataType) -> pa.Schema:
    return pa.schema(list(types.items()))


SYSTEM: dict[str, pa.DataType] = {
    "submission": pa.int64(), "model": pa.string(), "revision": pa.string(), "adapter": pa.string(),
    "method": pa.string(), "provenance": pa.string(), "created": pa.timestamp("s", "UTC"),
    "benchmark_version": pa.string(), "synthetic": pa.bool_(),
}  # fmt: skip
RESULT_SCHEMA = _fields(
    **SYSTEM, licence=pa.string(), open_weights=pa.bool_(), model_type=pa.string(), parameters_millions=pa.float64(),
    trained_on=pa.list_(pa.string()), tokens_per_second=pa.float64(), predictions_sha256=pa.string(), task=pa.string(),
    family=pa.string(), dataset=pa.string(), distribution=pa.string(), headline=pa.string(), score=pa.float64(),
    stderr=pa.float64(), documents=pa.int64(), parse_failure=pa.float64(), data=pa.string(), metrics=pa.string(),
)  # fmt: skip
"""A row per system and task; score, stderr: 0 to 1; data: provenance of the gold data; metrics: JSON."""
RANKING_SCHEMA = _fields(
    **SYSTEM, part=pa.string(), kind=pa.string(), group=pa.int64(), rank_low=pa.int64(), rank_high=pa.int64(),
    avg=pa.float64(), avg_low=pa.float64(), avg_high=pa.float64(), coverage=pa.int64(),
    **dict.fromkeys(COLUMNS, pa.float64()),
)  # fmt: skip
"""A row per system and part (all, id, ood); scores in points."""


def result_rows(entry: Entry, documents: dict[tuple[int, str], int]) -> Iterable[dict[str, Any]]:
    """The rows of a submission in `RESULT_SCHEMA`, one per task; documents: their number by submission and task."""
    claim = entry.claim
    for task, score in entry.scores.items():
        known = catalogue.task(task)
        yield {
            "submission": entry.id, "model": claim.model, "revision": claim.revision, "adapter": claim.adapter,
            "method": claim.method, "provenance": entry.provenance, "created": entry.created.replace(tzinfo=UTC),
            "benchmark_version": BENCHMARK_VERSION, "synthetic": entry.synthetic, "licence": claim.licence,
            "open_weights": claim.open_weights, "model_type": claim.model_type,
            "parameters_millions": claim.parameters or None, "trained_on": claim.trained_on,
            "tokens_per_second": claim.tokens_per_second or None, "predictions_sha256": entry.predictions_sha256,
            "task": task, "family": known.family, "dataset": known.dataset, "distribution": known.distribution,
            "headline": known.headline, "score": score, "stderr": entry.errors[task],
            "documents": documents[entry.id, task], "parse_failure": entry.metrics[task].get("parse_failure"),
            "data": entry.data[task],
            "metrics": orjson.dumps(entry.metrics[task], option=orjson.OPT_SORT_KEYS).decode(),
        }  # fmt: skip


def ranking_rows(view: Ranking) -> Iterable[dict[str, Any]]:
    """The rows of a view in `RANKING_SCHEMA`, one per system."""
    for row in view.rows:
        yield {
            "submission": row.id, "model": row.model, "revision": row.revision, "adapter": row.adapter,
            "method": row.method, "provenance": row.provenance, "created": datetime.fromisoformat(row.created),
            "benchmark_version": view.version, "synthetic": view.synthetic, "part": view.part, "kind": row.kind,
            "group": row.group, "rank_low": row.rank and row.rank[0], "rank_high": row.rank and row.rank[1],
            "avg": row.avg, "avg_low": row.interval and row.interval[0], "avg_high": row.interval and row.interval[1],
            "coverage": row.coverage, **{family: row.families.get(family) for family in COLUMNS},
        }  # fmt: skip


def record(entry: Entry, documents: dict[tuple[int, str], int]) -> dict[str, Any]:
    """A submission in the shape of Every Eval Ever; additional details are text there."""
    claim, created = entry.claim, entry.created.replace(tzinfo=UTC)
    stamp = str(int(created.timestamp()))
    declared = {
        "revision": claim.revision, "adapter": claim.adapter, "licence": claim.licence,
        "open_weights": str(claim.open_weights).lower(), "model_type": claim.model_type,
        "parameters_millions": f"{claim.parameters:g}" if claim.parameters else "",
        "trained_on": " ".join(claim.trained_on),
    }  # fmt: skip
    developer, _, short = claim.model.rpartition("/")
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"ita_med/{claim.model}/{entry.id}",
        "evaluation_timestamp": created.isoformat().replace("+00:00", "Z"),
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "ita-med leaderboard",
            "source_type": "evaluation_run",
            "source_organization_name": "ita-med",
            "evaluator_relationship": "third_party",
            "additional_details": {
                "provenance": entry.provenance, "synthetic_sample": str(entry.synthetic).lower(),
                "benchmark_version": BENCHMARK_VERSION, "predictions_sha256": entry.predictions_sha256,
            },
        },
        "model_info": {
            "name": short, "id": claim.model, **({"developer": developer} if developer else {}),
            "additional_details": {name: value for name, value in declared.items() if value},
        },
        "eval_library": {"name": "ita-med", "version": __version__},
        "evaluation_results": [_result(entry, task, documents[entry.id, task]) for task in entry.scores],
    }  # fmt: skip


def _result(entry: Entry, task: str, documents: int) -> dict[str, Any]:
    known = catalogue.task(task)
    return {
        "evaluation_name": task,
        "source_data": {
            "dataset_name": known.dataset, "source_type": "other", "additional_details": {"gold": entry.data[task]},
        },
        "metric_config": {
            "evaluation_description": f"{known.title}: {known.headline}", "lower_is_better": False,
            "score_type": "continuous", "min_score": 0.0, "max_score": 1.0,
        },
        "score_details": {
            "score": entry.scores[task],
            "uncertainty": {
                "standard_error": {"value": entry.errors[task], "method": "bootstrap"}, "num_samples": documents,
            },
            "details": {name: f"{value:.6g}" for name, value in sorted(entry.metrics[task].items())},
        },
        "generation_config": {"additional_details": {"method": entry.claim.method}},
    }  # fmt: skip


def _parquet(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def card(repo: str, view: Ranking, systems: int, rows: int) -> str:
    """The dataset's README; nothing that users wrote stands in it."""
    warning = (
        "> **SYNTHETIC SAMPLE DATA.** These runs were on the small sample that comes with ita-med; the numbers say "
        "nothing about any model.\n\n"
        if view.synthetic
        else ""
    )
    return f"""---
pretty_name: ita-med results
language: [it]
license: cc0-1.0
tags: [leaderboard, benchmark, medical, clinical-nlp]
configs:
- config_name: results
  data_files: {RESULTS}
  default: true
- config_name: ranking
  data_files: {RANKING}
---

# Results of the ita-med leaderboard

{warning}Scores of {systems} submissions on benchmark version {view.version}, {rows} rows of system × task, all \
computed by the board from uploaded predictions. The task list is a documented reconstruction over public data.

```python
from datasets import load_dataset

results = load_dataset("{repo}", "results")["train"]   # a row per system and task; score and stderr from 0 to 1
ranking = load_dataset("{repo}", "ranking")["train"]   # a row per system and part (all, id, ood); points
```

`{RECORDS}` holds a line per submission in the shape of Every Eval Ever {SCHEMA_VERSION}.

- **Scores** are those of the tasks' own scorer; standard errors are bootstrap errors over documents (`documents`).
- **Groups.** `group` is a tie group: within it the order says nothing. `rank_low` to `rank_high` is the 95 % interval
  of the rank. `kind` other than `ranked` has no rank: partial rows, floors, rows of other gold data (`data` names it).
- **Declared** by submitters and not checked: model, revision, adapter, method, licence, model type, parameters,
  `trained_on`, tokens per second.
- **Not here**: predictions, texts, gold answers, names of users.
"""
