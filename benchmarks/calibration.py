"""How often the tests call systems different that are not: simulated systems, their counts clustered by document.

    python benchmarks/calibration.py [REPLICATIONS]      # default 4,000; all pairs of ten systems: a quarter of it

Kinds of systems without a true difference, at the sizes of the real tasks:

mentions   50 documents of about 10 mentions (negative binomial), hard and easy documents, each system better on some
           documents and worse on others; micro-F1; systems are exchangeable
mirrored   the same with one system of high recall and low precision against one of the reverse: equal F1, but not
           exchangeable
sparse     the same where next to nothing is found: a timid system against one with many wrong answers, equal F1
questions  1,000 questions of differing difficulty; accuracy
forms      50 forms, each with its own score between 0 and 1; mean of document scores

Two-sided tests at 5 %; "star" is what the report marks: the permutation test rejects, and the bootstrap interval of the
difference excludes 0; "coverage" is how often one system's 95 % interval holds its true score.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from ita_med.tasks.scoring import comparison, statistics
from ita_med.tasks.scoring.metrics import Array, bootstrap_weights

ALPHA = 0.05
Simulation = Callable[[np.random.Generator, int, int], Array]
"""Counts (systems, documents, 2) of systems with equal true scores."""


def mentions(rng: np.random.Generator, systems: int = 2, documents: int = 50) -> Array:
    gold = rng.poisson(rng.gamma(3, 10 / 3, documents))
    hard = rng.normal(0, 0.8, documents)
    own = rng.normal(0, 0.5, (systems, documents))
    tp = rng.binomial(gold, 1 / (1 + np.exp(-(0.8 + hard + own))))
    surplus = rng.poisson(0.45 * gold * np.exp(rng.normal(0, 0.5, (systems, documents)) - 0.125))
    return np.stack([2 * tp, tp + gold + surplus], axis=-1).astype(float)


def mirrored(rng: np.random.Generator, systems: int = 2, documents: int = 50) -> Array:
    return unlike(rng, documents, (0.75, 0.75 * 0.45 / 0.55), (0.55, 0.55 * 0.25 / 0.75))


def sparse(rng: np.random.Generator, systems: int = 2, documents: int = 50) -> Array:
    """F1 = 2 · recall / (1 + recall + wrong answers per mention) is 0.04 for both."""
    return unlike(rng, documents, (0.04 / 1.96, 0.0), (0.04 * 1.6 / 1.96, 0.6))


def unlike(rng: np.random.Generator, documents: int, *systems: tuple[float, float]) -> Array:
    """Systems with their own recall and number of wrong answers per gold mention."""
    gold = rng.poisson(rng.gamma(3, 10 / 3, documents))
    out = []
    for recall, wrong in systems:
        tp = rng.binomial(gold, recall)
        surplus = rng.poisson(gold * wrong)
        out.append(np.stack([2 * tp, tp + gold + surplus], axis=-1))
    return np.stack(out).astype(float)


def questions(rng: np.random.Generator, systems: int = 2, documents: int = 1_000) -> Array:
    right = rng.random((systems, documents)) < 1 / (1 + np.exp(-rng.normal(0, 1.5, documents)))
    return np.stack([right, np.ones_like(right)], axis=-1).astype(float)


def forms(rng: np.random.Generator, systems: int = 2, documents: int = 50) -> Array:
    level = rng.beta(4, 2, documents)
    score = rng.beta(8 * level, 8 * (1 - level), (systems, documents))
    return np.stack([score, np.ones_like(score)], axis=-1)


SIMULATIONS: dict[str, tuple[Simulation, int]] = {
    "mentions": (mentions, 50),
    "mirrored": (mirrored, 50),
    "sparse": (sparse, 50),
    "questions": (questions, 1_000),
    "forms": (forms, 50),
}


def errors(simulate: Simulation, documents: int, replications: int, *, permutations: int, resamples: int) -> Array:
    """(permutation, bootstrap, star): how often two systems without a difference are called different at 5 %."""
    called = np.zeros(3)
    for seed in range(replications):
        a, b = simulate(np.random.default_rng((1, seed)), 2, documents)
        p = statistics.paired_permutation(a, b, resamples=permutations, seed=seed)
        drawn = statistics.paired_bootstrap(a, b, resamples=resamples, seed=seed)
        called += [p < ALPHA, drawn.p < ALPHA, bool(statistics.stars(p, drawn.low, drawn.high))]
    return called / replications


def coverage(simulate: Simulation, documents: int, replications: int) -> float:
    """How often the 95 % interval of a system holds its score on very many documents."""
    true = statistics.ratio(simulate(np.random.default_rng((2, 0)), 2, 400_000).sum(1))[0]
    held = 0
    for seed in range(replications):
        counts = simulate(np.random.default_rng((1, seed)), 2, documents)[:1]
        low, high = statistics.interval(statistics.bootstrap_scores(counts, bootstrap_weights(documents, 1_000, seed)))
        held += bool(low[0] <= true <= high[0])
    return held / replications


def family_wise(simulate: Simulation, documents: int, replications: int, *, systems: int, resamples: int) -> Array:
    """(permutation, permutation without Holm, bootstrap): how often any of all pairs has a corrected p < 5 %."""
    pairs = [(i, j) for j in range(systems) for i in range(j)]
    first, second = np.array(pairs).T
    called = np.zeros(3)
    for seed in range(replications):
        counts = simulate(np.random.default_rng((1, seed)), systems, documents)
        table = comparison.TaskCounts("t", tuple(str(n) for n in range(documents)), counts)
        _, [p] = comparison.permutation_tests([table], pairs, np.ones((1, len(pairs), 1)), resamples, seed)
        [scores] = comparison.resampled([table], resamples, seed)
        drawn = statistics.bootstrap_p(scores[:, first] - scores[:, second])
        called += [statistics.holm(p).min() < ALPHA, p.min() < ALPHA, statistics.holm(drawn).min() < ALPHA]
    return called / replications


def percent(share: float, replications: int) -> str:
    return f"{100 * share:.1f} ± {100 * (share * (1 - share) / replications) ** 0.5:.1f}"


def main() -> None:
    replications = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    print(
        f"called different at 5 %, of {replications:,} pairs without a difference (%, ± standard error; target: 4 to 6)"
    )
    print("systems     permutation  bootstrap    star         coverage of one system's 95 % interval")
    for name, (simulate, documents) in SIMULATIONS.items():
        found = errors(simulate, documents, replications, permutations=2_999, resamples=1_000)
        held = coverage(simulate, documents, replications)
        cells = [f"{percent(share, replications):<12}" for share in found]
        print(f"{name:<11} {' '.join(cells)} {percent(held, replications)}", flush=True)
    replications //= 4
    print(f"any of the 45 pairs of ten systems called different, {replications:,} replications, 9,999 resamples")
    print("(target: 5 or less with Holm)")
    print("systems     permutation, Holm   permutation, uncorrected   bootstrap, Holm")
    for name, (simulate, documents) in SIMULATIONS.items():
        if simulate in (mirrored, sparse):
            continue
        found = family_wise(simulate, documents, replications, systems=10, resamples=9_999)
        cells = [percent(share, replications) for share in found]
        print(f"{name:<11} {cells[0]:<19} {cells[1]:<26} {cells[2]}", flush=True)


if __name__ == "__main__":
    main()
