"""Statistics of many systems: our shared resamples against naive peers, in one run.

    OMP_NUM_THREADS=1 python benchmarks/paired_statistics.py

Intervals: 1,000 bootstrap resamples of 200 systems × 20 tasks × 1,000 documents. The naive peer is what one writes
first: the same resamples, one at a time, as a numpy fancy index per system and task; it runs on a few systems of one
task and is scaled up. scipy.stats.bootstrap (vectorised, percentile) likewise. Scores must be equal on equal resamples.

Permutation: one pair of systems on 1,000 documents, 9,999 swaps; peer: scipy.stats.permutation_test, vectorised.
Then exact on 12 documents, where the two p-values must be equal. Best of three rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.stats

from ita_med.tasks.scoring import comparison, statistics
from ita_med.tasks.scoring.metrics import Array, bootstrap_weights

SYSTEMS, TASKS, DOCUMENTS, RESAMPLES, ROUNDS = 200, 20, 1_000, 1_000, 3
PEER_SYSTEMS = 2


def counts(rng: np.random.Generator, systems: int, documents: int) -> Array:
    """2 TP and 2 TP + FP + FN of documents with about ten mentions."""
    gold = rng.poisson(10, documents)
    tp = rng.binomial(gold, rng.beta(3, 2, (systems, documents)))
    surplus = rng.poisson(3, (systems, documents))
    return np.stack([2 * tp, tp + gold + surplus], axis=-1).astype(float)


def naive(table: Array, drawn: Array) -> Array:
    """Scores (resamples, systems), one resample of one system at a time; drawn: documents (resamples, documents)."""
    out = np.empty((len(drawn), len(table)))
    for k, system in enumerate(table):
        for n, rows in enumerate(drawn):
            sums = system[rows].sum(0)
            out[n, k] = sums[0] / sums[1]
    return out


def scipy_bootstrap(table: Array) -> None:
    for system in table:
        scipy.stats.bootstrap(
            (system[:, 0], system[:, 1]), lambda x, y, axis: x.sum(axis) / y.sum(axis), paired=True, vectorized=True,
            n_resamples=RESAMPLES, method="percentile",
        )  # fmt: skip


def scipy_permutation(a: Array, b: Array, resamples: int = statistics.PERMUTATIONS) -> float:
    both, n = np.concatenate([a, b]), len(a)

    def difference(x: Array, y: Array, axis: int = -1) -> Array:
        return statistics.ratio(both[x.astype(int)].sum(-2)) - statistics.ratio(both[y.astype(int)].sum(-2))

    found = scipy.stats.permutation_test(
        (np.arange(n), np.arange(n, 2 * n)), difference, permutation_type="samples", vectorized=True,
        n_resamples=resamples, batch=1_000,
    )  # fmt: skip
    return float(found.pvalue)


def best(run: Callable[[], Any]) -> tuple[float, Any]:
    times, result = [], None
    for _ in range(ROUNDS):
        started = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - started)
    return min(times), result


def main() -> None:
    rng = np.random.default_rng(0)
    tables = [
        comparison.TaskCounts(f"t{n}", tuple(f"t{n}/{i}" for i in range(DOCUMENTS)), counts(rng, SYSTEMS, DOCUMENTS))
        for n in range(TASKS)
    ]
    own, (scores, low_high) = best(
        lambda: (found := comparison.resampled(tables, RESAMPLES), statistics.interval(found.mean(0)))
    )
    by_task, _ = best(lambda: statistics.interval(scores.transpose(1, 0, 2)))
    assert low_high.shape == (2, SYSTEMS)
    few = tables[0].counts[:PEER_SYSTEMS]
    weights = bootstrap_weights(DOCUMENTS, RESAMPLES)
    drawn = np.array([np.repeat(np.arange(DOCUMENTS), row.astype(int)) for row in weights])
    peer, peer_scores = best(lambda: naive(few, drawn))
    assert np.abs(peer_scores - statistics.bootstrap_scores(few, weights)).max() < 1e-12
    other, _ = best(lambda: scipy_bootstrap(few))
    scale = SYSTEMS * TASKS / PEER_SYSTEMS
    print(f"intervals, {SYSTEMS} systems × {TASKS} tasks × {DOCUMENTS:,} documents × {RESAMPLES:,} resamples")
    print(
        f"ours {own:.2f} s (means of tasks), + {by_task:.2f} s for the intervals of every single task; "
        "target: 3 s or less"
    )
    total = own + by_task
    print(f"naive numpy {peer * scale:.0f} s, scipy.stats.bootstrap {other * scale:.0f} s (scaled up from 2 systems)")
    print(f"ratio naive / ours: {peer * scale / total:.0f}; scipy / ours: {other * scale / total:.0f}")

    a, b = counts(rng, 2, DOCUMENTS)
    own, p = best(lambda: statistics.paired_permutation(a, b))
    peer, peer_p = best(lambda: scipy_permutation(a, b))
    print(f"permutation test, 9,999 swaps of {DOCUMENTS:,} documents: ours {own:.3f} s (p = {p:.4f}), "
          f"scipy {peer:.2f} s (p = {peer_p:.4f})")  # fmt: skip
    print(f"ratio scipy / ours: {peer / own:.0f} (target: 20 or more)")
    assert abs(statistics.paired_permutation(a[:12], b[:12]) - scipy_permutation(a[:12], b[:12])) < 1e-12
    all_pairs = [(i, j) for j in range(10) for i in range(j)]
    ten = [comparison.TaskCounts(t.task, t.documents, t.counts[:10]) for t in tables]
    weights = np.full((1, len(all_pairs), TASKS), 1 / TASKS)
    started = time.perf_counter()
    comparison.permutation_tests(ten, all_pairs, weights)
    print(f"all 45 pairs of 10 systems, each task and the mean of {TASKS} tasks: {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
