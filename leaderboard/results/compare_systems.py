"""Two to six systems against each other: the tests of `ita-med report`, on the counts of the store."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import store
from ita_med.leaderboard.database.store import Entry
from ita_med.leaderboard.results.ranking import fingerprint, table
from ita_med.tasks.report.compare import Comparison, Pair, compare_counts
from ita_med.tasks.report.rows import RunRow
from ita_med.tasks.report.tables import RunReport
from ita_med.tasks.scoring.comparison import TaskCounts
from ita_med.tasks.scoring.metrics import Array
from ita_med.version import BENCHMARK_VERSION

MOST = 6
"""Fifteen pairs; the permutation tests of more take too long for a page."""


@dataclass
class TaskDifference:
    """A system against the first one on one task; scores and differences in points.

    Attributes:
        system: Id of the submission.
        task: Id of the task.
        score: Of this system.
        first: Of the first system.
        difference: `score` minus `first`.
        outcome: "win", "tie" or "loss" of this system.
        low: Lower end of the difference's 95 % interval; None where the task has one document.
        high: Its upper end.
        p_holm: p-value, corrected after Holm over all cells of the comparison.
    """

    system: int
    task: str
    score: float
    first: float
    difference: float
    outcome: str
    low: float | None
    high: float | None
    p_holm: float


@dataclass
class SystemsCompared:
    """Two to six systems compared.

    Attributes:
        systems: Ids of the submissions.
        labels: Model and method of each.
        pairs: Tests of every pair by part; `first` and `second` of a pair are places in `systems`.
        tasks: Each other system against the first one, task by task.
    """

    systems: list[int]
    labels: list[str]
    pairs: dict[str, list[Pair]]
    tasks: list[TaskDifference]


def report(
    connection: Connection, ids: list[int], *, synthetic: bool = False, version: str = BENCHMARK_VERSION
) -> RunReport:
    """A report on systems of the board, as `ita-med report` makes it of runs; the first system is the baseline.

    Args:
        connection: To the board's database.
        ids: Two to six different submissions.
        synthetic: Whether they are runs on the embedded sample.
        version: Of the benchmark.

    Raises:
        ItaMedError: A submission is not on the board, or two were scored on different gold data.
    """
    if not 2 <= len(ids) <= MOST or len(set(ids)) != len(ids):
        raise ItaMedError(f"compare 2 to {MOST} different systems")
    found = {e.id: e for e in store.entries(connection, synthetic=synthetic, version=version)}
    if absent := [n for n in ids if n not in found]:
        raise ItaMedError(f"no submission {absent[0]} on the board")
    entries = [found[n] for n in ids]
    rows = [
        RunRow(
            e.claim.model, e.claim.method, {t: 100 * x for t, x in e.scores.items()},
            {t: 100 * x for t, x in e.errors.items()}, [], version=version, synthetic=synthetic, data=e.data,
        )
        for e in entries
    ]  # fmt: skip
    tables = []
    for task in catalogue.tasks(ready=True):
        if ran := [e for e in entries if task.id in e.scores]:
            tables.append(_table(connection, task.id, entries, ran))
    return RunReport(rows, compare_counts(rows, tables, 0))


def _table(connection: Connection, task: str, entries: list[Entry], ran: list[Entry]) -> TaskCounts:
    prints = {fingerprint(e, task) for e in ran}
    if len(prints) > 1:
        raise ItaMedError(f"these systems were scored on different gold data of {task} and cannot be compared")
    counts = store.counts(connection, task, [e.id for e in ran])
    nothing: Array = 0 * next(iter(counts.values()))
    return table(task, prints.pop(), [counts.get(e.id, nothing) for e in entries])


def compare(
    connection: Connection, ids: list[int], *, synthetic: bool, version: str = BENCHMARK_VERSION
) -> SystemsCompared:
    """Differences with intervals and tests, wins, ties and losses; p-values are corrected over the pairs given.

    Args and errors are those of `report`.
    """
    found = report(connection, ids, synthetic=synthetic, version=version)
    assert found.comparison is not None
    labels = [row.label for row in found.rows]
    return SystemsCompared(ids, labels, found.comparison.pairs, _tasks(found.rows, ids, found.comparison))


def _tasks(rows: list[RunRow], ids: list[int], comparison: Comparison) -> list[TaskDifference]:
    cells = []
    for (n, task), p in comparison.task_p.items():
        score, first = rows[n].scores[task], rows[0].scores[task]
        low, high = comparison.task_delta.get((n, task), (None, None))
        outcome = "tie" if abs(score - first) < 1e-9 else "win" if score > first else "loss"
        cells.append(TaskDifference(ids[n], task, score, first, score - first, outcome, low, high, p))
    return cells
