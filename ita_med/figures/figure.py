"""A figure as data: panels with marks, what stands below it, and the table that says the same.

The board, the studies and the reports make figures; the other modules of this package draw every one of them alike.
Series differ by symbol and dash as well as by colour, so that a grey print can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

COLOURS = ("#2E86C1", "#D55E00", "#009E73", "#C4608F", "#8A7A00", "#767676")
"""Told apart by the colour-blind (after Okabe and Ito), and at least 3:1 on white and on a dark page alike."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""Symbols and dashes go by plotly's names."""
TOP, BOTTOM, ROW = 14.0, 44.0, 22.0
"""Pixels above and below the plot of a panel, and of a row of a dot plot."""


@dataclass(frozen=True)
class Mark:
    """A point. low, high: the ends of its 95 % interval along the axis of values, None where there is none; label: what
    it is called when pointed at; hollow: drawn as an outline; named: the label is written beside it."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    label: str = ""
    hollow: bool = False
    named: bool = False


@dataclass
class Series:
    """Marks of one look: a system, a family, a type of model.

    look: the place in the lists of colours, symbols and dashes; line: the marks are joined, and their intervals are a
    band instead of bars; singles: (x, y) of single values behind the means, drawn small; every: on a line only each
    n-th mark has a symbol.
    """

    name: str
    marks: list[Mark]
    look: int = 0
    line: bool = False
    singles: list[tuple[float, float]] = field(default_factory=list)
    every: int = 1

    @property
    def colour(self) -> str:
        return COLOURS[self.look % len(COLOURS)]

    @property
    def symbol(self) -> str:
        """After six looks the colours come again with other symbols."""
        return SYMBOLS[(self.look + self.look // len(COLOURS)) % len(SYMBOLS)]

    @property
    def dash(self) -> str:
        return DASHES[(self.look + self.look // len(COLOURS)) % len(DASHES)]


@dataclass
class Axis:
    """log: logarithmic; whole: its values are whole numbers from 1, as ranks; zero: a strong line at 0; ticks: (place,
    text) in place of round numbers."""

    title: str
    log: bool = False
    whole: bool = False
    zero: bool = False
    ticks: list[tuple[float, str]] = field(default_factory=list)


@dataclass
class Panel:
    """One pair of axes. rows: of a dot plot: the values lie along x, and y counts these named lines from 0, the first
    on top; None: the values lie along y. front: corners of a dashed line, the Pareto front."""

    x: Axis
    y: Axis
    series: list[Series]
    title: str = ""
    rows: list[str] | None = None
    front: list[tuple[float, float]] = field(default_factory=list)

    @property
    def values(self) -> Axis:
        """The axis along which values and intervals lie."""
        return self.y if self.rows is None else self.x

    @property
    def lanes(self) -> int:
        """Marks that may stand in one row: one where no row has marks of two series."""
        rows = [row for series in self.series for row in {mark.y for mark in series.marks}]
        return 1 if len(set(rows)) == len(rows) else max(len(self.series), 1)

    @property
    def height(self) -> float:
        """In pixels; a row of a dot plot takes 22, and 9 more for each further lane."""
        if self.rows is None:
            return 400.0
        return TOP + BOTTOM + len(self.rows) * (ROW + 0.4 * ROW * (self.lanes - 1))

    def shift(self, n: int) -> float:
        """How far the marks of the n-th series stand from the middle of their row, from -0.4 to 0.4, so that those of
        one row do not cover each other; 0 without rows."""
        lanes = 1 if self.rows is None else self.lanes
        return 0.0 if lanes == 1 else 0.8 * ((n + 0.5) / lanes - 0.5)


@dataclass
class Figure:
    """notes: what intervals and signs mean, and what is left out; language: "it" or "en"; legend: whether colours are
    explained, False where the rows say it; table: header and lines of the same data, as text; if_empty: said in place
    of a drawing without marks."""

    name: str
    title: str
    panels: list[Panel]
    notes: list[str] = field(default_factory=list)
    language: str = "en"
    legend: bool = True
    table: list[list[str]] = field(default_factory=list)
    if_empty: str = ""

    @property
    def series(self) -> list[Series]:
        """What a legend names: one series for each name, in order; none where there is no legend."""
        named = {series.name: series for panel in self.panels for series in panel.series}
        return list(named.values()) if self.legend else []

    @property
    def empty(self) -> bool:
        return not any(series.marks for panel in self.panels for series in panel.series)


def cut(name: str, most: int = 38) -> str:
    """A name of at most that many characters. The end of a model's name tells it from others: the middle goes."""
    if len(name) <= most:
        return name
    half = (most - 1) // 2
    return f"{name[: most - 1 - half]}…{name[-half:]}"
