"""The data of a figure: looks, legends, rows."""

from __future__ import annotations

import pytest

from ita_med.figures.figure import COLOURS, DASHES, SYMBOLS, Axis, Figure, Mark, Panel, Series, cut


def panel(*series: Series, rows: int | None = None) -> Panel:
    return Panel(Axis("x"), Axis("y"), list(series), rows=None if rows is None else [str(n) for n in range(rows)])


@pytest.mark.parametrize("page", ["#ffffff", "#0b0f19"])
def test_colours_stand_out_on_light_and_dark(page: str) -> None:
    """WCAG 1.4.11: 3:1 for graphical objects."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for colour in COLOURS:
        low, high = sorted((luminance(colour), luminance(page)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


def test_thirty_six_looks_differ() -> None:
    assert len(set(COLOURS)) == len(set(SYMBOLS)) == len(set(DASHES)) == 6
    looks = [Series("", [], n) for n in range(36)]
    assert len({(s.colour, s.symbol, s.dash) for s in looks}) == 36


def test_a_legend_names_each_series_once() -> None:
    a, b, c = (Series(name, [Mark(0, 0)]) for name in "abc")
    figure = Figure("f", "F", [panel(a, b), panel(a, c)])
    assert [series.name for series in figure.series] == ["a", "b", "c"]
    assert Figure("f", "F", figure.panels, legend=False).series == []
    assert not figure.empty
    assert Figure("f", "F", [panel(Series("a", []))]).empty


def test_marks_of_one_row_do_not_cover_each_other() -> None:
    both = panel(Series("a", [Mark(1, 0)]), Series("b", [Mark(1, 0)]), rows=1)
    assert [both.shift(n) for n in range(2)] == [-0.2, 0.2]
    apart = panel(Series("a", [Mark(1, 0)]), Series("b", [Mark(1, 1)]), rows=2)
    assert [apart.shift(n) for n in range(2)] == [0, 0], "each row has marks of one series"
    assert panel(Series("a", [Mark(1, 0)]), Series("b", [Mark(1, 0)])).shift(1) == 0
    assert apart.height < both.height * 2


def test_long_names_keep_both_ends() -> None:
    assert cut("short") == "short"
    assert cut("org/a-very-long-name-of-a-model-instruct", 11) == "org/a…truct"
