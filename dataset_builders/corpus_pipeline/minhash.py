"""MinHash signatures, bit for bit those of datatrove, and one 64-bit key per band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ita_med.dataset_builders.corpus_pipeline.corpus_recipe import MinHashSettings
from ita_med.dataset_builders.same_text import Hashes

MERSENNE = np.uint64((1 << 61) - 1)
_SHIFT = np.uint64(61)
_ROWS = 128
"""Shingles at a time: the table of 128 x 112 numbers stays in the processor's cache."""


class Signer:
    """The permutations of a recipe and the buffers to apply them."""

    def __init__(self, settings: MinHashSettings) -> None:
        self.bands, self.rows = settings.bands, settings.rows
        random = np.random.RandomState(settings.seed)
        size = (1, self.bands * self.rows)
        self._a = random.randint(1, int(MERSENNE), dtype=np.uint64, size=size)
        self._b = random.randint(0, int(MERSENNE), dtype=np.uint64, size=size)
        self._x = np.empty((_ROWS, size[1]), np.uint64)
        self._y = np.empty_like(self._x)

    def signature(self, shingles: Hashes) -> Hashes:
        """The minimum over the shingles of (a * shingle + b) mod 2 ** 61 - 1 for each of bands * rows permutations."""
        out = np.full(self._a.shape[1], MERSENNE)
        for start in range(0, len(shingles), _ROWS):
            some = shingles[start : start + _ROWS, None]
            x, y = self._x[: len(some)], self._y[: len(some)]
            np.multiply(some, self._a, out=x)
            x += self._b
            # x mod (2 ** 61 - 1) without a division: fold the high bits, then subtract once where it fits
            np.right_shift(x, _SHIFT, out=y)
            x &= MERSENNE
            x += y
            np.subtract(x, MERSENNE, out=y)
            np.minimum(x, y, out=x)
            np.minimum(out, x.min(axis=0), out=out)
        return out

    def keys(self, shingles: Hashes) -> Hashes:
        """One number per band: equal where all rows of the band are."""
        import xxhash

        raw = memoryview(self.signature(shingles).tobytes())
        width = 8 * self.rows
        starts = range(0, width * self.bands, width)
        return np.fromiter((xxhash.xxh3_64_intdigest(raw[s : s + width]) for s in starts), np.uint64, self.bands)


class Clusters:
    """Sets of documents that are near-duplicates of each other, in a file of 8 bytes per document.

    The root of a set is its first document.
    """

    def __init__(self, parents: NDArray[np.int64]) -> None:
        self.parents = parents

    def roots(self, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first document of each document's set."""
        roots = self.parents[documents]
        while True:
            above = self.parents[roots]
            if np.array_equal(above, roots):
                return roots
            roots = above

    def join(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
        """Unite the sets of first[i] and second[i], for every i."""
        while True:
            a, b = self.roots(first), self.roots(second)
            apart = a != b
            if not apart.any():
                return
            low, high = np.minimum(a, b)[apart], np.maximum(a, b)[apart]
            # each root gets at most one new parent at a time; what is left over joins in the next round
            np.minimum.at(self.parents, high, low)
            first, second = first[apart], second[apart]
            self.parents[second] = self.roots(second)
