"""Records sorted by a uniformly distributed 64-bit key, one file per task, merged range by range.

Memory is that of one range, whatever the size of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RANGE = 1_000_000
"""Records that are in memory at a time, about."""


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array as a .npy file that `load` maps into memory; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def load(path: Path) -> NDArray[Any]:
    """Mapped, not read; an empty array cannot be mapped."""
    try:
        return np.load(path, mmap_mode="r")
    except ValueError:
        return np.load(path)


def merge(keys: list[NDArray[np.uint64]]) -> Iterator[list[slice]]:
    """For each range of keys, the slice of every sorted array that lies in it; together they hold `RANGE`, about."""
    ranges = max(1, -(-sum(map(len, keys)) // RANGE))
    edges = [np.uint64(n * 2**64 // ranges) for n in range(1, ranges)]
    cuts = [np.concatenate([[0], np.searchsorted(k, np.array(edges, np.uint64)), [len(k)]]) for k in keys]
    for n in range(ranges):
        yield [slice(int(cut[n]), int(cut[n + 1])) for cut in cuts]
