"""The report as tables of text cells; every format prints these same tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from ita_med import catalogue
from ita_med.numbers import NONE, interval, number, p_value
from ita_med.tasks.report.compare import Comparison, Interval, Pair
from ita_med.tasks.report.reference import Reference
from ita_med.tasks.report.rows import COLUMNS, PARTS, RunRow, in_part, means
from ita_med.tasks.scoring.metrics import RESAMPLES, average
from ita_med.tasks.scoring.statistics import PERMUTATIONS, stars

STARS_NOTE = (
    "delta: mean of the family means minus the baseline's, over the tasks that both ran. * p < .05, ** p < .01, "
    f"*** p < .001: paired permutation test over documents ({PERMUTATIONS:,} swaps, or all), Holm over all pairs of "
    "the table; no star where the interval of the difference holds 0."
)
INTERVALS_NOTE = f"Intervals: 95 %, percentile bootstrap over documents, {RESAMPLES:,} resamples shared by all runs."
TASKS_NOTE = "Stars: difference from the baseline, the same test, Holm over all cells of the table."
PARTIAL_NOTE = "partial: not all tasks were run; such a row has no AVG."
FAMILIES_NOTE = "AVG needs tasks of all five families."
PAIRS_NOTE = (
    "p: permutation over documents (is it better on this benchmark?); Wilcoxon: signed-rank over tasks (would it be on "
    "tasks like these?); both with Holm over all pairs of the table. Wins, ties and losses: tasks of the first run."
)
TIMES_NOTE = "Wall time of the whole run, model loading included; the mean of the tasks that all runs have."


@dataclass
class RunReport:
    """comparison: None for plain results without intervals and tests; baseline: the run that deltas refer to."""

    rows: list[RunRow]
    comparison: Comparison | None = None
    baseline: int = 0
    parts: list[str] = field(default_factory=lambda: list(PARTS))
    reference: Reference | None = None

    @property
    def shown(self) -> list[str]:
        """The parts of which any run has a task."""
        return [part for part in self.parts if any(row.part(part) for row in self.rows)]

    @property
    def tasks(self) -> list[str]:
        """The tasks that any run has, in benchmark order, of the parts shown."""
        ids = [t.id for t in catalogue.tasks() if any(in_part(t.id, part) for part in self.parts)]
        return [task for task in ids if any(task in row.scores for row in self.rows)]

    def interval(self, row: int, name: str) -> Interval | None:
        return self.comparison.intervals.get((row, name)) if self.comparison else None

    def delta(self, part: str, row: int) -> Pair | None:
        """The run's difference from the baseline."""
        return self.comparison.pair(part, row, self.baseline) if self.comparison and row != self.baseline else None


@dataclass
class Table:
    """lines[0] is the header; the first `left` columns hold text, the others numbers; notes stand below."""

    title: str
    lines: list[list[str]]
    left: int
    notes: list[str] = field(default_factory=list)


def tables(report: RunReport) -> list[Table]:
    """All tables of the report, in order."""
    out = []
    for part in report.shown:
        out.append(family_table(report, part))
        if report.comparison and report.comparison.pairs[part]:
            out.append(pair_table(report, part))
    if report.rows:
        out.append(task_table(report))
    if any(row.seconds for row in report.rows):
        out.append(time_table(report))
    if report.reference:
        out.append(reference_table(report.reference))
    return out


def once(found: list[Table]) -> list[Table]:
    """The tables with each note only where it comes first."""
    seen: set[str] = set()
    for table in found:
        table.notes = [note for note in table.notes if note not in seen]
        seen.update(table.notes)
    return found


def notes(report: RunReport) -> list[str]:
    """What every reader must know first."""
    found = [note for row in report.rows for note in row.notes]
    if report.comparison:
        reasons: dict[str, list[str]] = {}
        for task, why in report.comparison.without.items():
            reasons.setdefault(why, []).append(task)
        for why, tasks in reasons.items():
            found.append(f"NO SIGNIFICANCE for {', '.join(tasks)}: scores are those of results.json ({why}).")
        found += report.comparison.changed
    return list(dict.fromkeys(found))


def family_table(report: RunReport, part: str) -> Table:
    """One line per run: model, method, family means, AVG, and the difference from the baseline."""
    total = sum(part in ("all", task.distribution) for task in catalogue.tasks())
    compared = report.comparison is not None and len(report.rows) > 1
    head = ["model", "method", *COLUMNS.values(), "AVG"]
    head += ["95 %"] * (report.comparison is not None) + ["delta", "95 %", "p"] * compared
    table = Table(PARTS[part], [[*head, "tasks"]], 2)
    for n, row in enumerate(report.rows):
        families, avg = row.families(part), row.average(part)
        line = [row.name, row.method, *(number(families.get(f)) for f in COLUMNS), number(avg)]
        line += [interval(report.interval(n, part))] * (report.comparison is not None)
        line += _delta(report, part, n) if compared else []
        partial = " partial" if row.partial(part) else ""
        table.lines.append([*line, f"{len(row.part(part))}/{total}{partial}"])
    if any(row.partial(part) for row in report.rows):
        table.notes.append(PARTIAL_NOTE)
    elif any(row.average(part) is None for row in report.rows):
        table.notes.append(FAMILIES_NOTE)
    if report.comparison:
        table.notes += [f"Baseline: {report.rows[report.baseline].label}.", STARS_NOTE] * compared + [INTERVALS_NOTE]
    return table


def _delta(report: RunReport, part: str, row: int) -> list[str]:
    if row == report.baseline:
        return ["baseline", "", ""]
    pair = report.delta(part, row)
    if pair is None:
        return [NONE] * 3
    return [_starred(pair), _ends(pair), p_value(pair.p_holm)]


def pair_table(report: RunReport, part: str) -> Table:
    """One line per pair of runs: difference, interval, both tests."""
    assert report.comparison is not None
    head = ["first", "second", "difference", "95 %", "p", "Wilcoxon p", "wins", "ties", "losses", "tasks"]
    table = Table(f"{PARTS[part]}: all pairs", [head], 2, [PAIRS_NOTE])
    for pair in report.comparison.pairs[part]:
        first, second = report.rows[pair.first].label, report.rows[pair.second].label
        counts = [str(n) for n in (pair.wins, pair.ties, pair.losses, len(pair.tasks))]
        tests = [_starred(pair), _ends(pair), p_value(pair.p_holm)]
        table.lines.append([first, second, *tests, p_value(pair.wilcoxon_holm), *counts])
        if pair.not_compared:
            table.notes.append(
                f"{first} and {second}: {len(pair.not_compared)} tasks not compared, as only one of them ran them: "
                f"{', '.join(pair.not_compared)}."
            )
    return table


def task_table(report: RunReport) -> Table:
    """One line per task: each run's score with its interval, or its standard error."""
    compared = report.comparison is not None
    title = "By task: score [95 % interval], points" if compared else "By task: score ± standard error, points"
    lines = [["task", "", *(row.label for row in report.rows)]]
    for task in report.tasks:
        cells = [_score(report, n, task) for n in range(len(report.rows))]
        lines.append([task, catalogue.task(task).distribution.upper(), *cells])
    return Table(title, lines, 2, [TASKS_NOTE] if compared and len(report.rows) > 1 else [])


def _score(report: RunReport, row: int, task: str) -> str:
    if task not in report.rows[row].scores:
        return NONE
    score = number(report.rows[row].scores[task])
    found = report.interval(row, task)
    if found is None:
        return f"{score} ± {number(report.rows[row].errors[task])}"
    assert report.comparison is not None
    delta = report.comparison.task_delta.get((row, task), (None, None))
    return f"{score} {interval(found)} {stars(report.comparison.task_p.get((row, task)), *delta)}".rstrip()


def time_table(report: RunReport) -> Table:
    """Seconds of each run, beside the mean of the tasks that all runs have."""
    lines = [["model", "method", "score", "seconds", "documents", "seconds per document"]]
    for row in report.rows:
        documents = sum(row.documents.values())
        per = f"{row.seconds / documents:.3f}" if row.seconds and documents else NONE
        seconds = f"{row.seconds:,.1f}" if row.seconds else NONE
        lines.append([row.name, row.method, number(shared_mean(report, row)), seconds, f"{documents:,}", per])
    return Table("Time", lines, 2, [TIMES_NOTE])


def shared_mean(report: RunReport, row: RunRow) -> float | None:
    """The mean of family means over the tasks that all runs have."""
    shared = {task: row.scores[task] for task in report.tasks if all(task in other.scores for other in report.rows)}
    return average(means(shared)) if shared else None


def reference_table(reference: Reference) -> Table:
    """Rows of others, under their own title."""
    lines = [["model", "method", *COLUMNS.values(), "AVG", "delta", "p"]]
    for row in reference.rows:
        delta = "" if row.delta is None else number(row.delta, plus=True)
        lines.append(
            [row.model, row.method, *(number(row.families.get(f)) for f in COLUMNS), number(row.avg), delta, row.p]
        )
    notes = [f"{reference.caption_it}. delta: against {reference.baseline}, with the table's own marks."]
    return Table(f"Reference: {reference.caption}", lines, 2, [*notes, *reference.caveats])


def _starred(pair: Pair) -> str:
    """+4.7 **: a difference with its stars."""
    return f"{number(pair.difference, plus=True)} {stars(pair.p_holm, pair.low, pair.high)}".rstrip()


def _ends(pair: Pair) -> str:
    return interval((pair.low, pair.high), plus=True)
