"""A board to look at, `ita-med leaderboard serve --demo`.

On the embedded sample: the floors, and invented systems that know some of the answers. Everything is synthetic and says
so. On a mirror of upstream's files: the floors, and the runs of real models that are kept in `demo_runs/`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import orjson
from sqlalchemy import Connection, Engine

from ita_med import catalogue, sources
from ita_med.catalogue import Task
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.submissions.check import check, gold
from ita_med.leaderboard.submissions.submission import Claim, read_folder
from ita_med.tasks.baselines import KINDS
from ita_med.tasks.baselines.predict import predict
from ita_med.tasks.benchmark.task_data import Scores
from ita_med.tasks.families.registry import family_of
from ita_med.version import BENCHMARK_VERSION

USER = "demo"
SYSTEMS = {
    "demo/one-half": (0.5, 1700.0), "demo/one-half-again": (0.5, 1000.0), "demo/two-thirds": (0.67, 4000.0),
    "demo/nearly-all": (0.9, 27000.0), "demo/one-quarter": (0.25, 135.0),
}  # fmt: skip
"""Share of the documents answered rightly (the others as the floor knn does), and invented millions of parameters."""
PARTIAL = "demo/questions-only"
RUNS = Path(__file__).parent / "demo_runs"
"""Submission folders of real runs, without a word of the data; docs/results.md says how they were made."""


def seed(engine: Engine, runs: Sequence[Path] = (), mirror: str = sources.EMBEDDED) -> None:
    """Fill an empty board; does nothing where the board has rows already.

    Args:
        engine: The board's database.
        runs: Folders of `ita-med eval` on the same data, checked and scored like any submission; a floor among them
            stands in place of the same one made here.
        mirror: Where the gold data lie; `sources.EMBEDDED` for the sample.
    """
    synthetic = mirror == sources.EMBEDDED
    with store.writing(engine) as connection:
        if store.entries(connection, synthetic=synthetic):
            return
        user = _user(connection)
        sent = [_run(connection, user, folder, mirror) for folder in runs]
        for kind in [kind for kind in KINDS if kind not in sent]:
            _add(connection, user, files(Claim(kind, "floor"), kind, 0.0, mirror=mirror), "floor", mirror)
        if synthetic:
            _invented(connection, user)
        else:
            _kept(connection, user, mirror)


def _user(connection: Connection) -> accounts.User:
    try:
        return accounts.find_user(connection, USER)
    except ItaMedError:
        return accounts.add_user(connection, USER, "maintainer")


def _invented(connection: Connection, user: accounts.User) -> None:
    for name, (share, parameters) in SYSTEMS.items():
        claim = Claim(name, "4-shot", parameters=parameters, model_type="decoder", open_weights=True)
        _add(connection, user, files(claim, "knn", share), "re-scored")
    claim = Claim(PARTIAL, "zero-shot", parameters=600.0, model_type="encoder", licence="Apache-2.0")
    _add(connection, user, files(claim, "knn", 0.6, family="qa"), "re-scored")


def _kept(connection: Connection, user: accounts.User, mirror: str) -> None:
    """The runs of `RUNS` that the mirror's data can score; the others are named."""
    for folder in sorted(path for path in RUNS.iterdir() if path.is_dir()):
        try:
            _run(connection, user, folder, mirror)
        except ItaMedError as error:
            print(f"ita-med: left out: {error}", file=sys.stderr)


def _run(connection: Connection, user: accounts.User, folder: Path, mirror: str) -> str:
    """Add a run; returns its model."""
    checked = check(read_folder(folder), mirror)
    if checked.submission is None or checked.problems:
        raise ItaMedError(f"{folder}: {checked.problems[0]}")
    claim = checked.submission.claim
    provenance = "floor" if claim.method == "floor" else "re-scored"
    store.add_submission(connection, user.id, checked.submission, checked.scores, provenance)
    return claim.model


def _add(
    connection: Connection,
    user: accounts.User,
    content: dict[str, bytes],
    provenance: str,
    mirror: str = sources.EMBEDDED,
) -> None:
    checked = check(content, mirror)
    assert checked.submission is not None, checked.problems
    assert checked.accepted, checked.problems
    store.add_submission(connection, user.id, checked.submission, checked.scores, provenance)


def files(claim: Claim, kind: str, share: float, family: str = "", mirror: str = sources.EMBEDDED) -> dict[str, bytes]:
    """The files of an invented submission: right answers for a share of the documents, a floor's answers for the rest.

    Args:
        claim: What the submission says of its model.
        kind: The floor, one of `baselines.KINDS`.
        share: Of the documents that are answered rightly, from 0 to 1.
        family: Only tasks of this family; "" for all.
        mirror: Where the gold data lie; tasks whose data are not there are left out.
    """
    tasks = [task.id for task in catalogue.tasks(ready=True) if family in ("", task.family) and _there(task.id, mirror)]
    if not tasks:
        raise ItaMedError(f"{mirror}: the data of no task are there; a mirror has a sub-folder per dataset")
    found = {f"predictions/{task}.jsonl": _lines(task, kind, share, claim.model, mirror) for task in tasks}
    declared = {"model_type": claim.model_type, "open_weights": claim.open_weights, "parameters": claim.parameters}
    manifest = asdict(claim) | {
        "declared": declared | {"licence": claim.licence, "trained_on": claim.trained_on},
        "benchmark_version": BENCHMARK_VERSION,
        "data": {task: gold(task, mirror).provenance for task in tasks},
    }
    return found | {"manifest.json": orjson.dumps(manifest)}


def _there(task: str, mirror: str) -> bool:
    try:
        return bool(gold(task, mirror))
    except ItaMedError:
        return False


def _lines(task: str, kind: str, share: float, seed: str, mirror: str) -> bytes:
    data = gold(task, mirror)
    guessed = predict(kind, data)
    drawn = random.Random(f"{seed} {task}")
    rows = []
    for example in data.examples:
        answer = data.gold(example) if drawn.random() < share else guessed[example.id]
        rows.append(orjson.dumps({"id": example.id, "raw": data.render(answer)}))
    return b"\n".join(rows) + b"\n"


def synthetic_scores(task: Task, documents: int, skill: float, rng: np.random.Generator) -> Scores:
    """Scores of a system that does not exist on documents that do not exist, for benchmarks and tests of the ranking.

    Args:
        task: Its family decides the columns of the counts.
        documents: Number of documents.
        skill: Expected score, from 0 to 1.
        rng: Draws the counts.
    """
    family = family_of(task)
    setting = family.setting(task, [])
    counts = family.synthetic_counts(setting, documents, skill, rng)
    total = family.headline(setting, counts.sum(0))
    ids = [f"{n:05}" for n in range(documents)]
    metrics = {"score": float(total[0] / total[1]) if total[1] else 1.0, "parse_failure": 0.0}
    return Scores(
        task.id, documents, metrics, {"score": 0.01}, ids, counts, ids, source="synthetic", fingerprint=task.dataset
    )
