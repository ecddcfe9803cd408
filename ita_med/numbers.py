"""Numbers, intervals and p-values as text, for terminals and tables and for readers of Italian or English pages.

The styles differ in the signs that a reader expects, and in nothing else:

| style | number | negative | interval |
|---|---|---|---|
| plain (terminal, Markdown, LaTeX, CSV) | 1,234.5 | -1.5 | [1.0, 2.0] |
| en (pages in English) | 1,234.5 | −1.5 | [1.0; 2.0] |
| it (pages in Italian) | 1.234,5 | −1,5 | [1,0; 2,0] |

Babel knows the separators, but neither intervals nor dashes: it would replace the two dictionaries in `SIGNS`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

NONE = "–"
"""Stands where there is no number."""
SIGNS: dict[str, dict[int, int]] = {"plain": {}, "en": str.maketrans("-", "−"), "it": str.maketrans(",.-", ".,−")}
"""Style -> what replaces the signs of Python's own format."""


def number(value: float | None, style: str = "plain", digits: int = 1, *, plus: bool = False) -> str:
    """A number with thousands separators; a dash for None and for what is no finite number.

    Args:
        value: what is written.
        style: a key of `SIGNS`.
        digits: decimals.
        plus: whether a positive number carries its sign (a zero does so in the plain style only).
    """
    if value is None or not math.isfinite(value):
        return NONE
    sign = "+" if plus and (value or style == "plain") else ""
    return f"{value:{sign},.{digits}f}".translate(SIGNS[style])


def interval(ends: Iterable[float | None] | None, style: str = "plain", *, plus: bool = False) -> str:
    """[41.2, 47.9], on Italian pages [41,2; 47,9]; a dash where an end is missing. plus: ends carry their signs."""
    low, high = ends or (None, None)
    if low is None or high is None:
        return NONE
    between = ", " if style == "plain" else "; "
    return f"[{number(low, style, plus=plus)}{between}{number(high, style, plus=plus)}]"


def p_value(p: float | None, style: str = "plain") -> str:
    """Three decimals; what is smaller is written as <0.001."""
    return f"<{number(0.001, style, 3)}" if p is not None and p < 0.001 else number(p, style, 3)


def three_digits(value: float | None, style: str = "plain") -> str:
    """A number with three significant digits, or with all those before the point; a dash for None."""
    if value is None:
        return NONE
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}").translate(SIGNS[style])


def quantity(value: float, style: str = "plain") -> str:
    """Three digits and the letter of thousands, millions, billions (10⁹) or trillions: 135M, 1.7B."""
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * unit:
            return three_digits(value / unit, style) + letter
    return three_digits(value, style)
