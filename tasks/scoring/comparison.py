"""Several systems on several tasks: scores of means of tasks, with resamples that all systems and tasks share.

Tasks over the same documents (E3C's mentions, relations and forms) are resampled together: a document is drawn, or
swapped, in all of them or in none.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ita_med.tasks.scoring import statistics
from ita_med.tasks.scoring.metrics import RESAMPLES, SEED, Array, bootstrap_weights, cluster_sums


@dataclass(frozen=True)
class TaskCounts:
    """Counts of several systems on one task.

    Attributes:
        task: its id.
        documents: what the columns of counts stand for, named so that equal names mean equal documents in all tasks.
        counts: (systems, documents, 2), numerator and denominator of the score; 0 where a system did not run the task.
    """

    task: str
    documents: tuple[str, ...]
    counts: Array

    @property
    def seed(self) -> int:
        """Tasks over the same documents have the same; it does not depend on the other tasks."""
        return zlib.crc32("\n".join(self.documents).encode())

    @property
    def scores(self) -> Array:
        """The score of each system."""
        return statistics.ratio(self.counts.sum(1))


def task_counts(task: str, dataset: str, clusters: Sequence[str], systems: Sequence[Array | None]) -> TaskCounts:
    """Counts (examples, 2) of each system, None where it did not run the task, summed per document of the dataset."""
    documents = tuple(f"{dataset}/{name}" for name in np.unique(np.asarray(clusters)))
    empty = np.zeros((len(documents), 2))
    sums = [empty if counts is None else cluster_sums(counts, clusters) for counts in systems]
    return TaskCounts(task, documents, np.stack(sums))


def mean_weights(families: Mapping[str, str]) -> dict[str, float]:
    """The weight of each task in the mean of family means (AVG, where all families are there).

    Args:
        families: task -> family.
    """
    sizes: dict[str, int] = {}
    for family in families.values():
        sizes[family] = sizes.get(family, 0) + 1
    return {task: 1 / (len(sizes) * sizes[family]) for task, family in families.items()}


def resampled(tables: Sequence[TaskCounts], resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """Bootstrap scores (tasks, resamples, systems)."""
    return np.stack(
        [
            statistics.bootstrap_scores(t.counts, bootstrap_weights(len(t.documents), resamples, (seed, t.seed)))
            for t in tables
        ]
    )


def permutation_tests(
    tables: Sequence[TaskCounts],
    pairs: Sequence[tuple[int, int]],
    weights: Array,
    resamples: int = statistics.PERMUTATIONS,
    seed: int = SEED,
) -> tuple[Array, Array]:
    """Paired permutation tests over documents. A single task is tested exactly where its documents are few enough.

    Args:
        tables: one per task.
        pairs: numbers of two systems each.
        weights: (sums, pairs, tasks), of the sums of tasks' scores that are tested too.
        resamples: drawn permutations, where not all are taken.
        seed: of the draw.

    Returns:
        Two-sided p-values of each task (tasks, pairs), and of the weighted sums (sums, pairs).
    """
    groups = list({t.documents: t for t in tables}.values())
    place = {t.documents: n for n, t in enumerate(groups)}
    drawn = statistics.swaps([len(t.documents) for t in groups], resamples, [(seed, t.seed) for t in groups])
    observed = np.zeros(weights.shape[:2])
    permuted = np.zeros((drawn.resamples, *weights.shape[:2]))
    by_task = np.ones((len(tables), len(pairs)))
    first, second = [i for i, _ in pairs], [j for _, j in pairs]
    for n, table in enumerate(tables):
        differences = statistics.permuted_differences(table.counts, pairs, drawn, place[table.documents])
        actual = table.scores[first] - table.scores[second]
        for k, weight in enumerate(weights[:, :, n]):
            if weight.any():
                observed[k] += weight * actual
                permuted[:, k] += weight * differences
        alone, exact = differences, drawn.exact
        if len(tables) > 1 and 2 ** len(table.documents) <= statistics.EXACT:
            own = statistics.swaps([len(table.documents)])
            alone, exact = statistics.permuted_differences(table.counts, pairs, own), True
        by_task[n] = statistics.permutation_p(alone, actual, exact)
    return by_task, statistics.permutation_p(permuted, observed, drawn.exact)
