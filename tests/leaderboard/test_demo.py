"""The demo on real data: kept runs hold no word of the data, and are scored anew to what they said when made."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ita_med.errors import ItaMedError
from ita_med.leaderboard import demo
from ita_med.leaderboard.database import store

pytestmark = pytest.mark.slow

KEPT = sorted(path for path in demo.RUNS.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_a_kept_run_holds_places_and_digests_but_no_text(folder: Path) -> None:
    labels = {"CLINENTITY", "Premise", "Claim"}
    files = sorted((folder / "predictions").iterdir())
    assert files
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            assert set(row) == {"id", "answer"}
            said = {word for word in _strings(row["answer"]) if not re.fullmatch(r"(sha256:)?[0-9a-f]{16}", word)}
            assert said <= labels, f"{file}: {row['id']}"


def _strings(value: object) -> list[str]:
    """Every text value in an answer, keys left out."""
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in inside for text in _strings(one)]


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_a_kept_run_names_no_machine(folder: Path) -> None:
    manifest = (folder / "manifest.json").read_text("utf-8")
    assert not re.search(r'[= "]/(?!/)\w', manifest)
    assert json.loads(manifest)["run"]["limit"] is None


def test_a_mirror_without_data_is_one_line_and_leaves_the_board_empty(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ItaMedError, match="the data of no task are there"):
        demo.seed(engine, (), str(tmp_path))
    with engine.begin() as connection:
        assert store.entries(connection) == []


@pytest.mark.real_data
def test_the_real_demo_scores_its_runs_anew(engine: Engine, real_mirror: str) -> None:
    demo.seed(engine, (), real_mirror)
    demo.seed(engine, (), real_mirror)
    with engine.begin() as connection:
        entries = store.entries(connection)
        assert store.entries(connection, synthetic=True) == []
    assert [e.claim.model for e in entries if e.provenance == "floor"] == ["random", "majority", "knn"]
    runs = {(e.claim.model, e.claim.method): e for e in entries if e.provenance != "floor"}
    assert len(runs) == len(KEPT)
    for folder in KEPT:
        manifest, results = (json.loads((folder / f"{name}.json").read_bytes()) for name in ("manifest", "results"))
        scores = runs[manifest["model"], manifest["method"]].scores
        assert scores == {task: pytest.approx(result["metrics"]["score"]) for task, result in results["tasks"].items()}


@pytest.mark.real_data
def test_runs_whose_data_are_not_there_are_named(
    engine: Engine, real_mirror: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "med_ita").symlink_to(Path(real_mirror) / "med_ita")
    demo.seed(engine, (), str(tmp_path))
    with engine.begin() as connection:
        assert {e.provenance for e in store.entries(connection)} == {"floor"}
    assert capfd.readouterr().err.count("ita-med: left out: ") == len(KEPT)
