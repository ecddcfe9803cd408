"""`adaptation`: ways to adapt one model beside each other, as in the paper's first figure."""

from __future__ import annotations

from ita_med.errors import ItaMedError
from ita_med.figures.figure import Axis, Mark, Panel, Series
from ita_med.numbers import NONE, interval, number
from ita_med.tasks.report.rows import COLUMNS, families_of
from ita_med.tasks.report.tables import Table
from ita_med.training.studies.findings.curve import SeedMean
from ita_med.training.studies.findings.findings import Findings, start, title_of, warnings, word
from ita_med.training.studies.findings.scores import ScoredRuns
from ita_med.training.studies.findings.systems import (
    SystemRuns,
    difference,
    mean_over_tasks,
    shared_tasks,
    short_labels,
    systems,
)
from ita_med.training.studies.study import Study

NOTE = (
    "mean: of the family means over the tasks that every run has, and over seeds. 95 %: documents and seeds drawn. "
    "difference: from the first line, on the same documents."
)


def show(scored: ScoredRuns, study: Study, lang: str) -> Findings:
    found = systems(scored)
    tasks, left = shared_tasks(scored, found)
    if not tasks:
        raise ItaMedError("no task was answered by every run: there is nothing to compare")
    made = start(lang, "adaptation", word(lang, "bars"), *warnings(scored, lang))
    made.tables = [_means(made, scored, found, tasks), _by_task(made, scored, found, tasks)]
    families = families_of(tasks)
    for family in COLUMNS:
        of_family = [task for task in tasks if families[task] == family]
        if of_family and len(set(families.values())) > 1:
            points = [mean_over_tasks(scored, group, of_family) for group in found]
            made.figure.panels.append(
                dots(COLUMNS[family], found, points, word(lang, "points", metric=study.metric), lang)
            )
    whole = title_of(tasks[0], lang) if len(tasks) == 1 else word(lang, "mean")
    points = [mean_over_tasks(scored, group, tasks) for group in found]
    made.figure.panels.insert(0, dots(whole, found, points, word(lang, "points", metric=study.metric), lang))
    if left:
        made.notes.append(f"NOT SHOWN, as not every run has them: {', '.join(left)}.")
    return made


def dots(title: str, found: list[SystemRuns], points: list[SeedMean], x_title: str, lang: str) -> Panel:
    """One line per system, the first on top; trained and prompted ones have their own sign."""
    kinds = {kind: Series(word(lang, kind), [], look) for look, kind in enumerate(("trained", "prompted"))}
    for row, (group, p) in enumerate(zip(found, points, strict=True)):
        series = kinds["trained" if group.trained else "prompted"]
        series.marks.append(Mark(p.mean, row, *p.both, label=group.label))
        series.singles += [(score, row) for score in p.scores if len(p.scores) > 1]
    rows = list(short_labels(found).values())
    return Panel(Axis(x_title), Axis(""), [series for series in kinds.values() if series.marks], title, rows)


def _means(made: Findings, scored: ScoredRuns, found: list[SystemRuns], tasks: list[str]) -> Table:
    table = Table("Means over tasks", [["system", "seeds", "mean", "SD", "95 %", "difference"]], 1, [NOTE])
    first = mean_over_tasks(scored, found[0], tasks)
    for n, group in enumerate(found):
        p = mean_over_tasks(scored, group, tasks)
        away = difference(p, first) if n else None
        cells = [group.label, str(len(p.scores)), number(p.mean), number(p.deviation), interval(p.both)]
        table.lines.append([*cells, str(away) if away else "first"])
        made.records.append(_record(group, p, "mean") | ({"difference": away.value, "difference_low": away.low,
                            "difference_high": away.high} if away else {}))  # fmt: skip
    best = max(found, key=lambda group: mean_over_tasks(scored, group, tasks).mean)
    apart = difference(mean_over_tasks(scored, best, tasks), first)
    made.answers.append(
        f"Best: {best.label}, {mean_over_tasks(scored, best, tasks).mean:.1f}; {apart} against {found[0].label}."
        if best is not found[0]
        else f"Best: {best.label}, {first.mean:.1f}, the first line."
    )
    return table


def _by_task(made: Findings, scored: ScoredRuns, found: list[SystemRuns], tasks: list[str]) -> Table:
    table = Table("By task: mean [95 %]", [["system", *(task.removeprefix("ita_med_") for task in tasks)]], 1, [NOTE])
    for group in found:
        cells = []
        for task in tasks:
            p = mean_over_tasks(scored, group, [task])
            cells.append(f"{number(p.mean)} {interval(p.both)}")
            made.records.append(_record(group, p, task))
        table.lines.append([group.label, *(cells or [NONE])])
    return table


def _record(group: SystemRuns, p: SeedMean, measure: str) -> dict[str, object]:
    low, high = p.both
    return {
        "system": group.label, "measure": measure, "seeds": len(p.scores), "mean": p.mean, "sd_seeds": p.deviation,
        "low": low, "high": high,
    }  # fmt: skip
