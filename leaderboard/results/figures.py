"""The figures of the board: which numbers of a ranking or a comparison they show, in Italian or English.

`ita_med.figures` draws them. No figure shows a system without the value that it is about; its notes say how many are
left out, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ita_med import catalogue
from ita_med.figures.figure import Axis, Figure, Mark, Panel, Series, cut
from ita_med.leaderboard.results.figure_texts import PART_NAMES, TEXTS
from ita_med.numbers import interval, number, p_value, quantity
from ita_med.tasks.report.rows import COLUMNS, PARTS

if TYPE_CHECKING:
    from ita_med.leaderboard.results.compare_systems import SystemsCompared
    from ita_med.leaderboard.results.ranking import BoardRow, Ranking

MODEL_TYPES = ("decoder", "chat", "encoder", "other")
MOST_ROWS = 30
"""Systems in a figure with one line for each; the table below it holds them all."""


def of_ranking(view: Ranking, language: str = "en") -> list[Figure]:
    """The figures of a view of the board, in the order of the page."""
    return [make(view, language) for make in RANKING.values()]


def parameters(view: Ranking, language: str = "en") -> Figure:
    """AVG against parameters; small and good is better."""
    return _trade(view, language, "parameters", lambda row: row.parameters * 1e6, -1)


def speed(view: Ranking, language: str = "en") -> Figure:
    """AVG against tokens per second, as declared; fast and good is better."""
    return _trade(view, language, "speed", lambda row: row.tokens_per_second, 1)


def _trade(view: Ranking, language: str, name: str, value: Callable[[BoardRow], float], sign: int) -> Figure:
    """sign: 1 where more of the value is better, -1 where less is."""
    words = TEXTS[language]
    ranked = [row for row in view.rows if row.kind == "ranked" and row.avg is not None]
    shown = [row for row in ranked if value(row) > 0]
    front = pareto([(sign * value(row), row.avg or 0.0) for row in shown])
    on_front = {shown[n].id for n in front}
    marks: dict[str, list[Mark]] = {}
    for row in shown:
        low, high = row.interval or (None, None)
        hollow, named = row.provenance != "reproduced", row.id in on_front
        mark = Mark(value(row), row.avg or 0.0, low, high, system(row), hollow=hollow, named=named)
        marks.setdefault(row.model_type, []).append(mark)
    series = [Series(words[kind], marks[kind], n) for n, kind in enumerate(MODEL_TYPES) if kind in marks]
    y_title = words["avg_normalised" if view.scale == "normalised" else "avg"]
    head = [words["model"], words["method"], words["type"], words[f"x_{name}"].partition(" (")[0], y_title, "95 %"]
    table = [[*head, words["front"]]]
    for row in shown:
        cells = [row.model, row.method, words[row.model_type], quantity(value(row), language)]
        cells += [number(row.avg, language), interval(row.interval, language)]
        table.append([*cells, words["yes" if row.id in on_front else "no"]])
    pareto_note = words["pareto"].format(cheaper=words[f"x_{name}_better"])
    notes = [f"– – {pareto_note}.", words["intervals"], words["provenance"], words["unranked"]]
    if len(shown) < len(ranked):
        notes.append(words["left_out"].format(n=len(ranked) - len(shown), all=len(ranked)))
    corners = [(value(shown[n]), shown[n].avg or 0.0) for n in front]
    panel = Panel(Axis(words[f"x_{name}"], log=True), Axis(y_title), series, front=corners)
    return _figure(name, _titled(words[name], view.part, language), panel, notes, language, table)


def pareto(values: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the points that no other point beats in one value without losing in the other; by the first value."""
    order = sorted(range(len(values)), key=lambda n: (-values[n][0], -values[n][1]))
    best = float("-inf")
    found = []
    for n in order:
        if values[n][1] > best:
            best = values[n][1]
            found.append(n)
    return sorted(found, key=lambda n: values[n])


def families(view: Ranking, language: str = "en", most: int = MOST_ROWS) -> Figure:
    """One line per ranked system, one mark per family with its interval."""
    words = TEXTS[language]
    ranked = [row for row in view.rows if row.kind == "ranked"]
    drawn = ranked[:most]
    series = [
        Series(COLUMNS[f], [_family(row, f, y, system(row)) for y, row in enumerate(drawn) if f in row.families], n)
        for n, f in enumerate(COLUMNS)
    ]
    table = [[words["model"], words["method"], *_with_intervals(COLUMNS.values())]]
    table += [[row.model, row.method, *_family_cells(row, language)] for row in ranked]
    panel = Panel(Axis(words["score"]), Axis(words["system"]), series, rows=[system(row) for row in drawn])
    notes = [words["intervals"], words["unranked"], *_most(len(drawn), len(ranked), language)]
    return _figure("families", _titled(words["families"], view.part, language), panel, notes, language, table)


def ranks(view: Ranking, language: str = "en", most: int = MOST_ROWS) -> Figure:
    """One line per ranked system from its best to its worst rank; colours alternate with the tie groups."""
    words = TEXTS[language]
    ranked = [row for row in view.rows if row.kind == "ranked" and row.rank]
    drawn = ranked[:most]
    groups: dict[int, list[Mark]] = {}
    for y, row in enumerate(drawn):
        low, high = row.rank or (None, None)
        groups.setdefault(row.group or 0, []).append(Mark(float(y + 1), y, low, high, system(row)))
    series = [Series(f"{words['group']} {group}", marks, (group - 1) % 2) for group, marks in sorted(groups.items())]
    table = [[words["group"], words["rank"], words["model"], words["method"], "AVG", "95 %"]]
    for row in ranked:
        cells = [str(row.group), "–".join(map(str, row.rank or ())), row.model, row.method]
        table.append([*cells, number(row.avg, language), interval(row.interval, language)])
    axes = Axis(words["x_rank"], whole=True), Axis(words["system"])
    panel = Panel(*axes, series, rows=[system(row) for row in drawn])
    notes = [words["order"], words["unranked"], *_most(len(drawn), len(ranked), language)]
    title = _titled(words["ranks"], view.part, language)
    return _figure("ranks", title, panel, notes, language, table, legend=False)


RANKING: dict[str, Callable[[Ranking, str], Figure]] = {
    "ranks": ranks, "parameters": parameters, "speed": speed, "families": families,
}  # fmt: skip
"""The figures of a ranking by name."""


def pairs(found: SystemsCompared, language: str = "en", part: str = "all") -> Figure:
    """The difference of AVG of every pair, with its interval."""
    words = TEXTS[language]
    shown = found.pairs.get(part, [])
    names = [" − ".join(cut(found.labels[n], 16) for n in (p.first, p.second)) for p in shown]
    marks = [Mark(p.difference, y, p.low, p.high, name) for y, (name, p) in enumerate(zip(names, shown, strict=True))]
    table = [[words["system"], words["difference"], "95 %", "p (Holm)"]]
    for name, p in zip(names, shown, strict=True):
        table.append([name, *_difference(p.difference, (p.low, p.high), p.p_holm, language)])
    axes = Axis(words["x_difference"], zero=True), Axis(words["system"])
    panel = Panel(*axes, [Series(words["difference"], marks)], rows=names)
    notes = [words["right"], words["intervals"]]
    return _figure("pairs", _titled(words["pairs"], part, language), panel, notes, language, table, legend=False)


def differences(found: SystemsCompared, language: str = "en") -> Figure:
    """Each system's difference from the first one, task by task, with intervals."""
    words = TEXTS[language]
    tasks = list(dict.fromkeys(cell.task for cell in found.tasks))
    labels = dict(zip(found.systems, found.labels, strict=True))
    series = []
    for n, (key, label) in enumerate(list(labels.items())[1:], 1):
        own = [cell for cell in found.tasks if cell.system == key]
        marks = [
            Mark(cell.difference, tasks.index(cell.task), cell.low, cell.high, f"{label}, {short(cell.task)}")
            for cell in own
        ]
        series.append(Series(label, marks, n))
    table = [[words["task"], words["system"], words["difference"], "95 %", "p (Holm)"]]
    for cell in sorted(found.tasks, key=lambda cell: tasks.index(cell.task)):
        cells = _difference(cell.difference, (cell.low, cell.high), cell.p_holm, language)
        table.append([short(cell.task), labels[cell.system], *cells])
    axes = Axis(words["x_difference"], zero=True), Axis(words["task"])
    panel = Panel(*axes, series, rows=[short(task) for task in tasks])
    notes = [words["against"].format(first=found.labels[0]), words["intervals"]]
    title = words["differences"].format(first=found.labels[0])
    return _figure("differences", title, panel, notes, language, table)


def side_by_side(rows: Sequence[BoardRow], language: str = "en") -> Figure:
    """A few systems, one line per family: the rows of one ranking, in the order given."""
    words = TEXTS[language]
    series = []
    for n, row in enumerate(rows):
        label = system(row)
        marks = [_family(row, f, y, f"{label}, {COLUMNS[f]}") for y, f in enumerate(COLUMNS) if f in row.families]
        series.append(Series(label, marks, n))
    table = [[words["system"], *_with_intervals(COLUMNS.values())]]
    table += [[system(row), *_family_cells(row, language)] for row in rows]
    panel = Panel(Axis(words["score"]), Axis(""), series, rows=list(COLUMNS.values()))
    return _figure("side_by_side", words["compared"], panel, [words["intervals"]], language, table)


def _figure(
    name: str,
    title: str,
    panel: Panel,
    notes: list[str],
    language: str,
    table: list[list[str]],
    *,
    legend: bool = True,
) -> Figure:
    nothing = TEXTS[language]["nothing"]
    return Figure(name, title, [panel], notes, language, legend=legend, table=table, if_empty=nothing)


def _family(row: BoardRow, family: str, y: int, label: str) -> Mark:
    low, high = row.family_intervals.get(family, (None, None))
    return Mark(row.families[family], y, low, high, label)


def _with_intervals(names: Iterable[str]) -> list[str]:
    return [cell for name in names for cell in (name, "95 %")]


def _family_cells(row: BoardRow, language: str) -> list[str]:
    """Score and interval of every family."""
    found = [(number(row.families.get(f), language), interval(row.family_intervals.get(f), language)) for f in COLUMNS]
    return [cell for pair in found for cell in pair]


def _difference(
    value: float | None, ends: tuple[float | None, float | None], p: float | None, language: str
) -> list[str]:
    return [number(value, language, plus=True), interval(ends, language), p_value(p, language)]


def _titled(title: str, part: str, language: str) -> str:
    return f"{title} ({part_name(part, language)})"


def part_name(part: str, language: str) -> str:
    name = PART_NAMES.get(language, PARTS)[part]
    return name[0].lower() + name[1:]


def _most(drawn: int, all_of_them: int, language: str) -> list[str]:
    return [TEXTS[language]["most"].format(n=drawn, all=all_of_them)] if drawn < all_of_them else []


def system(row: BoardRow) -> str:
    return f"{row.model} {row.method}"


def short(task: str) -> str:
    """A task's id without the prefix that all share."""
    return catalogue.task(task).id.removeprefix("ita_med_")
