"""Numbers and long names as a reader of Italian or English expects them."""

from __future__ import annotations

import math
from collections.abc import Iterable

NONE = "–"
SIGNS = {"it": str.maketrans(",.-", ".,−"), "en": str.maketrans("-", "−")}


def cut(name: str, most: int = 38) -> str:
    """The end of a model's name tells it from others: the middle is left out."""
    if len(name) <= most:
        return name
    half = (most - 1) // 2
    return f"{name[: most - 1 - half]}…{name[-half:]}"


def number(value: float | None, language: str, digits: int = 1) -> str:
    """With the language's separators; a dash for None and for what is no number."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:,.{digits}f}".translate(SIGNS[language])


def signed(value: float | None, language: str) -> str:
    return NONE if value is None else ("+" if value > 0 else "") + number(value, language)


def interval(found: Iterable[float | None] | None, language: str) -> str:
    """An interval: [41.2; 47.9], in Italian [41,2; 47,9]."""
    low, high = found or (None, None)
    if low is None or high is None:
        return NONE
    return f"[{number(low, language)}; {number(high, language)}]"


def p_value(p: float | None, language: str) -> str:
    if p is None:
        return NONE
    return f"<{number(0.001, language, 3)}" if p < 0.001 else number(p, language, 3)


def quantity(value: float, language: str) -> str:
    """135M, 1.7B: three digits and a letter."""
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * unit:
            return _three(value / unit, language) + letter
    return _three(value, language)


def _three(value: float, language: str) -> str:
    return f"{value:.3g}".translate(SIGNS[language])
