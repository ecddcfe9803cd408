"""Systems on the same documents: bootstrap intervals, paired tests, corrections; all as functions of arrays.

Counts are (systems, documents, columns), summed per document or patient (`metrics.cluster_sums`): the units that are
drawn and swapped are whole documents. `ratio` is the metric of two columns, numerator and denominator
(`TaskData.headline`): micro-F1, accuracy and the mean of document scores alike; any other metric over sums will do.

Sources: Efron and Tibshirani 1993 (percentile intervals, tests by inverting them), Dror et al. 2018 (which tests for
NLP), Phipson and Smyth 2010 (the "+ 1" of Monte-Carlo p-values), Holm 1979. scipy is the reference in
tests/tasks/scoring/test_statistics.py; benchmarks/calibration.py measures how often the tests err.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ita_med.tasks.scoring import metrics
from ita_med.tasks.scoring.metrics import RESAMPLES, SEED, Array, Metric, bootstrap_weights

PERMUTATIONS = 9_999
EXACT = 10_000
"""All 2^n swaps are enumerated where there are at most this many."""
LEVEL = 0.95
ROUNDING = 1e-12
"""Scores closer than this are equal: sums of the same counts in another order differ in the last digits."""
CHUNK = 2_000_000
"""Swaps (resamples × documents) held as numbers at a time."""


def ratio(parts: Array) -> Array:
    """Numerator / denominator (…, 2); 1 where there was nothing to find and nothing was found."""
    return np.nan_to_num(metrics.ratio(parts), nan=1.0)


# --- bootstrap


def bootstrap_scores(counts: Array, weights: Array, metric: Metric = ratio) -> Array:
    """Scores (resamples, systems) of all systems on the same resamples; weights (resamples, documents)."""
    systems, documents, columns = counts.shape
    drawn = weights @ counts.transpose(1, 0, 2).reshape(documents, systems * columns)
    return metric(drawn.reshape(len(weights), systems, columns))


def interval(values: Array, level: float = LEVEL) -> Array:
    """Percentile interval over the first axis: (2, …), low and high."""
    tail = 50 * (1 - level)
    return np.percentile(values, [tail, 100 - tail], axis=0)


def bootstrap_p(differences: Array) -> Array:
    """Two-sided p over the first axis: twice the smaller share of resamples on either side of 0.

    The difference's percentile interval at level 1 − p just reaches 0. A difference of 0 counts for both sides.
    """
    below = (differences <= ROUNDING).sum(0)
    above = (differences >= -ROUNDING).sum(0)
    return np.minimum(1.0, 2 * (np.minimum(below, above) + 1) / (len(differences) + 1))


@dataclass(frozen=True)
class Difference:
    """Score of the first system minus the second's, with its percentile interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float


def paired_bootstrap(
    a: Array, b: Array, *, metric: Metric = ratio, resamples: int = RESAMPLES, seed: int = SEED
) -> Difference:
    """The difference of two systems' scores, by resampling documents (rows of a and b) with replacement.

    One document says nothing about the spread between documents: its interval is all that is possible, its p is 1.
    """
    counts = np.stack([a, b]).astype(float)
    first, second = metric(counts.sum(1))
    if counts.shape[1] < 2:
        return Difference(float(first - second), -1.0, 1.0, 1.0)
    drawn = bootstrap_scores(counts, bootstrap_weights(counts.shape[1], resamples, seed), metric)
    differences = drawn[:, 0] - drawn[:, 1]
    low, high = interval(differences)
    return Difference(float(first - second), float(low), float(high), float(bootstrap_p(differences)))


def rank_intervals(resampled: Array, level: float = LEVEL) -> NDArray[np.int64]:
    """Best and worst rank (2, systems) of each system over resampled scores (resamples, systems); 1 is first."""
    from scipy.stats import rankdata

    ranks = rankdata(-np.round(resampled, 12), method="min", axis=1)
    tail = 50 * (1 - level)
    low = np.percentile(ranks, tail, axis=0, method="lower")
    high = np.percentile(ranks, 100 - tail, axis=0, method="higher")
    return np.stack([low, high]).astype(np.int64)


# --- permutation


@dataclass(frozen=True)
class Swaps:
    """In which resamples the two systems' counts of a document change places.

    Attributes:
        bits: for each group of documents the patterns, packed (resamples, ceil(documents / 8)).
        sizes: the documents of each group.
        exact: all patterns are there, each once; else they were drawn.
    """

    bits: list[NDArray[np.uint8]]
    sizes: list[int]
    exact: bool

    @property
    def resamples(self) -> int:
        return len(self.bits[0])

    def unpack(self, group: int, rows: slice) -> Array:
        return np.unpackbits(self.bits[group][rows], axis=1, count=self.sizes[group]).astype(float)


def swaps(sizes: Sequence[int], resamples: int = PERMUTATIONS, seeds: Sequence[int | Sequence[int]] = (SEED,)) -> Swaps:
    """Swaps for groups of documents: all 2^n if these are at most `EXACT`, else drawn, each group from its own seed."""
    if len(seeds) != len(sizes):
        raise ValueError(f"{len(sizes)} groups, but {len(seeds)} seeds")
    units = sum(sizes)
    if units < 63 and 2**units <= EXACT:
        patterns = (np.arange(2**units)[:, None] >> np.arange(units) & 1).astype(np.uint8)
        groups = np.split(patterns, np.cumsum(sizes)[:-1], axis=1)
        return Swaps([np.packbits(group, axis=1) for group in groups], list(sizes), exact=True)
    shapes = [(resamples, -(-size // 8)) for size in sizes]
    bits = [
        np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        for seed, shape in zip(seeds, shapes, strict=True)
    ]
    return Swaps(bits, list(sizes), exact=False)


def permuted_differences(
    counts: Array, pairs: Sequence[tuple[int, int]], drawn: Swaps, group: int = 0, metric: Metric = ratio
) -> Array:
    """Score differences (resamples, pairs) after the swaps, the same for all pairs of systems."""
    _, documents, columns = counts.shape
    first, second = counts[[i for i, _ in pairs]], counts[[j for _, j in pairs]]
    moving = (first - second).transpose(1, 0, 2).reshape(documents, -1)
    out = np.empty((drawn.resamples, len(pairs)))
    step = max(1, CHUNK // max(documents, 2 * len(pairs) * columns))
    for start in range(0, drawn.resamples, step):
        rows = slice(start, start + step)
        moved = (drawn.unpack(group, rows) @ moving).reshape(-1, len(pairs), columns)
        out[rows] = metric(first.sum(1) - moved) - metric(second.sum(1) + moved)
    return out


def permutation_p(permuted: Array, observed: ArrayLike, exact: bool) -> Array:
    """Two-sided p: the share of permuted differences (resamples, …) at least as far from 0 as the observed (…).

    Drawn permutations count the observed one as one more of them, so that no p is 0.
    """
    reached = (np.abs(permuted) >= np.abs(observed) - ROUNDING).sum(0)
    return reached / len(permuted) if exact else (reached + 1) / (len(permuted) + 1)


def paired_permutation(
    a: Array, b: Array, *, metric: Metric = ratio, resamples: int = PERMUTATIONS, seed: int = SEED
) -> float:
    """Two-sided p for equal scores of two systems on the same documents, by swapping their counts per document.

    Exact for up to 13 documents.

    Args:
        a, b: (documents, columns), rows are the same documents in the same order.
    """
    counts = np.stack([a, b]).astype(float)
    drawn = swaps([counts.shape[1]], resamples, [seed])
    permuted = permuted_differences(counts, [(0, 1)], drawn, metric=metric)
    first, second = metric(counts.sum(1))
    return float(permutation_p(permuted, first - second, drawn.exact)[0])


# --- over tasks, over pairs


def wilcoxon(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of the signed-rank test over the two systems' scores on the same tasks; ties of a task are dropped.

    Asks about tasks like these, where the tests above ask about documents like these. 1 where all tasks tie.
    """
    from scipy.stats import rankdata
    from scipy.stats import wilcoxon as signed_rank

    differences = np.round(np.asarray(a, float) - np.asarray(b, float), 12)
    differences = differences[differences != 0]
    if 2 ** len(differences) > EXACT:
        return float(signed_rank(differences).pvalue)
    # All signs at once: with ties scipy does the same one by one, which takes seconds for the pairs of six systems.
    ranks = rankdata(np.abs(differences))
    signs = 2.0 * (np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks)) & 1) - 1
    reached = np.abs(signs @ ranks) >= abs(np.sign(differences) @ ranks) - ROUNDING
    return float(reached.mean())


def holm(p: ArrayLike) -> Array:
    """Holm's adjusted p-values, in the order given: reject those below α, and the family-wise error is at most α."""
    raw = np.asarray(p, float)
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty(len(raw))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((len(raw) - np.arange(len(raw))) * raw[order]))
    return adjusted


def stars(p: float | None, low: float | None, high: float | None) -> str:
    """*** for p below 0.001, ** below 0.01, * below 0.05; none where the difference's interval holds 0.

    Both are needed: a permutation test rejects that two systems are exchangeable, and one right answer against none
    with a hundred wrong ones are not, though their F1 is next to equal.
    """
    if p is None or low is None or high is None or (low <= ROUNDING and high >= -ROUNDING):
        return ""
    return "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else ""
