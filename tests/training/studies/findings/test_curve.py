"""The curve's spreads, the rules for "enough" and the power law, against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ita_med.tasks.scoring.metrics import RESAMPLES, Array
from ita_med.training.studies.findings import curve
from ita_med.training.studies.findings.curve import SeedMean


def noise(k: int, spread: float) -> Array:
    return np.random.default_rng(k).normal(0, spread, RESAMPLES)


def made(means: dict[int, float], spread: float = 1.0, seeds: int = 3, apart: float = 0.0) -> list[SeedMean]:
    """Sizes with their means; documents move all sizes together, seeds lie `apart` points from each other."""
    shared = noise(0, 5)
    points = []
    for n, mean in means.items():
        scores = [mean + apart * (k - (seeds - 1) / 2) for k in range(seeds)]
        drawn = [score + shared + noise(10 * n + k, spread) for k, score in enumerate(scores)]
        points.append(curve.seed_mean(str(n), n, scores, drawn))
    return points


def test_spreads() -> None:
    (p,) = made({25: 50.0}, apart=2.0)
    assert p.mean == pytest.approx(50)
    assert p.deviation == pytest.approx(2.0)
    low, high = p.documents
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(25 + 1 / 3), rel=0.1)
    assert np.subtract(*p.both[::-1]) > 0.9 * (high - low)
    (still,) = made({25: 50.0}, seeds=1)
    assert still.deviation is None
    assert still.both == still.documents, "one seed is no second level"
    (wide,) = made({25: 50.0}, apart=20.0)
    assert np.subtract(*wide.both[::-1]) > 1.5 * np.subtract(*wide.documents[::-1])


def test_a_gap_is_paired_over_documents() -> None:
    """Documents move both sizes by 5 points, their difference by far less."""
    (gap,) = curve.gaps(made({25: 40.0, 100: 45.0}, spread=0.5))
    assert gap.difference == pytest.approx(5)
    assert 3.5 < gap.low < gap.high < 6.5
    assert gap.separable


def test_enough_goes_down_as_long_as_it_holds() -> None:
    rising = made({25: 30.0, 50: 40.0, 100: 47.9, 200: 49.9, 400: 50.0}, spread=0.5)
    found = curve.enough(rising)
    assert found.inseparable == "200"
    assert found.share == "100", "47.9 is above 95 % of 50, 40 is not"
    lucky = made({25: 50.0, 50: 40.0, 100: 50.0}, spread=0.5)
    assert curve.enough(lucky) == curve.Enough("100", "100"), "25 examples do not count where 50 are too few"
    flat = made({25: 50.0, 50: 50.0, 100: 50.0})
    assert curve.enough(flat) == curve.Enough("25", "25")
    assert curve.enough(made({25: 50.0})) == curve.Enough("25", "25")


def test_a_power_law_is_found_again() -> None:
    sizes = [25, 50, 100, 200, 300, 450]
    truth = {n: 80 - 200 * n**-0.6 for n in sizes}
    law = curve.power_law(made(truth, spread=0.3))
    assert law is not None
    assert law.ceiling == pytest.approx(80, abs=0.5)
    assert law.rate == pytest.approx(0.6, abs=0.02)
    assert law.needed == pytest.approx((200 / 4) ** (1 / 0.6), rel=0.05), "4 points are 5 % of the ceiling"
    assert law.ceiling_low < 80 < law.ceiling_high
    assert law.needed_low < law.needed < law.needed_high
    assert law.at(np.array([100.0]))[0] == pytest.approx(truth[100], abs=0.2)


def test_no_power_law_without_four_sizes() -> None:
    assert curve.power_law(made({25: 30.0, 50: 40.0, 100: 45.0})) is None


def test_equal_runs_give_equal_numbers() -> None:
    points = made({25: 30.0, 50: 40.0, 100: 45.0, 200: 46.0}, apart=1.0)
    assert curve.gaps(points) == curve.gaps(points)
    assert points[0].both == points[0].both
