"""A board to look at: the floors on the embedded sample, and invented systems that know some of the answers.

Everything here is synthetic and says so; it is what `ita-med leaderboard serve --demo` shows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import orjson
from sqlalchemy import Engine

from ita_med import BENCHMARK_VERSION, catalogue, sources
from ita_med.catalogue import Task
from ita_med.errors import ItaMedError
from ita_med.leaderboard import accounts, store
from ita_med.leaderboard.check import check, gold
from ita_med.leaderboard.submission import Claim, read_folder
from ita_med.tasks.baselines import KINDS
from ita_med.tasks.baselines.predict import predict
from ita_med.tasks.benchmark import FAMILY_MODULES, Scores

USER = "demo"
SYSTEMS = {
    "demo/one-half": (0.5, 1700.0), "demo/one-half-again": (0.5, 1000.0), "demo/two-thirds": (0.67, 4000.0),
    "demo/nearly-all": (0.9, 27000.0), "demo/one-quarter": (0.25, 135.0),
}  # fmt: skip
"""Share of the documents answered rightly (the others as the floor knn does), and invented millions of parameters."""
PARTIAL = "demo/questions-only"


def seed(engine: Engine, runs: Sequence[Path] = ()) -> None:
    """Fill an empty board; does nothing where the demo is already there.

    runs: folders of `ita-med eval` on the embedded sample, checked and scored like any submission; a floor among them
    stands in place of the same one made here.
    """
    with store.writing(engine) as connection:
        if store.entries(connection, synthetic=True):
            return
        user = accounts.add_user(connection, USER, "maintainer")
        sent = [_run(connection, user, folder) for folder in runs]
        for kind in [kind for kind in KINDS if kind not in sent]:
            _add(connection, user, files(Claim(kind, "floor"), kind, 0.0), "floor")
        for name, (share, parameters) in SYSTEMS.items():
            claim = Claim(name, "4-shot", parameters=parameters, model_type="decoder", open_weights=True)
            _add(connection, user, files(claim, "knn", share), "re-scored")
        claim = Claim(PARTIAL, "zero-shot", parameters=600.0, model_type="encoder", licence="Apache-2.0")
        _add(connection, user, files(claim, "knn", 0.6, family="qa"), "re-scored")


def _run(connection, user, folder):  # type: ignore[no-untyped-def]
    """Add a run; returns its model."""
    checked = check(read_folder(folder), sources.EMBEDDED)
    if checked.submission is None:
        raise ItaMedError(f"{folder}: {checked.problems[0]}")
    claim = checked.submission.claim
    provenance = "floor" if claim.method == "floor" else "re-scored"
    store.add_submission(connection, user.id, checked.submission, checked.scores, provenance)
    return claim.model


def _add(connection, user, content, provenance):  # type: ignore[no-untyped-def]
    checked = check(content, sources.EMBEDDED)
    assert checked.submission is not None, checked.problems
    store.add_submission(connection, user.id, checked.submission, checked.scores, provenance)


def files(claim: Claim, kind: str, share: float, family: str = "") -> dict[str, bytes]:
    """A submission on the embedded sample: a floor's answers, and the right ones for a share of the documents."""
    tasks = [task.id for task in catalogue.tasks(ready=True) if family in ("", task.family)]
    found = {f"predictions/{task}.jsonl": _lines(task, kind, share, claim.model) for task in tasks}
    declared = {"model_type": claim.model_type, "open_weights": claim.open_weights, "parameters": claim.parameters}
    manifest = asdict(claim) | {
        "declared": declared | {"licence": claim.licence, "trained_on": claim.trained_on},
        "benchmark_version": BENCHMARK_VERSION,
        "data": {task: gold(task, sources.EMBEDDED).provenance for task in tasks},
    }
    return found | {"manifest.json": orjson.dumps(manifest)}


def _lines(task: str, kind: str, share: float, seed: str) -> bytes:
    data = gold(task, sources.EMBEDDED)
    guessed = predict(kind, data)
    drawn = random.Random(f"{seed} {task}")
    rows = []
    for example in data.examples:
        answer = data.gold(example) if drawn.random() < share else guessed[example.id]
        rows.append(orjson.dumps({"id": example.id, "raw": data.render(answer)}))
    return b"\n".join(rows) + b"\n"


def synthetic_scores(task: Task, documents: int, skill: float, rng: np.random.Generator) -> Scores:
    """Drawn counts of a task in its own columns, for benchmarks and tests of the ranking; no documents exist."""
    module = FAMILY_MODULES[task.family]
    setting = module.setting(task, [])
    if task.family in ("qa", "crf"):
        counts = np.zeros((documents, 4 if task.family == "qa" else 11))
        counts[:, 0] = 1
        counts[:, 2] = rng.random(documents) < skill if task.family == "qa" else rng.beta(9 * skill, 9 - 9 * skill)
    else:
        counts = np.zeros((documents, 2 + 3 * (len(setting.labels) + 1)))
        mentions = rng.poisson(8, documents)
        counts[:, 0], counts[:, 2] = 1, rng.binomial(mentions, skill)
        counts[:, 3], counts[:, 4] = rng.poisson(2, documents), mentions - counts[:, 2]
    total = module.headline(setting, counts.sum(0))
    ids = [f"{n:05}" for n in range(documents)]
    metrics = {"score": float(total[0] / total[1]) if total[1] else 1.0, "parse_failure": 0.0}
    return Scores(
        task.id, documents, metrics, {"score": 0.01}, ids, counts, ids, source="synthetic", fingerprint=task.dataset
    )
