"""Runs that differ by their seed alone, as one system; its means over tasks, with documents and seeds drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ita_med.numbers import interval, number
from ita_med.tasks.report.rows import families_of
from ita_med.tasks.scoring import statistics
from ita_med.tasks.scoring.comparison import mean_weights
from ita_med.tasks.scoring.metrics import Array
from ita_med.training.studies.findings import curve
from ita_med.training.studies.findings.curve import SeedMean
from ita_med.training.studies.findings.scores import ScoredRuns
from ita_med.training.studies.study import METHODS


@dataclass(frozen=True)
class SystemRuns:
    """label: model and method; runs: one per seed; trained: whether it is the result of a training of the study."""

    label: str
    runs: tuple[int, ...]
    trained: bool
    large: bool


def systems(scored: ScoredRuns) -> list[SystemRuns]:
    """In the order of the methods of the adaptation study; runs made elsewhere come last."""
    found: dict[str, list[int]] = {}
    for n, run in enumerate(scored.runs):
        size = f" n={run.cell.size}" if run.cell and run.cell.size not in ("", "all") else ""
        found.setdefault(run.label + size, []).append(n)
    made = []
    for label, runs in found.items():
        first = scored.runs[runs[0]]
        trained = first.cell is not None and bool(first.cell.size)
        made.append(SystemRuns(label, tuple(runs), trained, first.large))
    return sorted(made, key=lambda g: _order(scored, g))


def _order(scored: ScoredRuns, group: SystemRuns) -> tuple[int, str]:
    cell = scored.runs[group.runs[0]].cell
    if cell is None:
        return len(METHODS), group.label
    shown = [text.format(k=cell.shots or 4) for text in METHODS.values()]
    plain = cell.method.removesuffix(" + CD") if cell.size else cell.method
    return (shown.index(plain) if plain in shown else len(METHODS)), group.label


def short_labels(found: Sequence[SystemRuns]) -> dict[str, str]:
    """By label: the method alone where all are of one model."""
    models = {group.label.partition(", ")[0] for group in found}
    return {g.label: g.label if len(models) > 1 else g.label.partition(", ")[2] for g in found}


def shared_tasks(scored: ScoredRuns, among: Sequence[SystemRuns]) -> tuple[list[str], list[str]]:
    """The tasks that every run has, and the others."""
    runs = {n for group in among for n in group.runs}
    shared = [task for task in scored.tasks if runs <= scored.tasks[task].counts.keys()]
    return shared, [task for task in scored.tasks if task not in shared]


def mean_over_tasks(scored: ScoredRuns, group: SystemRuns, tasks: Sequence[str]) -> SeedMean:
    """The group's mean of family means over tasks: by seed, and on the resamples of documents that all runs share."""
    return weighted_mean(scored, group, mean_weights(families_of(list(tasks))))


def weighted_mean(scored: ScoredRuns, group: SystemRuns, weights: dict[str, float]) -> SeedMean:
    """A weighted sum of the group's task scores."""
    scores, drawn = [], []
    for run in group.runs:
        scores.append(sum(weight * scored.tasks[task].score(run) for task, weight in weights.items()))
        drawn.append(np.sum([weight * scored.tasks[task].drawn(run) for task, weight in weights.items()], axis=0))
    return curve.seed_mean("", None, scores, drawn)


@dataclass(frozen=True)
class MeanDifference:
    value: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{number(self.value, plus=True)} {interval((self.low, self.high), plus=True)}"


def difference(a: SeedMean, b: SeedMean) -> MeanDifference:
    """a minus b on the same documents; seeds are drawn apart on each side."""
    drawn: Array = a.two_level(1) - b.two_level(2)
    low, high = statistics.interval(drawn)
    return MeanDifference(a.mean - b.mean, float(low), float(high))
