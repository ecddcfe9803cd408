"""Words and hashed word n-grams for MinHash, fast: the numbers of datatrove, without its tokenizer.

De-duplication has words of its own, for another purpose: its signatures are bit for bit those of datatrove, and a copy
of a text with other numbers is a near-duplicate. What is the same text where evaluation is concerned stands in
`ita_med.dataset_builders.same_text`.

datatrove simplifies a text (lower case, numbers to 0, no punctuation, no diacritics) and lets spaCy cut it into words,
which takes 86 % of its time. Both look at one run of non-space characters at a time, and such runs repeat: they are
simplified once, by datatrove's own function, and kept in a table. Of a simplified run spaCy cuts hardly anything off: a
unit behind a number ("0mg") and signs such as "®". The expression below does the same: of the 62,883 different words
of E3C layer 3, MED-ITA, AbstRCT and CasiMedicos, six are cut otherwise ("n°0").
"""

from __future__ import annotations

import re
from functools import cache
from itertools import accumulate, chain

import numpy as np

from ita_med.dataset_builders.same_text import Hashes

MAX_TABLE = 300_000
"""Entries after which a table is emptied: memory stays below 50 MB whatever the corpus."""

_CUTS = re.compile(
    r"([®©™§£€$♀♂]|^[·‘‚°]|[·‘‚]$|(?<=[a-z])°$)|(?<=\d°)(?=[a-z])|(?<=\d)(?=(?:km|dm|cm|mm|µm|nm|m|ha|yd|in|ft|kg|mg|µg|g|t|lb|oz|mph|hpa|pa|mbar|mb|kb|gb|tb)[²³]?$)"
)


class WordTable(dict[str, tuple[bytes, ...]]):
    """Run of non-space characters -> its words, simplified, as UTF-8."""

    def __missing__(self, run: str) -> tuple[bytes, ...]:
        from datatrove.utils.text import simplify_text

        if len(self) > MAX_TABLE:
            self.clear()
        simple = simplify_text(run)
        words = tuple(word.encode() for part in simple.split() for word in _CUTS.split(part) if word)
        if len(run) <= 100:
            self[run] = words
        return words

    def of(self, text: str) -> list[bytes]:
        """The words of a text in order."""
        return list(chain.from_iterable(map(self.__getitem__, text.split())))


@cache
def word_table() -> WordTable:
    """The table of this process, which all its tasks share."""
    return WordTable()


def shingles(words: list[bytes], n: int) -> Hashes:
    """xxh64 of every n consecutive words joined by a space, as datatrove makes them; empty for fewer words."""
    import xxhash

    if len(words) < n:
        return np.empty(0, np.uint64)
    digest = xxhash.xxh64_intdigest
    joined = memoryview(b" ".join(words))
    ends = list(accumulate(map(len, words), lambda end, size: end + size + 1))
    starts = [0, *(end + 1 for end in ends)]
    return np.fromiter(
        (digest(joined[s:e]) for s, e in zip(starts, ends[n - 1 :], strict=False)), np.uint64, len(words) - n + 1
    )
