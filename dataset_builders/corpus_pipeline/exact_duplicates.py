"""Exact duplicates at four levels: byte for byte, stripped, white space folded, and equal after normalisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ita_med.dataset_builders.corpus_pipeline import sorted_runs

REASONS = ("", "byte_exact", "stripped", "white_space_folded", "normalised")
"""Why a document is removed, from the strictest level at which it equals an earlier one; "" for those that stay."""

RECORD = np.dtype(
    [("key", "<u8"), ("key2", "<u8"), ("raw", "<u8"), ("stripped", "<u8"), ("folded", "<u8"), ("n", "<u4")]
)


def record(n: int, raw: str, text: str) -> tuple[int, ...]:
    """Hashes of the n-th document of a task: 128 bits of its normalised text, folded; 64 of each stricter form."""
    from xxhash import xxh3_64_intdigest, xxh3_128_intdigest

    folded = " ".join(raw.split())
    key = xxh3_128_intdigest(folded if raw is text else " ".join(text.split()))
    stripped = raw.strip()
    forms = (raw, stripped, folded)
    return (key >> 64, key & (2**64 - 1), *map(xxh3_64_intdigest, forms), n)


def save(path: Path, records: list[tuple[int, ...]]) -> None:
    """Write the records of a task, sorted for `find`."""
    table = np.array(records, RECORD)
    table.sort(order=("key", "key2", "n"))
    sorted_runs.save(path, table)


def find(runs: list[Path], out: list[Path]) -> None:
    """For every task, write the removed documents as sorted (n, level) rows; the first of equal documents stays."""
    tables = [sorted_runs.load(path) for path in runs]
    found: list[list[NDArray[np.uint32]]] = [[] for _ in runs]
    for slices in sorted_runs.merge([table["key"] for table in tables]):
        some = np.concatenate([table[s] for table, s in zip(tables, slices, strict=True)])
        task = np.repeat(np.arange(len(tables)), [s.stop - s.start for s in slices])
        levels = _levels(some, task)
        for t in np.unique(task[levels > 0]):
            here = (task == t) & (levels > 0)
            found[t].append(np.stack([some["n"][here], levels[here].astype(np.uint32)], axis=1))
    for path, rows in zip(out, found, strict=True):
        table = np.concatenate(rows) if rows else np.empty((0, 2), np.uint32)
        sorted_runs.save(path, table[np.argsort(table[:, 0])])


def _levels(some: NDArray[np.void], task: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every record the strictest level at which it repeats an earlier one, 0 for none."""
    levels = np.zeros(len(some), np.int64)
    order = np.lexsort((some["n"], task, some["key2"], some["key"]))
    same = _repeats(some["key"][order]) & _repeats(some["key2"][order])
    levels[order[same]] = 4
    group = np.cumsum(~same)
    for level, form in ((3, "folded"), (2, "stripped"), (1, "raw")):
        inner = np.lexsort((np.arange(len(order)), some[form][order], group))
        repeats = _repeats(group[inner]) & _repeats(some[form][order][inner])
        levels[order[inner[repeats]]] = level
    return levels


def _repeats(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    out = np.zeros(len(values), bool)
    out[1:] = values[1:] == values[:-1]
    return out
