"""Runs against each other: predictions scored again, with intervals and paired tests over the same documents."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark import predictions
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.report import gold
from ita_med.tasks.report.rows import PARTS, RunRow, families_of, means
from ita_med.tasks.scoring import comparison, statistics
from ita_med.tasks.scoring.metrics import Array, average

Interval = tuple[float, float]


@dataclass
class Pair:
    """Two runs on the tasks that both ran: `first` minus `second`, in points. None where the gold data are not there.

    Attributes:
        first, second: numbers of the runs.
        tasks: those that both ran.
        not_compared: tasks that only one of them ran.
        difference: of the means of family means.
        wins, ties, losses: tasks of the first run.
        wilcoxon: p over tasks.
        low, high: 95 % interval of the difference.
        p: permutation over documents.
        p_bootstrap: bootstrap over the same documents.
        wilcoxon_holm, p_holm: corrected over all pairs of the part.
    """

    first: int
    second: int
    tasks: list[str]
    not_compared: list[str]
    difference: float
    wins: int
    ties: int
    losses: int
    wilcoxon: float
    wilcoxon_holm: float = 1.0
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    p_bootstrap: float | None = None

    def seen_from(self, row: int) -> Pair:
        """The pair with `row` first."""
        if row == self.first:
            return self
        turned = (None, None) if self.low is None or self.high is None else (-self.high, -self.low)
        return dataclasses.replace(
            self, first=self.second, second=self.first, difference=-self.difference, low=turned[0], high=turned[1],
            wins=self.losses, losses=self.wins,
        )  # fmt: skip


@dataclass
class Comparison:
    """All that a report needs beside the runs themselves.

    Attributes:
        pairs: part -> all pairs of runs.
        intervals: 95 %, in points, by (run, task), (run, part) for AVG, and (run, family).
        task_p: by (run, task), p of the run's difference from the baseline, Holm over all of them.
        task_delta: by (run, task), the interval of that difference.
        without: task -> why it has no intervals and tests.
        changed: a sentence for each score that differs from that of results.json.
    """

    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    intervals: dict[tuple[int, str], Interval] = field(default_factory=dict)
    task_p: dict[tuple[int, str], float] = field(default_factory=dict)
    task_delta: dict[tuple[int, str], Interval] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    def pair(self, part: str, row: int, other: int) -> Pair | None:
        """The pair of two runs in a part, seen from the first; None if they share no task."""
        for pair in self.pairs[part]:
            if {pair.first, pair.second} == {row, other}:
                return pair.seen_from(row)
        return None


def compare(rows: list[RunRow], baseline: int, mirror: str | None = None) -> Comparison:
    """Score the runs' predictions again and test all pairs; what has no gold data keeps its stored score.

    The scores of the rows become those of their predictions.
    """
    found = Comparison()
    return compare_counts(rows, _open(rows, mirror, found), baseline, found)


def compare_counts(
    rows: list[RunRow], tables: list[comparison.TaskCounts], baseline: int, found: Comparison | None = None
) -> Comparison:
    """Test all pairs on counts that are at hand: rows and tables are in the same order of systems."""
    found = found or Comparison()
    for part in PARTS:
        found.pairs[part] = _pairs(rows, part)
    if tables:
        resampled = 100 * comparison.resampled(tables)
        _intervals(rows, tables, resampled, found)
        _tests(rows, tables, resampled, baseline, found)
    return found


def _open(rows: list[RunRow], mirror: str | None, found: Comparison) -> list[comparison.TaskCounts]:
    """Counts of every task whose gold data are at hand."""
    from rich.console import Console
    from rich.progress import track

    ids = [task.id for task in catalogue.tasks() if any(task.id in row.scores for row in rows)]
    tables = []
    quiet = not sys.stderr.isatty()
    for task in track(ids, "scoring", console=Console(stderr=True), transient=True, disable=quiet):
        try:
            tables.append(_counts(rows, gold.of(rows, task, mirror), found))
        except ItaMedError as error:
            if isinstance(error, gold.NotTheSame):
                raise
            found.without[task] = str(error)
    return tables


def _counts(rows: list[RunRow], data: TaskData, found: Comparison) -> comparison.TaskCounts:
    """Counts of all runs on one task; their scores are put into the rows."""
    task = data.task.id
    answers = {
        n: predictions.read(row.folder / "predictions" / f"{task}.jsonl", data)[0]
        for n, row in enumerate(rows)
        if task in row.scores
    }
    data = gold.answered(rows, data, {n: set(given) for n, given in answers.items()})
    systems: list[Array | None] = [None] * len(rows)
    for n, given in answers.items():
        counts = np.array([data.count(e, given.get(e.id)) for e in data.examples], dtype=float)
        systems[n] = data.headline(counts)
    table = comparison.task_counts(task, data.task.dataset, data.clusters, systems)
    for n in answers:
        score, stored = 100 * float(table.scores[n]), rows[n].scores[task]
        if abs(score - stored) > 1e-6:
            found.changed.append(
                f"{rows[n].label}, {task}: results.json says {stored:.2f}, its predictions score {score:.2f}"
            )
        rows[n].scores[task] = score
    return table


def _pairs(rows: list[RunRow], part: str) -> list[Pair]:
    """What needs no gold data: differences, wins and losses, Wilcoxon over tasks."""
    pairs = []
    for j, b in enumerate(rows):
        for i, a in enumerate(rows[:j]):
            x, y = a.part(part), b.part(part)
            shared = [task for task in x if task in y]
            if not shared:
                continue
            gaps = np.array([x[task] - y[task] for task in shared])
            difference = average(means({t: x[t] for t in shared})) - average(means({t: y[t] for t in shared}))
            alone = sorted(x.keys() ^ y.keys())
            wins, losses = int((gaps > statistics.ROUNDING).sum()), int((gaps < -statistics.ROUNDING).sum())
            p = statistics.wilcoxon(gaps, np.zeros(len(gaps)))
            pairs.append(Pair(i, j, shared, alone, difference, wins, len(gaps) - wins - losses, losses, p))
    for pair, p in zip(pairs, statistics.holm([pair.wilcoxon for pair in pairs]), strict=True):
        pair.wilcoxon_holm = float(p)
    return pairs


def _intervals(rows: list[RunRow], tables: list[comparison.TaskCounts], resampled: Array, found: Comparison) -> None:
    """Intervals of tasks, AVG and family means; resampled: (tasks, resamples, runs), in points."""
    place = {table.task: n for n, table in enumerate(tables)}
    alone = {table.task for table in tables if len(table.documents) < 2}

    def mean(n: int, tasks: Sequence[str]) -> Interval | None:
        if not tasks or not set(tasks) <= place.keys() or set(tasks) <= alone:
            return None
        weights = comparison.mean_weights(families_of(list(tasks)))
        drawn = resampled[[place[task] for task in weights], :, n]
        low, high = statistics.interval(np.tensordot(list(weights.values()), drawn, axes=1))
        return float(low), float(high)

    for n, row in enumerate(rows):
        wanted = {task: [task] for task in row.scores}
        wanted |= {part: list(row.part(part)) for part in PARTS if row.average(part) is not None}
        for task in row.scores:
            family = catalogue.task(task).family
            wanted[family] = [t for t in row.scores if catalogue.task(t).family == family]
        found.intervals |= {(n, name): x for name, tasks in wanted.items() if (x := mean(n, tasks))}


def _tests(
    rows: list[RunRow], tables: list[comparison.TaskCounts], resampled: Array, baseline: int, found: Comparison
) -> None:
    """Fill in the tests of all pairs whose shared tasks all have gold data, and those of single tasks."""
    place = {table.task: n for n, table in enumerate(tables)}
    indices = [(i, j) for j in range(len(rows)) for i in range(j)]
    if not indices:
        return
    weights = np.zeros((len(PARTS), len(indices), len(tables)))
    tested = []
    for k, part in enumerate(PARTS):
        for pair in found.pairs[part]:
            if set(pair.tasks) <= place.keys():
                where = indices.index((pair.first, pair.second))
                tested.append((part, pair, k, where))
                for task, weight in comparison.mean_weights(families_of(pair.tasks)).items():
                    weights[k, where, place[task]] = weight
    by_task, by_part = comparison.permutation_tests(tables, indices, weights)
    for _, pair, k, where in tested:
        drawn = np.tensordot(weights[k, where], resampled[:, :, pair.first] - resampled[:, :, pair.second], axes=1)
        pair.p = float(by_part[k, where])
        if max(len(tables[place[task]].documents) for task in pair.tasks) > 1:
            pair.low, pair.high = (float(x) for x in statistics.interval(drawn))
            pair.p_bootstrap = float(statistics.bootstrap_p(drawn))
    for part in PARTS:
        pairs = [pair for p, pair, _, _ in tested if p == part]
        for pair, corrected in zip(
            pairs, statistics.holm([pair.p for pair in pairs if pair.p is not None]), strict=True
        ):
            pair.p_holm = float(corrected)
    cells = {
        (i + j - baseline, task): by_task[place[task], k]
        for k, (i, j) in enumerate(indices)
        if baseline in (i, j)
        for task in place
        if task in rows[i].scores and task in rows[j].scores
    }
    found.task_p = dict(zip(cells, map(float, statistics.holm(list(cells.values()))), strict=True))
    for row, task in cells:
        if len(tables[place[task]].documents) > 1:
            low, high = statistics.interval(resampled[place[task], :, row] - resampled[place[task], :, baseline])
            found.task_delta[row, task] = float(low), float(high)
