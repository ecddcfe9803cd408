"""Metrics from summed counts, their bootstrap errors, and the means of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Metric = Callable[[Array], Array]
"""From sums of counts (…, columns) to values (…)."""

RESAMPLES = 1000
SEED = 20260219


def precision(tp: Array, fp: Array, fn: Array) -> Array:
    """TP / (TP + FP); 0 where there is only gold, NaN where there is neither gold nor prediction."""
    return _ratio(tp, tp + fp, empty=tp + fp + fn == 0)


def recall(tp: Array, fp: Array, fn: Array) -> Array:
    """TP / (TP + FN); 0 where there are only predictions, NaN where there is neither gold nor prediction."""
    return _ratio(tp, tp + fn, empty=tp + fp + fn == 0)


def f1(tp: Array, fp: Array, fn: Array) -> Array:
    """2 TP / (2 TP + FP + FN); NaN where there is neither gold nor prediction."""
    return _ratio(2 * tp, 2 * tp + fp + fn, empty=tp + fp + fn == 0)


def macro_f1(counts: Array) -> Array:
    """Mean F1 over the labels that occur in gold or predictions, NaN where none does; counts (…, labels, 3)."""
    tp, fp, fn = np.moveaxis(counts, -1, 0)
    present = (tp + fp + fn > 0).sum(-1)
    total = np.nansum(f1(tp, fp, fn), axis=-1)
    return np.where(present, total / np.maximum(present, 1), np.nan)


def ratio(parts: Array) -> Array:
    """Numerator / denominator, the two last columns (…, 2); NaN where the denominator is 0."""
    return _ratio(parts[..., 0], parts[..., 1], empty=parts[..., 1] == 0)


def micro_f1_parts(by_label: Array) -> Array:
    """Numerator and denominator (…, 2) of the micro-F1 over all labels; by_label (…, TP, FP, FN, TP, FP, FN, …)."""
    twice = 2 * by_label[..., 0::3].sum(-1)
    return np.stack([twice, twice + by_label[..., 1::3].sum(-1) + by_label[..., 2::3].sum(-1)], axis=-1)


def _ratio(numerator: Array, denominator: Array, empty: NDArray[np.bool_]) -> Array:
    return np.where(empty, np.nan, numerator / np.where(denominator == 0, 1, denominator))


def cluster_sums(counts: Array, clusters: Sequence[str]) -> Array:
    """Counts (examples, columns) summed per cluster: the document or patient that examples come from."""
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((int(index.max(initial=-1)) + 1, counts.shape[1]))
    np.add.at(sums, index, counts)
    return sums


def bootstrap(counts: Array, clusters: Sequence[str], *, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """Sums of counts for each resample of whole clusters with replacement: (resamples, columns)."""
    sums = cluster_sums(counts, clusters)
    return bootstrap_weights(len(sums), resamples, seed) @ sums


def bootstrap_weights(n: int, resamples: int = RESAMPLES, seed: int | Sequence[int] = SEED) -> Array:
    """How often each resample draws each of n clusters: (resamples, n), rows sum to n."""
    drawn = np.random.default_rng(seed).integers(0, n, size=(resamples, n))
    drawn += n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(float)


def evaluate(
    metrics: Mapping[str, Metric], counts: Array, clusters: Sequence[str], *, resamples: int = RESAMPLES
) -> tuple[dict[str, float], dict[str, float]]:
    """Values and bootstrap standard errors of all metrics over a table of counts (examples, columns).

    Nothing to find and nothing found is a value of 1; resamples of that kind say nothing about the error.
    """
    total = counts.sum(0)
    drawn = bootstrap(counts, clusters, resamples=resamples)
    values = {name: float(np.nan_to_num(metric(total), nan=1.0)) for name, metric in metrics.items()}
    errors = {name: _deviation(metric(drawn)) for name, metric in metrics.items()}
    return values, errors


def _deviation(values: Array) -> float:
    values = values[~np.isnan(values)]
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def official_form_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """CL4Health 2026: macro-F1 over the value strings of one patient's form, "unknown" being one of them.

    Equals `sklearn.metrics.f1_score(gold, predicted, average="macro")`, as in the shared task's scoring.py.
    """
    tp: dict[str, int] = dict.fromkeys((*gold, *predicted), 0)
    wrong = dict(tp)
    for g, p in zip(gold, predicted, strict=True):
        if g == p:
            tp[g] += 1
        else:
            wrong[g] += 1
            wrong[p] += 1
    return sum(2 * n / (2 * n + wrong[value]) for value, n in tp.items()) / len(tp) if tp else 1.0


def family_means(scores: Mapping[str, float], families: Mapping[str, str]) -> dict[str, float]:
    """The plain mean of the tasks of each family.

    Args:
        scores: by task.
        families: task -> family.
    """
    grouped: dict[str, list[float]] = {}
    for task, score in scores.items():
        grouped.setdefault(families[task], []).append(score)
    return {family: float(np.mean(values)) for family, values in grouped.items()}


def average(means: Mapping[str, float]) -> float:
    """AVG: the plain mean of the family means."""
    return float(np.mean(list(means.values())))
