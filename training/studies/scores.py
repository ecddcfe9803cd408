"""The runs of a study, read back from their submission folders and scored anew from their predictions."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ita_med import catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark import predictions
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.report.rows import RunRow, check_comparable, fingerprint, read_runs
from ita_med.tasks.scoring import statistics
from ita_med.tasks.scoring.metrics import RESAMPLES, SEED, Array, Metric, bootstrap_weights, cluster_sums
from ita_med.training.studies.study import Cell
from ita_med.version import BENCHMARK_VERSION

LARGE = "large_"
"""Runs whose folder's name begins so were brought in as large models."""


@dataclass
class Ran:
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
class OnTask:
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
class Scored:
    runs: list[Ran]
    tasks: dict[str, OnTask]
    notes: list[str] = field(default_factory=list)

    def having(self, task: str) -> list[int]:
        return list(self.tasks[task].counts)


def interval(values: Array) -> tuple[float, float]:
    """95 %, percentile."""
    low, high = statistics.interval(values)
    return float(low), float(high)


def read(out: Path, *, metric: str = "score", mirror: str | None = None) -> Scored:
    """All finished runs of OUT/runs, compared on the same documents."""
    folders = sorted(path for path in (out / "runs").glob("[!.]*") if (path / "manifest.json").is_file())
    if not folders:
        raise ItaMedError(f"{out} holds no finished run; the command that began the study goes on with it")
    rows = read_runs(folders)
    check_comparable(rows)
    runs = [_ran(row) for row in rows]
    found = Scored(runs, {}, list(dict.fromkeys(note for row in rows for note in row.notes)))
    for task in (t.id for t in catalogue.tasks() if any(t.id in row.scores for row in rows)):
        found.tasks[task] = _on_task(rows, task, metric, mirror, found)
    return found


def _ran(row: RunRow) -> Ran:
    manifest = orjson.loads((row.folder / "manifest.json").read_bytes())
    block = manifest.get("study")
    if block is None:
        return Ran(row, manifest)
    try:
        cell = Cell(**(block["cell"] | {"tasks": tuple(block["cell"]["tasks"])}))
        return Ran(row, manifest, cell, block["training"] or {}, block["inference"] or {})
    except (KeyError, TypeError, AttributeError) as error:
        raise ItaMedError(f'{row.folder}: "study" in manifest.json is not as a study writes it ({error})') from error


def _on_task(rows: list[RunRow], task: str, metric: str, mirror: str | None, found: Scored) -> OnTask:
    ran = {n: row for n, row in enumerate(rows) if task in row.scores}
    data = _gold(next(iter(ran.values())), task, mirror)
    answers = {n: predictions.read(row.folder / "predictions" / f"{task}.jsonl", data)[0] for n, row in ran.items()}
    if any(row.limited for row in ran.values()):
        data = _answered(data, {rows[n].folder: set(given) for n, given in answers.items()})
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
    return OnTask(data, data.metrics[chosen], documents, counts)


def _gold(row: RunRow, task: str, mirror: str | None) -> TaskData:
    if row.version != BENCHMARK_VERSION:
        raise ItaMedError(f"{row.folder} is of benchmark version {row.version}, this program has {BENCHMARK_VERSION}")
    data = load(task, sources.EMBEDDED if row.synthetic else mirror)
    if data.fingerprint != fingerprint(row, task):
        here = "are not here; name their folder with --mirror" if data.source == sources.EMBEDDED else data.provenance
        raise ItaMedError(f"{row.folder}: the gold data of {task} {here}; the run was on {row.data.get(task)}")
    return data


def _answered(data: TaskData, ids: dict[Path, set[str]]) -> TaskData:
    """The documents that limited runs answered, which must be the same for all."""
    first, *others = ids
    for folder in others:
        if ids[folder] != ids[first]:
            raise ItaMedError(f"{first} and {folder} answered different documents of {data.task.id}")
    return dataclasses.replace(data, examples=[e for e in data.examples if e.id in ids[first]])
