"""The runs of a study, read back from their submission folders and scored anew from their predictions."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark import predictions
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.report import gold
from ita_med.tasks.report.rows import RunRow, check_comparable, read_runs
from ita_med.tasks.scoring import statistics
from ita_med.tasks.scoring.metrics import RESAMPLES, SEED, Array, Metric, bootstrap_weights, cluster_sums
from ita_med.training.studies.plan import Cell

LARGE = "large_"
"""Runs whose folder's name begins so were brought in as large models."""


@dataclass
class StudyRun:
    """One run. cell, training, inference: what the study wrote of it; None or {} for a run made elsewhere."""

    row: RunRow
    manifest: dict[str, Any]
    cell: Cell | None = None
    training: dict[str, Any] = field(default_factory=dict)
    inference: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.row.folder.name

    @property
    def large(self) -> bool:
        return self.name.startswith(LARGE)

    @property
    def label(self) -> str:
        """Model and method, without size and seed."""
        return f"{self.row.name.rpartition('/')[2]}, {self.cell.method if self.cell else self.row.method}"

    def examples(self, task: str) -> int | None:
        """Training examples of a task that were really taken."""
        found = (self.training.get("examples") or {}).get(task)
        return found if isinstance(found, int) else None


@dataclass
class ScoredTask:
    """Counts of all runs on one task: run -> (documents, columns), summed per document. Scores are in points."""

    data: TaskData
    metric: Metric
    documents: tuple[str, ...]
    counts: dict[int, Array]

    @cached_property
    def weights(self) -> Array:
        """The resamples of documents, the same for all runs, and for all tasks over the same documents."""
        seed = zlib.crc32("\n".join(self.documents).encode())
        return bootstrap_weights(len(self.documents), RESAMPLES, (SEED, seed))

    def score(self, run: int) -> float:
        return float(self._values(self.counts[run].sum(0)))

    @cached_property
    def _drawn(self) -> dict[int, Array]:
        return {run: self._values(self.weights @ counts) for run, counts in self.counts.items()}

    def drawn(self, run: int) -> Array:
        """The score on each resample."""
        return self._drawn[run]

    def _values(self, sums: Array) -> Array:
        found: Array = 100 * np.nan_to_num(self.metric(sums), nan=1.0)
        return found


@dataclass
class ScoredRuns:
    runs: list[StudyRun]
    tasks: dict[str, ScoredTask]
    notes: list[str] = field(default_factory=list)

    def having(self, task: str) -> list[int]:
        return list(self.tasks[task].counts)


def interval(values: Array) -> tuple[float, float]:
    """95 %, percentile."""
    low, high = statistics.interval(values)
    return float(low), float(high)


def read(out: Path, *, metric: str = "score", mirror: str | None = None) -> ScoredRuns:
    """All finished runs of OUT/runs, compared on the same documents."""
    folders = sorted(path for path in (out / "runs").glob("[!.]*") if (path / "manifest.json").is_file())
    if not folders:
        raise ItaMedError(f"{out} holds no finished run; the command that began the study goes on with it")
    rows = read_runs(folders)
    check_comparable(rows)
    runs = [_ran(row) for row in rows]
    found = ScoredRuns(runs, {}, list(dict.fromkeys(note for row in rows for note in row.notes)))
    for task in (t.id for t in catalogue.tasks() if any(t.id in row.scores for row in rows)):
        found.tasks[task] = _on_task(rows, task, metric, mirror, found)
    return found


def _ran(row: RunRow) -> StudyRun:
    manifest = orjson.loads((row.folder / "manifest.json").read_bytes())
    block = manifest.get("study")
    if block is None:
        return StudyRun(row, manifest)
    try:
        cell = Cell(**(block["cell"] | {"tasks": tuple(block["cell"]["tasks"])}))
        return StudyRun(row, manifest, cell, block["training"] or {}, block["inference"] or {})
    except (KeyError, TypeError, AttributeError) as error:
        raise ItaMedError(f'{row.folder}: "study" in manifest.json is not as a study writes it ({error})') from error


def _on_task(rows: list[RunRow], task: str, metric: str, mirror: str | None, found: ScoredRuns) -> ScoredTask:
    ran = {n: row for n, row in enumerate(rows) if task in row.scores}
    try:
        data = gold.of(rows, task, mirror)
    except ItaMedError as error:
        raise ItaMedError(f"{next(iter(ran.values())).folder}, {task}: {error}") from error
    answers = {n: predictions.read(row.folder / "predictions" / f"{task}.jsonl", data)[0] for n, row in ran.items()}
    data = gold.answered(rows, data, {n: set(given) for n, given in answers.items()})
    if not data.examples:
        raise ItaMedError(f"{next(iter(ran.values())).folder}: no answer to any document of {task}")
    chosen = metric
    if metric not in data.metrics:
        chosen = "score"
        found.notes.append(f"{task} has no {metric}: its score is shown ({', '.join(data.metrics)}).")
    documents = tuple(f"{data.task.dataset}/{name}" for name in np.unique(np.asarray(data.clusters)))
    counts = {
        n: cluster_sums(np.array([data.count(e, given.get(e.id)) for e in data.examples], dtype=float), data.clusters)
        for n, given in answers.items()
    }
    return ScoredTask(data, data.metrics[chosen], documents, counts)
