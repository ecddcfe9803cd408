"""The board's order: family means, AVG, tie groups and rank intervals, from the counts that the store keeps.

All systems see the same bootstrap resamples of whole documents (`tasks.scoring.comparison`), so the resampled scores of
a system and task depend on nothing else: they are kept in memory, and a new submission costs only its own.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Engine

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import store
from ita_med.leaderboard.database.store import Entry
from ita_med.leaderboard.results.single_flight import SingleFlight
from ita_med.tasks.families.registry import family_of
from ita_med.tasks.report.rows import COLUMNS, PARTS, families_of, in_part, means
from ita_med.tasks.scoring import comparison, statistics
from ita_med.tasks.scoring.metrics import Array, average
from ita_med.version import BENCHMARK_VERSION

SCALES = ("raw", "normalised")
FLOOR = "random"
"""The floor that stands for 0 on the normalised scale: what guessing is worth."""
ALPHA = 0.05
KINDS = ("ranked", "partial", "floor", "other data")
RankInterval = tuple[float, float]
View = tuple[str, str, bool, str]
"""part, scale, synthetic, version"""
MOST_VIEWS = 24


@dataclass
class BoardRow:
    """A system on the board. Scores and 95 % intervals are in points; None stands where there are none.

    Attributes:
        kind: One of `KINDS`.
        parameters: Of the whole model, in millions, as declared; 0 if not stated.
        trained_on: Ids of the tasks that the system declares to be trained on.
        coverage: Number of tasks of this part that were run.
        parse_failure: Mean share of answers that could not be read, from 0 to 1.
        tasks: Score by task id.
        families: Mean score by family.
        avg: Mean of the families, only for rows that have all tasks of the part.
        group: Number of the tie group, from 1 without gaps, only for ranked rows.
        anchor: Whether the row is the first of its tie group.
        rank: Best and worst rank of the system over the bootstrap resamples.
    """

    id: int
    kind: str
    model: str
    method: str
    revision: str
    adapter: str
    user: str
    provenance: str
    created: str
    licence: str
    open_weights: bool
    model_type: str
    parameters: float
    tokens_per_second: float
    trained_on: list[str]
    coverage: int
    parse_failure: float
    tasks: dict[str, float]
    families: dict[str, float]
    family_intervals: dict[str, RankInterval] = field(default_factory=dict)
    avg: float | None = None
    interval: RankInterval | None = None
    group: int | None = None
    anchor: bool = False
    rank: tuple[int, int] | None = None


@dataclass
class Ranking:
    """One view of the board.

    Attributes:
        version: Of the benchmark.
        synthetic: Whether the rows are runs on the embedded sample.
        part: "all", "id" or "ood".
        scale: "raw" or "normalised".
        stamp: Names the state of the database that the view was made from.
        tasks: Ids of the tasks of the part.
        data: Fingerprint of the gold data by task.
        floors: Score of the floor "random" by task, from 0 to 1.
        rows: Ranked rows in order, then partial ones, floors, and rows that were scored on other gold data.
    """

    version: str
    synthetic: bool
    part: str
    scale: str
    stamp: str
    tasks: list[str]
    data: dict[str, str]
    floors: dict[str, float]
    rows: list[BoardRow]


def headline(task: str, counts: Array) -> Array:
    """The score of a task as a fraction, from its stored counts alone: no gold data are needed.

    Args:
        task: Id of the task.
        counts: Shape (…, columns), as `store.counts` gives them.

    Returns:
        Numerator and denominator, shape (…, 2).
    """
    entry = catalogue.task(task)
    family = family_of(entry)
    return family.headline(family.setting(entry, []), counts)


def table(task: str, fingerprint: str, counts: Sequence[Array]) -> comparison.TaskCounts:
    """The counts of several systems on one task, as the statistics take them.

    Documents are named by their place in the gold data, so tasks over the same files and as many documents are
    resampled together.

    Args:
        task: Id of the task.
        fingerprint: Of the gold data that all these systems were scored on.
        counts: One array of shape (documents, columns) for each system.
    """
    stacked = np.stack([headline(task, one) for one in counts])
    name = f"{catalogue.task(task).dataset}/{fingerprint}/{stacked.shape[1]}"
    return comparison.TaskCounts(task, tuple(f"{name}/{n}" for n in range(stacked.shape[1])), stacked)


def fingerprint(entry: Entry, task: str) -> str:
    """The fingerprint of the gold data that a submission was scored on, without the kind of the data."""
    return entry.data[task].partition(":")[2]


def normalise(score: Array | float, floor: float) -> Array | float:
    """A score on the scale where the floor is 0 and a perfect score is 1: (score − floor) / (1 − floor).

    Args:
        score: From 0 to 1; below the floor the result is negative.
        floor: From 0 to 1, but not 1.
    """
    return (score - floor) / (1 - floor)


def tie_groups(scores: Array, resampled: Array, alpha: float = ALPHA) -> tuple[list[int], list[int]]:
    """Systems in order, best first, and their tie groups.

    The best system without a group is the anchor of the next group. A system joins the group while the paired
    bootstrap does not separate it from the anchor; the first that is separated is the next anchor. So groups are
    contiguous, and the anchor of a group is never clearly better than a member of it.

    Args:
        scores: Shape (systems,).
        resampled: Shape (resamples, systems), the same resamples for all.
        alpha: A p-value below this separates two systems.

    Returns:
        The places of the systems in order (equal scores in the order given), and the group of each in that order,
        counted from 1.
    """
    order = sorted(range(len(scores)), key=lambda n: (-round(float(scores[n]), 12), n))
    groups: list[int] = []
    anchor = -1
    for n in order:
        if anchor < 0 or float(statistics.bootstrap_p(resampled[:, anchor] - resampled[:, n])) < alpha:
            anchor = n
            groups.append(groups[-1] + 1 if groups else 1)
        else:
            groups.append(groups[-1])
    return order, groups


@dataclass
class Shown:
    """What readers see: views of one state of the database, all replaced at once; stamp: of that state."""

    stamp: str = ""
    views: dict[View, Ranking] = field(default_factory=dict)


class Board:
    """Rankings of one database, computed when it has changed and kept until then; safe among threads.

    patience: seconds that a reader waits for the newest state before getting the last one, which is at most one
    computation old; a view that nobody has asked for lately is computed while its reader waits.
    pace: seconds for which a changed state is shown at least: many submissions in a row are few changes to readers.
    """

    def __init__(self, engine: Engine, patience: float = 60.0, pace: float = 0.0) -> None:
        self.engine = engine
        self.patience = patience
        self.pace = pace
        self._since = -math.inf
        self._lock = threading.Lock()
        self._flights = SingleFlight("ranking")
        self._resampled: dict[tuple[int, str], Array] = {}
        self._shown = Shown()
        self._asked: set[View] = set()

    def stamp(self) -> str:
        """Names the state that readers see; what is made from it may be kept by this name."""
        return self._newest().stamp

    def ranking(
        self, part: str = "all", scale: str = "raw", *, synthetic: bool = False, version: str = BENCHMARK_VERSION,
        fresh: bool = False,
    ) -> Ranking:  # fmt: skip
        """The board of one version; an ItaMedError where there is no random floor to normalise against.

        fresh: wait for the newest state, however long it takes.
        """
        if part not in PARTS or scale not in SCALES:
            raise ItaMedError(f"a ranking is of {', '.join(PARTS)}, and {' or '.join(SCALES)}")
        view = part, scale, synthetic, version
        with self._lock:
            if len(self._asked) < MOST_VIEWS:
                self._asked.add(view)
        shown = self._newest(fresh)
        return shown.views.get(view) or self._flights.within(None, (shown.stamp, view), lambda: self._add(view, shown))

    def _newest(self, fresh: bool = False) -> Shown:
        """The newest state, or the last one where that is young or the newest takes longer than readers wait."""
        if not fresh and time.monotonic() - self._since < self.pace:
            return self._shown
        with self.engine.connect() as connection:
            stamp = store.stamp_of(connection)
        until = None if fresh or not self._shown.stamp else time.monotonic() + self.patience
        for _ in range(2):  # what is being computed may have begun before the change, what comes next has not
            if self._shown.stamp == stamp:
                break
            try:
                self._flights.within(until and max(0.0, until - time.monotonic()), "newest", self._update)
            except TimeoutError:
                break
        return self._shown

    def _update(self) -> None:
        """Show the newest state, with the views that were asked for since the last one."""
        with self.engine.connect() as connection:
            shown = Shown(store.stamp_of(connection))
        with self._lock:
            asked, self._asked = self._asked, set()
        for view in asked:
            with suppress(ItaMedError):
                shown.views[view] = self._compute(shown.stamp, *view)
        if self._shown.stamp:
            self._since = time.monotonic()
        self._shown = shown

    def _add(self, view: View, shown: Shown) -> Ranking:
        if view not in shown.views:
            found = self._compute(shown.stamp, *view)
            if len(shown.views) >= MOST_VIEWS:
                return found
            shown.views[view] = found
        return shown.views[view]

    def close(self) -> None:
        self._flights.close()

    def _compute(self, stamp: str, part: str, scale: str, synthetic: bool, version: str) -> Ranking:
        with self.engine.begin() as connection:
            entries = store.entries(connection, synthetic=synthetic, version=version)
        data = common_data(entries)
        same = [e for e in entries if all(fingerprint(e, task) == data[task] for task in e.scores)]
        self._resample(same, data)
        floors = _floors(same)
        tasks = [task.id for task in catalogue.tasks(ready=True) if in_part(task.id, part)]
        if scale == "normalised" and (missing := [task for task in tasks if floors.get(task, 1.0) >= 1]):
            raise ItaMedError(f"no random floor on this board for {missing[0]}, so nothing to normalise against")
        view = _RowMaker(tasks, floors if scale == "normalised" else {}, self._resampled)
        rows = view.rows(entries, {e.id for e in same})
        return Ranking(version, synthetic, part, scale, stamp, tasks, data, floors, rows)

    def _resample(self, entries: list[Entry], data: Mapping[str, str]) -> None:
        """Resampled scores (resamples) of every system and task that has none yet."""
        for task in data:
            ids = [e.id for e in entries if task in e.scores and (e.id, task) not in self._resampled]
            if not ids:
                continue
            with self.engine.begin() as connection:
                counts = store.counts(connection, task, ids)
            drawn = comparison.resampled([table(task, data[task], [counts[n] for n in ids])])[0]
            for k, n in enumerate(ids):
                self._resampled[n, task] = drawn[:, k].copy()


def common_data(entries: list[Entry]) -> dict[str, str]:
    """The fingerprint of the gold data that most submissions of a task were scored on, by task.

    Where two are equally frequent, the one of the newest submission counts. Submissions that were scored on other data
    are shown apart and never compared with these.
    """
    found = {}
    for task in catalogue.tasks(ready=True):
        prints = [fingerprint(e, task.id) for e in entries if task.id in e.scores]
        if prints:
            number = Counter(prints)
            found[task.id] = max(reversed(prints), key=lambda name: number[name])
    return found


def _floors(entries: list[Entry]) -> dict[str, float]:
    """Score of the random floor by task, of the newest such row."""
    found: dict[str, float] = {}
    for entry in entries:
        if entry.provenance == "floor" and entry.claim.model == FLOOR:
            found |= entry.scores
    return found


@dataclass
class _RowMaker:
    """Makes the rows of one view.

    Attributes:
        tasks: Ids of the tasks of the part.
        floors: Score of the random floor by task; empty for raw scores.
        resampled: Resampled scores, shape (resamples,), by submission id and task.
    """

    tasks: list[str]
    floors: Mapping[str, float]
    resampled: Mapping[tuple[int, str], Array]

    def rows(self, entries: list[Entry], same: set[int]) -> list[BoardRow]:
        """All rows: ranked, partial, floors, other data; within a kind by AVG or by coverage."""
        rows = {e.id: self._row(e, e.id in same) for e in entries if any(task in self.tasks for task in e.scores)}
        ranked = [row for row in rows.values() if row.kind == "ranked"]
        rest = [row for row in rows.values() if row.kind != "ranked"]
        rest.sort(key=lambda row: (KINDS.index(row.kind), -row.coverage, -(row.avg or 0), row.id))
        return self._ranked(ranked) + rest

    def _row(self, entry: Entry, same: bool) -> BoardRow:
        claim = entry.claim
        scores = {t: 100 * float(self._scaled(entry.scores[t], t)) for t in self.tasks if t in entry.scores}
        families = means(scores)
        complete = len(scores) == len(self.tasks) and len(families) == len(COLUMNS)
        kind = "other data" if not same else "floor" if entry.provenance == "floor" else "ranked"
        if kind == "ranked" and not complete:
            kind = "partial"
        failures = [entry.metrics[task].get("parse_failure", 0.0) for task in scores]
        row = BoardRow(
            entry.id, kind, claim.model, claim.method, claim.revision, claim.adapter, entry.user, entry.provenance,
            entry.created.replace(tzinfo=None).isoformat(timespec="seconds") + "Z", claim.licence, claim.open_weights,
            claim.model_type, claim.parameters, claim.tokens_per_second, claim.trained_on, len(scores),
            float(np.mean(failures)), _rounded(scores), _rounded(families),
        )  # fmt: skip
        if same:
            for family in families:
                members = [task for task in scores if catalogue.task(task).family == family]
                row.family_intervals[family] = _interval(self.mean(entry.id, members))
            if complete:
                row.avg = round(average(families), 6)
                row.interval = _interval(self.mean(entry.id, list(scores)))
        return row

    def _scaled(self, score: Array | float, task: str) -> Array | float:
        return normalise(score, self.floors[task]) if task in self.floors else score

    def mean(self, system: int, tasks: list[str]) -> Array:
        """Resampled mean of family means (resamples), in points."""
        weights = comparison.mean_weights(families_of(tasks))
        drawn = [np.asarray(weights[t] * self._scaled(self.resampled[system, t], t)) for t in tasks]
        return 100 * np.sum(np.stack(drawn), axis=0)

    def _ranked(self, rows: list[BoardRow]) -> list[BoardRow]:
        """The rows in order, with tie groups and rank intervals."""
        if not rows:
            return []
        drawn = np.stack([self.mean(row.id, self.tasks) for row in rows], axis=1)
        order, groups = tie_groups(np.array([row.avg for row in rows]), drawn)
        ranks = statistics.rank_intervals(drawn)
        for place, (n, group) in enumerate(zip(order, groups, strict=True)):
            rows[n].group = group
            rows[n].anchor = place == 0 or groups[place - 1] != group
            rows[n].rank = int(ranks[0, n]), int(ranks[1, n])
        return [rows[n] for n in order]


def _interval(values: Array) -> RankInterval:
    low, high = statistics.interval(values)
    return round(float(low), 3), round(float(high), 3)


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in scores.items()}
