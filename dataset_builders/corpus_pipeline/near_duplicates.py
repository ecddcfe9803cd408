"""Near-duplicates: documents that share a band key of their MinHash signatures, and what they are connected to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ita_med.dataset_builders.corpus_pipeline import sorted_runs
from ita_med.dataset_builders.corpus_pipeline.minhash import Clusters
from ita_med.dataset_builders.same_text import Hashes


def save(folder: Path, task: int, documents: list[int], keys: list[Hashes], bands: int) -> None:
    """The band keys of a task's documents, each band sorted: arrays (bands, documents)."""
    table = np.array(keys, np.uint64).reshape(-1, bands).T
    order = np.argsort(table, axis=1, kind="stable")
    sorted_runs.save(folder / f"{task:05}-keys.npy", np.take_along_axis(table, order, axis=1))
    sorted_runs.save(folder / f"{task:05}-documents.npy", np.array(documents, np.uint32)[order].reshape(bands, -1))


def find(folder: Path, sizes: list[int], bands: int, out: list[Path]) -> None:
    """Find the clusters, and write for every task which documents are not the first of theirs (sorted numbers).

    Args:
        folder: Where `save` wrote.
        sizes: How many documents each task has.
        bands: Of the signatures.
        out: One file per task, to be written.
    """
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    # on disk, so that the system can take the memory back: 8 bytes per document
    parents = np.lib.format.open_memmap(folder / "parents.npy", "w+", np.int64, (int(first[-1]),))
    parents[:] = np.arange(len(parents))
    clusters = Clusters(parents)
    for band in range(bands):
        keys = [sorted_runs.load(folder / f"{t:05}-keys.npy")[band] for t in range(len(sizes))]
        documents = [sorted_runs.load(folder / f"{t:05}-documents.npy")[band] for t in range(len(sizes))]
        for slices in sorted_runs.merge(keys):
            key = np.concatenate([k[s] for k, s in zip(keys, slices, strict=True)])
            number = np.concatenate(
                [d[s].astype(np.int64) + start for d, s, start in zip(documents, slices, first, strict=False)]
            )
            _join_equal(clusters, key, number)
    for t, path in enumerate(out):
        here = np.arange(first[t], first[t + 1])
        sorted_runs.save(path, np.flatnonzero(clusters.roots(here) != here).astype(np.uint32))
    del clusters, parents
    (folder / "parents.npy").unlink()


def _join_equal(clusters: Clusters, key: NDArray[np.generic], number: NDArray[np.int64]) -> None:
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    clusters.join(number[order][:-1][same], number[order][1:][same])
