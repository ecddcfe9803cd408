"""Scales hold their values, ticks are round."""

from __future__ import annotations

import pytest

from ita_med.figures.figure import Axis
from ita_med.figures.scale import scale, ticks


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[1e-9, 1e18], [5.0], [7.0, 7.0], [], [30.5, 30.6], [1.0, 1000.0]])
def test_every_value_and_tick_lies_inside(values: list[float], log: bool) -> None:
    found = scale(Axis("", log=log), values, 50, 700)
    shown = ticks(Axis("", log=log), found, "en")
    assert all(50 <= found(value) <= 700 for value in [*values, *(place for place, _ in shown)])
    assert 1 <= len(shown) <= 25
    assert len({text for _, text in shown}) == len(shown)


def test_what_has_no_logarithm_lies_at_the_start() -> None:
    found = scale(Axis("", log=True), [0.0, 10.0, 100.0], 50, 700)
    assert found(0.0) == found(-3.0) == 50 < found(10.0)


def test_axes_of_ranks_and_of_differences() -> None:
    whole = Axis("", whole=True)
    assert [text for _, text in ticks(whole, scale(whole, [1, 4], 0, 700), "it")] == ["1", "2", "3", "4"]
    assert scale(Axis("", zero=True), [3.0, 4.0], 0, 700).low < 0
    assert scale(Axis(""), [3.0, 4.0], 0, 700).low > 0


def test_ticks_are_written_in_the_language() -> None:
    found = scale(Axis(""), [-1.0, 1.0], 0, 400)
    assert [text for _, text in ticks(Axis(""), found, "it")] == ["−1,5", "−1,0", "−0,5", "0,0", "0,5", "1,0", "1,5"]
    own = Axis("", ticks=[(3.0, "three")])
    assert ticks(own, found, "en") == [(3.0, "three")]
