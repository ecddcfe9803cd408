"""The figures of the board as data: what is drawn, in Italian or English, with the table that says the same.

`leaderboard.drawing` turns a figure into plotly's dictionary, SVG or an HTML fragment. No figure shows a system without
the value that it is about; its notes say how many are left out, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ita_med import catalogue
from ita_med.leaderboard.results.figure_texts import PART_NAMES, TEXTS
from ita_med.leaderboard.results.number_format import cut, interval, number, p_value, quantity, signed
from ita_med.tasks.report.rows import COLUMNS, PARTS

if TYPE_CHECKING:
    from ita_med.leaderboard.results.compare_systems import SystemsCompared
    from ita_med.leaderboard.results.ranking import BoardRow, Ranking

COLOURS = ("#2E86C1", "#D55E00", "#009E73", "#C4608F", "#8A7A00", "#767676")
"""Told apart by the colour-blind (after Okabe and Ito), and at least 3:1 on white and on a dark page alike."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
MODEL_TYPES = ("decoder", "chat", "encoder", "other")
MOST_ROWS = 30
"""Systems in a figure with one line for each; the table below it holds them all."""
LANGUAGES = ("it", "en")


@dataclass(frozen=True)
class Point:
    """A dot. x, y: of a scatter, or x and the index of its row; low, high: 95 % interval of the score, None where there
    is none; hollow: predictions re-scored, filled: reproduced by the maintainers."""

    label: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    hollow: bool = False
    named: bool = False


@dataclass(frozen=True)
class Series:
    """Dots of one colour and shape: a type of model, a family, a system."""

    name: str
    points: list[Point]
    colour: str
    symbol: str


@dataclass(frozen=True)
class Figure:
    """kind: "scatter" (score upwards, log x) or "dots" (score to the right, one line for each of `rows`).

    front: corners of the Pareto front; zero: a line at 0; whole: x counts ranks; table: header and lines, as text.
    """

    name: str
    language: str
    kind: str
    title: str
    x_title: str
    y_title: str
    series: list[Series]
    table: list[list[str]]
    rows: list[str] = field(default_factory=list)
    front: list[tuple[float, float]] = field(default_factory=list)
    zero: bool = False
    whole: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not any(series.points for series in self.series)


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
    words = TEXTS[language]
    ranked = [row for row in view.rows if row.kind == "ranked" and row.avg is not None]
    shown = [row for row in ranked if value(row) > 0]
    front = pareto([(sign * value(row), row.avg or 0.0) for row in shown])
    on_front = {shown[n].id for n in front}
    series = []
    for n, kind in enumerate(MODEL_TYPES):
        points = [
            Point(
                system(row), value(row), row.avg or 0.0, row.interval and row.interval[0],
                row.interval and row.interval[1], row.provenance != "reproduced", row.id in on_front,
            )
            for row in shown
            if row.model_type == kind
        ]  # fmt: skip
        if points:
            series.append(Series(words[kind], points, COLOURS[n], SYMBOLS[n]))
    notes = [words["intervals"], words["provenance"], words["unranked"]]
    if len(shown) < len(ranked):
        notes.append(words["left_out"].format(n=len(ranked) - len(shown), all=len(ranked)))
    y_title = words["avg_normalised" if view.scale == "normalised" else "avg"]
    head = [words["model"], words["method"], words["type"], words[f"x_{name}"].partition(" (")[0], y_title, "95 %"]
    table = [[*head, words["front"]]]
    table += [
        [
            row.model, row.method, words[row.model_type], quantity(value(row), language), number(row.avg, language),
            interval(row.interval, language), words["yes" if row.id in on_front else "no"],
        ]
        for row in shown
    ]  # fmt: skip
    corners = [(value(shown[n]), shown[n].avg or 0.0) for n in front]
    pareto_note = words["pareto"].format(cheaper=words[f"x_{name}_better"])
    return Figure(
        name, language, "scatter", _titled(words[name], view, language), words[f"x_{name}"], y_title, series, table,
        front=corners, notes=[f"– – {pareto_note}.", *notes],
    )  # fmt: skip


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
    """One line per ranked system, one dot per family with its interval."""
    words = TEXTS[language]
    ranked = [row for row in view.rows if row.kind == "ranked"]
    drawn = ranked[:most]
    series = [
        Series(
            COLUMNS[family],
            [
                Point(system(row), row.families[family], y, *row.family_intervals.get(family, (None, None)))
                for y, row in enumerate(drawn)
                if family in row.families
            ],
            COLOURS[n],
            SYMBOLS[n],
        )
        for n, family in enumerate(COLUMNS)
    ]
    table = [[words["model"], words["method"], *(cell for name in COLUMNS.values() for cell in (name, "95 %"))]]
    for row in ranked:
        cells = [
            (number(row.families.get(f), language), interval(row.family_intervals.get(f), language)) for f in COLUMNS
        ]
        table.append([row.model, row.method, *(cell for pair in cells for cell in pair)])
    return Figure(
        "families", language, "dots", _titled(words["families"], view, language), words["score"], words["system"],
        series, table, rows=[system(row) for row in drawn],
        notes=[words["intervals"], words["unranked"], *_most(len(drawn), len(ranked), language)],
    )  # fmt: skip


def ranks(view: Ranking, language: str = "en", most: int = MOST_ROWS) -> Figure:
    """One line per ranked system from its best to its worst rank; colours alternate with the tie groups."""
    words = TEXTS[language]
    ranked = [row for row in view.rows if row.kind == "ranked" and row.rank]
    drawn = ranked[:most]
    series = []
    for group in sorted({row.group or 0 for row in drawn}):
        points = [
            Point(system(row), float(y + 1), y, *(row.rank or (None, None)))
            for y, row in enumerate(drawn)
            if row.group == group
        ]
        n = (group - 1) % 2
        series.append(Series(f"{words['group']} {group}", points, COLOURS[n], SYMBOLS[n]))
    table = [[words["group"], words["rank"], words["model"], words["method"], "AVG", "95 %"]]
    table += [
        [
            str(row.group), "–".join(map(str, row.rank or ())), row.model, row.method, number(row.avg, language),
            interval(row.interval, language),
        ]
        for row in ranked
    ]  # fmt: skip
    return Figure(
        "ranks", language, "dots", _titled(words["ranks"], view, language), words["x_rank"], words["system"], series,
        table, rows=[system(row) for row in drawn], whole=True,
        notes=[words["order"], words["unranked"], *_most(len(drawn), len(ranked), language)],
    )  # fmt: skip


RANKING: dict[str, Callable[[Ranking, str], Figure]] = {
    "ranks": ranks, "parameters": parameters, "speed": speed, "families": families,
}  # fmt: skip
"""The figures of a ranking by name."""


def pairs(found: SystemsCompared, language: str = "en", part: str = "all") -> Figure:
    """The difference of AVG of every pair, with its interval."""
    words = TEXTS[language]
    shown = found.pairs.get(part, [])
    names = [" − ".join(cut(found.labels[n], 16) for n in (p.first, p.second)) for p in shown]
    points = [Point(name, p.difference, y, p.low, p.high) for y, (name, p) in enumerate(zip(names, shown, strict=True))]
    table = [[words["system"], words["difference"], "95 %", "p (Holm)"]]
    table += [
        [name, signed(p.difference, language), interval((p.low, p.high), language), p_value(p.p_holm, language)]
        for name, p in zip(names, shown, strict=True)
    ]
    title = f"{words['pairs']} ({part_name(part, language)})"
    return Figure(
        "pairs", language, "dots", title, words["x_difference"], words["system"],
        [Series(words["difference"], points, COLOURS[0], SYMBOLS[0])], table, rows=names, zero=True,
        notes=[words["right"], words["intervals"]],
    )  # fmt: skip


def differences(found: SystemsCompared, language: str = "en") -> Figure:
    """Each system's difference from the first one, task by task, with intervals."""
    words = TEXTS[language]
    tasks = list(dict.fromkeys(cell.task for cell in found.tasks))
    first = found.labels[0]
    series = []
    for n, (number_, label) in enumerate(zip(found.systems, found.labels, strict=True)):
        if n == 0:
            continue
        points = [
            Point(
                f"{found.labels[n]}, {short(cell.task)}", cell.difference, tasks.index(cell.task), cell.low, cell.high
            )
            for cell in found.tasks
            if cell.system == number_
        ]
        series.append(Series(label, points, COLOURS[n], SYMBOLS[n]))
    labels = dict(zip(found.systems, found.labels, strict=True))
    table = [[words["task"], words["system"], words["difference"], "95 %", "p (Holm)"]]
    table += [
        [
            short(cell.task), labels[cell.system], signed(cell.difference, language),
            interval((cell.low, cell.high), language), p_value(cell.p_holm, language),
        ]
        for task in tasks
        for cell in found.tasks
        if cell.task == task
    ]  # fmt: skip
    return Figure(
        "differences", language, "dots", words["differences"].format(first=first), words["x_difference"], words["task"],
        series, table, rows=[short(task) for task in tasks], zero=True,
        notes=[words["against"].format(first=first), words["intervals"]],
    )  # fmt: skip


def side_by_side(rows: Sequence[BoardRow], language: str = "en") -> Figure:
    """A few systems, one line per family: the rows of one ranking, in the order given."""
    words = TEXTS[language]
    names = list(COLUMNS)
    series = [
        Series(
            system(row),
            [
                Point(f"{system(row)}, {COLUMNS[f]}", row.families[f], y, *row.family_intervals.get(f, (None, None)))
                for y, f in enumerate(names)
                if f in row.families
            ],
            COLOURS[n],
            SYMBOLS[n],
        )
        for n, row in enumerate(rows)
    ]
    table = [[words["system"], *(cell for f in names for cell in (COLUMNS[f], "95 %"))]]
    for row in rows:
        cells = [
            (number(row.families.get(f), language), interval(row.family_intervals.get(f), language)) for f in names
        ]
        table.append([system(row), *(cell for pair in cells for cell in pair)])
    return Figure(
        "side_by_side", language, "dots", words["compared"], words["score"], "", series, table,
        rows=[COLUMNS[f] for f in names], notes=[words["intervals"]],
    )  # fmt: skip


def _titled(title: str, view: Ranking, language: str) -> str:
    return f"{title} ({part_name(view.part, language)})"


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
