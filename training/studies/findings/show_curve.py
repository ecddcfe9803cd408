"""`learning-curve`: score by number of training examples, and how many are enough."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ita_med.errors import ItaMedError
from ita_med.figures.figure import Axis, Mark, Panel, Series
from ita_med.numbers import NONE, interval, number
from ita_med.tasks.report.tables import Table
from ita_med.training.studies.findings import curve
from ita_med.training.studies.findings.curve import SeedMean
from ita_med.training.studies.findings.findings import Findings, start, title_of, warnings, word
from ita_med.training.studies.findings.scores import ScoredRuns
from ita_med.training.studies.findings.systems import difference
from ita_med.training.studies.study import ALL, Study

Curves = dict[tuple[str, str], list[SeedMean]]
"""(task, label of the system) -> points by size."""
NOTES = [
    "mean: over seeds. SD: of the seeds. 95 % documents: bootstrap over evaluated documents of the seeds' mean. "
    "95 % both: documents and seeds drawn; with few seeds their part is too small.",
    "difference: the largest size minus this one, on the same documents, with its interval over documents and seeds. "
    "Enough (inseparable): the smallest size at which, as at every larger one, that interval holds 0. "
    "Enough (95 %): the smallest at which, as at every larger one, the mean is at least 95 % of the largest size's.",
]
PAIRS = "difference: the first system's mean minus the second's, on the same documents, seeds drawn on both sides."


def curves(scored: ScoredRuns) -> Curves:
    """All series of runs of trained models."""
    grouped: dict[tuple[str, str], dict[str, list[int]]] = {}
    for task in scored.tasks:
        for n in scored.having(task):
            cell = scored.runs[n].cell
            if cell is not None and cell.size:
                grouped.setdefault((task, scored.runs[n].label), {}).setdefault(cell.size, []).append(n)
    return {key: _points(scored, key[0], by_size) for key, by_size in grouped.items()}


def _points(scored: ScoredRuns, task: str, by_size: dict[str, list[int]]) -> list[SeedMean]:
    found = []
    for size, runs in by_size.items():
        counts = [scored.runs[n].examples(task) for n in runs]
        stated = int(size) if size != ALL else None
        taken = max((count for count in counts if count), default=stated)
        scores = [scored.tasks[task].score(n) for n in runs]
        found.append(curve.seed_mean(size, taken, scores, [scored.tasks[task].drawn(n) for n in runs]))
    return sorted(found, key=lambda p: (p.size == ALL, p.n or 0))


def show(scored: ScoredRuns, study: Study, lang: str) -> Findings:
    found = curves(scored)
    if not found:
        raise ItaMedError("no finished run of a trained model: there is no curve yet")
    made = start(lang, "curve", word(lang, "band"), *warnings(scored, lang))
    labels = list(dict.fromkeys(label for _, label in found))
    for task in dict.fromkeys(task for task, _ in found):
        of_task = {label: points for (t, label), points in found.items() if t == task}
        made.figure.panels.append(panel(of_task, task, study.metric, lang, labels))
        for label, points in of_task.items():
            _describe(made, task, label, points)
        _side_by_side(made, task, of_task)
    return made


def panel(of_task: dict[str, list[SeedMean]], task: str, metric: str, lang: str, labels: Sequence[str]) -> Panel:
    """Mean and band of each system, single seeds as dots."""
    series = []
    for label, points in of_task.items():
        marks = [Mark(float(p.n), p.mean, *p.both, label=f"{label}, {p.n}") for p in points if p.n]
        singles = [(float(p.n), score) for p in points if p.n for score in p.scores]
        series.append(Series(label, marks, labels.index(label), line=True, singles=singles))
    sizes = sorted({float(p.n) for points in of_task.values() for p in points if p.n})
    x = Axis(word(lang, "examples"), log=True, ticks=[(size, number(size, lang, 0)) for size in sizes])
    return Panel(x, Axis(word(lang, "points", metric=metric)), series, title_of(task, lang))


def _describe(made: Findings, task: str, label: str, points: list[SeedMean]) -> None:
    """One table and one sentence per system and task."""
    head = ["size", "examples", "seeds", "mean", "SD", "lowest", "highest", "95 % documents", "95 % both"]
    table = Table(f"{task}: {label}", [[*head, "difference", "95 %"]], 1, list(NOTES))
    gaps = {gap.size: gap for gap in curve.gaps(points)}
    for p in points:
        gap = gaps.get(p.size)
        cells = [p.size, f"{p.n:,}" if p.n else NONE, str(len(p.scores)), number(p.mean), number(p.deviation)]
        cells += [number(min(p.scores)), number(max(p.scores)), interval(p.documents), interval(p.both)]
        cells += [number(gap.difference, plus=True), interval((gap.low, gap.high), plus=True)] if gap else ["", ""]
        table.lines.append(cells)
        away = (gap.difference, gap.low, gap.high) if gap else (None, None, None)
        named = dict(zip(("difference", "difference_low", "difference_high"), away, strict=True))
        made.records.append(_record(task, label, p) | named)
    answer = _answer(task, label, points)
    table.notes.insert(0, answer)
    made.answers.append(answer)
    made.tables.append(table)
    if len({len(p.scores) for p in points}) > 1:
        made.notes.append(f"NOT ALL SEEDS of {label} on {task} are finished for every size.")


def _side_by_side(made: Findings, task: str, of_task: dict[str, list[SeedMean]]) -> None:
    """Every two systems, at the sizes that both have."""
    table = Table(f"{task}: systems at equal size", [["size", "first", "second", "difference", "95 %"]], 3, [PAIRS])
    for (a, first), (b, second) in combinations(of_task.items(), 2):
        theirs = {p.size: p for p in second}
        for p in first:
            if p.size in theirs:
                gap = difference(p, theirs[p.size])
                table.lines.append(
                    [p.size, a, b, number(gap.value, plus=True), interval((gap.low, gap.high), plus=True)]
                )
                made.records.append(
                    {"task": task, "system": a, "against": b, "size": p.size, "examples": p.n,
                     "difference": gap.value, "difference_low": gap.low, "difference_high": gap.high}
                )  # fmt: skip
    if table.lines[1:]:
        made.tables.append(table)


def _record(task: str, label: str, p: SeedMean) -> dict[str, Any]:
    (low, high), (both_low, both_high) = p.documents, p.both
    return {
        "task": task, "system": label, "size": p.size, "examples": p.n, "seeds": len(p.scores), "mean": p.mean,
        "sd_seeds": p.deviation, "lowest": min(p.scores), "highest": max(p.scores), "documents_low": low,
        "documents_high": high, "both_low": both_low, "both_high": both_high,
    }  # fmt: skip


def _answer(task: str, label: str, points: list[SeedMean]) -> str:
    """The sentence that answers the question, with the power law where it can be fitted."""
    last = points[-1]
    if len(points) < 2:
        return f"{label} on {task}: one size is no curve."
    found = curve.enough(points)
    names = {p.size: f"{p.n:,}" if p.n else p.size for p in points}
    text = (
        f"{label} on {task}: of the {names[last.size]} examples, {names[found.inseparable]} are enough not to be told "
        f"from all, {names[found.share]} to reach 95 % of their score ({last.mean:.1f})."
    )
    if found.inseparable == last.size or found.share == last.size:
        text += " Where it is all of them, more might help."
    if (law := curve.power_law(points)) is not None:
        text += (
            f" Power law: ceiling {number(law.ceiling)} {interval((law.ceiling_low, law.ceiling_high))}, 95 % of it at "
            f"{_about(law.needed)} examples [{_about(law.needed_low)}, {_about(law.needed_high)}]."
        )
    return text


def _about(n: float) -> str:
    """Extrapolations in two digits."""
    if n > 1e6:
        return "over a million"
    digits = 10 ** max(0, int(np.log10(max(n, 1))) - 1)
    return f"{round(n / digits) * digits:,.0f}"
