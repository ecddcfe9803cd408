"""Scales of an axis: from values to places in a drawing, and the round values that are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ita_med.figures.figure import Axis
from ita_med.numbers import number, quantity


@dataclass(frozen=True)
class AxisScale:
    """low, high: the values at its ends; start, end: their places in pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; what has no logarithm lies at the start."""
        if self.log and value <= 0:
            return self.start
        low, high, v = (math.log10(x) if self.log else x for x in (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (v - low) / (high - low), 1)


def scale(axis: Axis, values: Sequence[float], start: float, end: float) -> AxisScale:
    """A scale that holds all values, and a little more."""
    if axis.log:
        known = [math.log10(value) for value in values if value > 0] or [0.0, 1.0]
        span = max(known) - min(known)
        room = max(0.06 * span, 0.2) if span else 0.5
        return AxisScale(10 ** (min(known) - room), 10 ** (max(known) + room), start, end, log=True)
    if axis.whole:
        return AxisScale(0.5, max(values, default=1.0) + 0.5, start, end)
    known = [*values, *([0.0] if axis.zero else [])] or [0.0, 100.0]
    room = max(0.05 * (max(known) - min(known)), 0.5)
    return AxisScale(min(known) - room, max(known) + room, start, end)


def ticks(axis: Axis, found: AxisScale, language: str, gap: float = 66) -> list[tuple[float, str]]:
    """(value, text) along an axis: its own ticks, or round values at least so many pixels apart, as the language writes
    them."""
    if axis.ticks:
        return axis.ticks
    if found.log:
        return [(value, quantity(value, language)) for value in _powers(found.low, found.high)]
    raw = (found.high - found.low) * gap / abs(found.end - found.start)
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    if axis.whole:
        step = max(1.0, round(step))
    digits = max(0, -math.floor(math.log10(step)))
    places = range(math.ceil(found.low / step), math.floor(found.high / step) + 1)
    return [(n * step, number(round(n * step, 10), language, digits)) for n in places]


def _powers(low: float, high: float) -> list[float]:
    """1, 2, 5 of each power of ten, or fewer where there are many powers."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    step = max(1, math.ceil((last - first) / 8))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    found = [factor * 10.0**power for power in range(first, last + 1, step) for factor in factors]
    return [value for value in found if low <= value <= high]
