"""A learning curve: the mean over seeds with its two kinds of spread, how many examples are enough, and a power law.

Documents are resampled as everywhere in the project; seeds are a second level: in each resample of documents the runs
of as many seeds are drawn with replacement. With three seeds that says little about seeds, and says it too small (by
√(2/3) on average), so the seeds' own range is always shown beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ita_med.tasks.scoring import statistics
from ita_med.tasks.scoring.metrics import RESAMPLES, SEED, Array

ENOUGH = 0.95
"""Share of the score with all examples that counts as reached."""
FITS = 200
"""Resamples that are fitted for the uncertainty of the power law."""


@dataclass(frozen=True)
class SeedMean:
    """Runs of one size. n: training examples; scores: by seed; drawn: (seeds, resamples), over shared documents.

    documents: 95 % of the seeds' mean over documents; both: over documents and seeds; deviation: of the seeds, None
    for one.
    """

    size: str
    n: int | None
    scores: tuple[float, ...]
    drawn: Array

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def deviation(self) -> float | None:
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else None

    @property
    def documents(self) -> tuple[float, float]:
        low, high = statistics.interval(self.drawn.mean(0))
        return float(low), float(high)

    @property
    def both(self) -> tuple[float, float]:
        low, high = statistics.interval(self.two_level(0))
        return float(low), float(high)

    def two_level(self, stream: int) -> Array:
        """Means over drawn seeds on drawn documents (resamples); another stream draws other seeds."""
        seeds, resamples = self.drawn.shape
        chosen = np.random.default_rng((SEED, stream)).integers(0, seeds, size=(seeds, resamples))
        mean: Array = np.take_along_axis(self.drawn, chosen, axis=0).mean(0)
        return mean


def seed_mean(size: str, n: int | None, scores: Sequence[float], drawn: Sequence[Array]) -> SeedMean:
    return SeedMean(size, n, tuple(scores), np.stack(drawn))


@dataclass(frozen=True)
class Gap:
    """The largest size's mean minus this size's, with the interval over documents (paired) and seeds."""

    size: str
    n: int | None
    difference: float
    low: float
    high: float

    @property
    def separable(self) -> bool:
        return self.low > 0 or self.high < 0


def gaps(points: Sequence[SeedMean]) -> list[Gap]:
    """Of each size but the last to the last; documents are the same on both sides, seeds are drawn apart."""
    last = points[-1]
    found = []
    for k, p in enumerate(points[:-1]):
        low, high = statistics.interval(last.two_level(0) - p.two_level(1 + k))
        found.append(Gap(p.size, p.n, last.mean - p.mean, float(low), float(high)))
    return found


@dataclass(frozen=True)
class Enough:
    """The smallest sizes of which, as of every larger size, it holds: the mean cannot be told from that of the largest
    (`inseparable`), or is at least 95 % of it (`share`). The largest size itself where no smaller one is enough."""

    inseparable: str
    share: str


def enough(points: Sequence[SeedMean]) -> Enough:
    """points: in order of size."""
    separable = {gap.size: gap.separable for gap in gaps(points)}
    target = ENOUGH * points[-1].mean
    return Enough(
        _smallest(points, {p.size: not separable.get(p.size, False) for p in points}),
        _smallest(points, {p.size: p.mean >= target - statistics.ROUNDING for p in points}),
    )


def _smallest(points: Sequence[SeedMean], holds: Mapping[str, bool]) -> str:
    """Going down from the largest size as long as it holds."""
    found = points[-1].size
    for p in reversed(points[:-1]):
        if not holds[p.size]:
            break
        found = p.size
    return found


@dataclass(frozen=True)
class PowerLaw:
    """score = ceiling − scale · n^(−rate); 95 % intervals from refits on resamples of documents and seeds.

    needed: examples for 95 % of the ceiling.
    """

    ceiling: float
    scale: float
    rate: float
    needed: float
    ceiling_low: float
    ceiling_high: float
    needed_low: float
    needed_high: float

    def at(self, n: Array) -> Array:
        found: Array = self.ceiling - self.scale * n**-self.rate
        return found


def power_law(points: Sequence[SeedMean]) -> PowerLaw | None:
    """Fitted to the means by least squares; None for fewer than four sizes, or where no fit converges.

    Bounds: 0 ≤ ceiling ≤ 100, 0 ≤ scale, 0.05 ≤ rate ≤ 3.
    """
    known = [p for p in points if p.n]
    n = np.array([p.n for p in known], float)
    if len(np.unique(n)) < 4:
        return None
    best = _fit(n, np.array([p.mean for p in known]))
    if best is None:
        return None
    drawn = np.stack([p.two_level(k) for k, p in enumerate(known)])
    step = max(1, RESAMPLES // FITS)
    refits = [fit for k in range(0, drawn.shape[1], step) if (fit := _fit(n, drawn[:, k])) is not None]
    if len(refits) < FITS // 2:
        return None
    ceilings, needed = np.array([fit[0] for fit in refits]), np.array([_needed(fit) for fit in refits])
    (a, b), (c, d) = statistics.interval(ceilings), statistics.interval(needed)
    return PowerLaw(*best, _needed(best), float(a), float(b), float(c), float(d))


Fit = tuple[float, float, float]


def _fit(n: Array, scores: Array) -> Fit | None:
    from scipy.optimize import curve_fit

    def law(x: Array, ceiling: float, scale: float, rate: float) -> Array:
        found: Array = ceiling - scale * x**-rate
        return found

    start = (min(99.0, float(scores.max()) + 1.0), max(1.0, float(scores.max() - scores.min())) * n.min() ** 0.5, 0.5)
    try:
        values, _ = curve_fit(law, n, scores, p0=start, bounds=([0, 0, 0.05], [100, np.inf, 3]), maxfev=2000)
    except (RuntimeError, ValueError):
        return None
    return float(values[0]), float(values[1]), float(values[2])


def _needed(fit: Fit) -> float:
    """n at which the law reaches 95 % of its ceiling."""
    ceiling, scale, rate = fit
    missing = (1 - ENOUGH) * ceiling
    return float(np.exp(min(np.log(scale / missing) / rate, 600.0))) if missing > 0 and scale > 0 else 0.0
