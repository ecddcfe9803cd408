"""When two texts are the same: one rule for leak reports, the leak filter of training and decontamination of corpora.

A text is its words in their order. Words are runs of letters and runs of digits, read without regard to

- case ("DISPNEA", "dispnea") and compatibility forms ("ﬁbrosi", "fibrosi"; "m²", "m2"), as in Unicode's NFKD;
- diacritics: Italian accents depend on the keyboard and the encoding, not on the word ("perché", "perchè", "perche'";
  notes in capitals write "E'" for "È"), and no two sentences of thirteen words differ by them alone;
- punctuation, white space and invisible characters (soft hyphens of a PDF): "5mg", "5 mg" and "5-mg" are the same.

Digits stay as they are. Datasets of clinical texts are full of sentences that differ in a dose, a value or a date and
in nothing else ("ramipril 5 mg", "ramipril 50 mg"): these are two texts, and a report of leaks must not call them one.
Decontamination loses little by it, although it should rather catch too much: a copy with other numbers still shares
every run of thirteen words between two of them. (datatrove reads all numbers as 0. Its rule is kept where it serves
another purpose, the de-duplication of `corpus_pipeline.minhash`: there, two leaflets of which only the dose differs
teach a model the same twice.)

Texts that are not wholly the same are compared by sequences of 13 words. Source of the 13: Brown et al. 2020 (GPT-3),
appendix C, who also leave out sequences that more than 10 documents hold (`MAX_DOCUMENTS`): set phrases, not leaks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from ita_med.schema import ChoiceExample, Example

SEQUENCE = 13
"""Words of the sequences by which texts are compared."""
CONTAINED = 0.5
"""Share of a text's sequences from which on it counts as contained in other texts."""
MAX_DOCUMENTS = 10
"""A sequence that more documents hold is a set phrase."""

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

# ----- words ---------------------------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W\d_]+|\d+")
_IGNORED = ("Mn", "Cf")
"""Unicode categories: diacritics, and format characters (soft hyphens, zero-width spaces, byte order marks)."""


def words(text: str) -> list[str]:
    """The words of a text, by the rule at the top of this module."""
    if not text.isascii():
        letters = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in letters if unicodedata.category(letter) not in _IGNORED)
    return _WORD.findall(text.casefold())


class _RunHashes(dict[str, bytes]):
    """Run of characters without white space -> the hashes of its words, 8 bytes each.

    Runs repeat: looking them up is faster than cutting every text anew. Emptied when full, which bounds its memory at
    about 50 MB.
    """

    MAX_RUNS, MAX_LENGTH = 300_000, 100

    def __missing__(self, run: str) -> bytes:
        if len(self) >= self.MAX_RUNS:
            self.clear()
        hashes = b"".join(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest() for word in words(run))
        if len(run) <= self.MAX_LENGTH:
            self[run] = hashes
        return hashes


_RUN_HASHES = _RunHashes()


def word_hashes(text: str) -> Hashes:
    """One hash per word of a text, in order; the same in every process."""
    return np.frombuffer(b"".join(map(_RUN_HASHES.__getitem__, text.split())), np.uint64)


# ----- texts of examples ---------------------------------------------------------------------------------------------


def text_of(example: Example) -> str:
    """What is compared of an example: its text; of a question the context, the stem and the options in any order."""
    if isinstance(example, ChoiceExample):
        return "\n".join([example.context, example.question, *sorted(example.options)])
    return example.text


def document_of(example: Example) -> str:
    """The id under which an example is compared: its document, or itself where upstream gives none."""
    return example.doc_id or example.id


def documents(examples: Iterable[Example]) -> dict[str, str]:
    """Document id -> text, in order of appearance; the examples of one document are joined in their order."""
    parts: dict[str, list[str]] = {}
    for example in examples:
        parts.setdefault(document_of(example), []).append(text_of(example))
    return {name: "\n".join(texts) for name, texts in parts.items()}


# ----- hashed texts --------------------------------------------------------------------------------------------------

_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class HashedTexts:
    """Texts as hashed words: text i, with the id ids[i], is words[starts[i]:starts[i + 1]]."""

    ids: list[str]
    words: Hashes
    starts: Indices

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Indices:
        """How many words each text has."""
        return np.diff(self.starts)


def hashed(texts: dict[str, str], min_words: int = 0) -> HashedTexts:
    """The texts by id as hashed words, without those that have fewer than `min_words`."""
    every = {key: word_hashes(text) for key, text in texts.items()}
    kept = {key: hashes for key, hashes in every.items() if len(hashes) >= min_words}
    starts = np.cumsum([0, *map(len, kept.values())])
    return HashedTexts(list(kept), np.concatenate([np.empty(0, np.uint64), *kept.values()]), starts)


def text_hashes(texts: HashedTexts) -> Hashes:
    """One hash per text, over its words and their order; 0 for a text without words."""
    place = np.arange(len(texts.words), dtype=np.uint64) - np.repeat(texts.starts[:-1].astype(np.uint64), texts.lengths)
    values = texts.words * (place * _FACTOR + np.uint64(1))
    values = (values ^ (values >> np.uint64(31))) * _FACTOR
    values ^= values >> np.uint64(29)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
    return sums[texts.starts[1:]] - sums[texts.starts[:-1]]


def sequences_of(words: Hashes, n: int) -> Hashes:
    """One hash per n consecutive words of one text; a shorter text is one sequence, an empty one none."""
    return _rolling(words, min(n, len(words)))


def _rolling(words: Hashes, n: int) -> Hashes:
    """A polynomial of n consecutive word hashes modulo 2 ** 64, for every place that has n words."""
    size = len(words) - n + 1 if n else 0
    out = np.zeros(size, np.uint64)
    for k in range(n):
        out *= _FACTOR
        out += words[k : k + size]
    return out


def sequences(texts: HashedTexts, n: int, first: int = 0, last: int | None = None) -> tuple[Hashes, Indices]:
    """The distinct n-word sequences of each text from `first` to `last` as hashes, and the texts' indices.

    Sorted by text and hash. A text of fewer than n words is one sequence.
    """
    starts = texts.starts[first : (len(texts) if last is None else last) + 1]
    words, lengths = texts.words[starts[0] : starts[-1]], np.diff(starts)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(words)) - np.repeat(starts[:-1] - starts[0], lengths)
    whole = np.flatnonzero(place + n <= lengths[owner])
    hashes, owner = _rolling(words, n)[whole] if len(whole) else np.empty(0, np.uint64), owner[whole]
    short = np.flatnonzero((lengths < n) & (lengths > 0))
    if len(short):
        alone = [sequences_of(words[starts[i] - starts[0] : starts[i + 1] - starts[0]], n) for i in short]
        hashes, owner = np.concatenate([hashes, *alone]), np.concatenate([owner, short])
    order = np.lexsort((hashes, owner))
    hashes, owner = hashes[order], owner[order]
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owner[1:] != owner[:-1])
    return hashes[new], owner[new] + first


# ----- index ---------------------------------------------------------------------------------------------------------


@dataclass
class SequenceIndex:
    """Which texts hold which sequence.

    Attributes:
        hashes: The distinct sequences, sorted.
        starts: owners[starts[i]:starts[i + 1]] are the texts that hold sequence i; one longer than `hashes`.
        owners: Numbers of texts.
        sizes: How many distinct sequences each text has.
    """

    hashes: Hashes
    starts: Indices
    owners: Indices
    sizes: Indices

    def __post_init__(self) -> None:
        # One bit per 24-bit prefix: nearly all sequences of a corpus stop at this small table.
        self._prefixes = np.zeros(2**24, bool)
        self._prefixes[self.hashes >> np.uint64(40)] = True

    @classmethod
    def of(cls, groups: list[HashedTexts], n: int) -> SequenceIndex:
        """The index of several groups of texts, which are numbered one group after the other."""
        offsets = np.cumsum([0, *map(len, groups)])
        parts = [sequences(group, n) for group in groups]
        hashes = np.concatenate([np.empty(0, np.uint64), *(part[0] for part in parts)])
        owners = np.concatenate(
            [np.empty(0, np.int64), *(part[1] + o for part, o in zip(parts, offsets, strict=False))]
        )
        order = np.argsort(hashes, kind="stable")
        distinct, starts = np.unique(hashes[order], return_index=True)
        sizes = np.bincount(owners, minlength=int(offsets[-1]))
        return cls(distinct, np.append(starts, len(hashes)), owners[order], sizes)

    def find(self, hashes: Hashes) -> Indices:
        """For each hash its place among the distinct sequences, or -1."""
        places = np.full(len(hashes), -1)
        likely = np.flatnonzero(self._prefixes[hashes >> np.uint64(40)])
        near = np.minimum(np.searchsorted(self.hashes, hashes[likely]), len(self.hashes) - 1)
        places[likely] = np.where(self.hashes[near] == hashes[likely], near, -1)
        return places

    def held(self, hashes: Hashes) -> list[int]:
        """The places of those of the hashes that are there, each once, in order."""
        places = self.find(hashes)
        return np.unique(places[places >= 0]).tolist()

    def owners_of(self, place: int) -> Indices:
        """The texts that hold the sequence at a place."""
        return self.owners[self.starts[place] : self.starts[place + 1]]
