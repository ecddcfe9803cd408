"""Numbers as text in three styles."""

from __future__ import annotations

import math

import pytest

from ita_med.numbers import NONE, SIGNS, interval, number, p_value, quantity, three_digits


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        ("plain", ["-1,234.5", "[-1.0, 2.0]", "[-1.0, +2.0]", "<0.001", "0.050"]),
        ("en", ["−1,234.5", "[−1.0; 2.0]", "[−1.0; +2.0]", "<0.001", "0.050"]),
        ("it", ["−1.234,5", "[−1,0; 2,0]", "[−1,0; +2,0]", "<0,001", "0,050"]),
    ],
)
def test_styles_differ_in_signs_alone(style: str, shown: list[str]) -> None:
    ends = (-1.0, 2.0)
    assert [
        number(-1234.5, style), interval(ends, style), interval(ends, style, plus=True), p_value(0.0004, style),
        p_value(0.05, style),
    ] == shown  # fmt: skip


@pytest.mark.parametrize("style", SIGNS)
def test_what_is_not_known_is_a_dash(style: str) -> None:
    unknown = [number(None, style), number(math.nan, style), number(math.inf, style), p_value(None, style)]
    unknown += [interval(None, style), interval((1.0, None), style), three_digits(None, style)]
    assert unknown == [NONE] * 7


def test_signs_and_decimals() -> None:
    assert [number(value, "it", plus=True) for value in (1.25, 0.0, -1.25)] == ["+1,2", "0,0", "−1,2"]
    assert [number(value, plus=True) for value in (1.25, 0.0, -1.25)] == ["+1.2", "+0.0", "-1.2"]
    assert number(1234.567, digits=0) == "1,235"


def test_three_digits_and_quantities() -> None:
    assert [three_digits(v) for v in (0.001234, 1.0, 99.94, 1234.5)] == ["0.00123", "1", "99.9", "1,234"]
    assert [quantity(v, "en") for v in (135e6, 1.7e9, 999.6e6, 12.0)] == ["135M", "1.7B", "1B", "12"]
    assert [quantity(v, "it") for v in (1.7e9, 1.5e3, 0.05)] == ["1,7B", "1,5k", "0,05"]
