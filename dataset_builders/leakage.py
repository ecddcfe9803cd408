"""Which evaluation texts lie in training splits, over all datasets whose files are there.

Texts are compared as documents (examples with one document id are joined in order) or, where upstream gives no
document, as examples; a question is its context, stem and options, whatever their order. Words are compared by the
rule of `ita_med.dataset_builders.same_text`: without regard to case, diacritics and punctuation; digits stay as they
are, so that two doses are two texts. An evaluation text counts once for a training split, as the first of

- exact: the same words in the same order;
- near: Jaccard >= 0.8 of 5-word shingles with one training text (computed; MinHash would only estimate it);
- contained: at least half of its 13-word sequences lie in the training split.

`touched` counts these and all others that share one 13-word sequence or more. Texts of fewer than 8 words are left
out: headings repeat everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ita_med import catalogue, sources
from ita_med.dataset_builders import build
from ita_med.dataset_builders.same_text import (
    CONTAINED,
    SEQUENCE,
    HashedTexts,
    Indices,
    SequenceIndex,
    documents,
    hashed,
    sequences,
    text_hashes,
)
from ita_med.errors import SourceError
from ita_med.schema import Example, TextExample

if TYPE_CHECKING:
    from collections.abc import Callable

SHINGLE, NEAR = 5, 0.8
MIN_WORDS = 8
CHUNK = 2_000_000
"""Words of training text that are looked at in one go."""
PORTION = 10_000_000
"""Shared shingles that are counted in one go."""


@dataclass
class SplitTexts:
    """The distinct texts of one split.

    Attributes:
        dataset: Its id.
        views: The configs that show these same texts.
        split: "train", "validation" or "test".
        corpus: Whether this is raw text (schema `text`), against which labelled training texts are checked too.
        texts: Those of `MIN_WORDS` or more.
        left_out: How many are shorter.
    """

    dataset: str
    views: list[str]
    split: str
    corpus: bool
    texts: HashedTexts
    left_out: int

    @property
    def name(self) -> str:
        """DATASET/CONFIG/SPLIT, with the number of further views of the same texts."""
        more = f" (+{len(self.views) - 1})" if len(self.views) > 1 else ""
        return f"{self.dataset}/{self.views[0]}{more}/{self.split}"


@dataclass(frozen=True)
class Overlap:
    """How many texts of an evaluation split lie in a training split; `ids` are those of exact, near and contained."""

    train: str
    evaluation: str
    texts: int
    exact: int
    near: int
    contained: int
    touched: int
    ids: list[str]

    @property
    def affected(self) -> int:
        """Evaluation texts that count as leaked."""
        return self.exact + self.near + self.contained


# ----- texts ---------------------------------------------------------------------------------------------------------


def collect(names: list[str], mirror: str | None, tell: Callable[[str], object]) -> tuple[list[SplitTexts], list[str]]:
    """The texts of all splits of the datasets whose files are there, and the names of the others."""
    splits, absent = [], []
    for name in names:
        try:
            files = build.open_files(name, mirror, download=False)
        except SourceError:
            absent.append(name)
            continue
        tell(name)
        own: dict[tuple[str, bytes], SplitTexts] = {}
        for config, split, examples in build.examples(name, files=files):
            found = split_texts(name, config, split, examples)
            same = own.setdefault((split, np.sort(text_hashes(found.texts)).tobytes()), found)
            same.views += [config] if config not in same.views else []
        splits += [found for found in own.values() if len(found.texts)]
    return splits, absent


def split_texts(dataset: str, config: str, split: str, examples: list[Example]) -> SplitTexts:
    """The examples of one split as hashed documents, each text once."""
    every = documents(examples)
    first = {text: name for name, text in reversed(every.items())}
    distinct = {name: text for name, text in every.items() if first[text] == name}
    found = hashed(distinct, MIN_WORDS)
    corpus = isinstance(examples[0], TextExample)
    return SplitTexts(dataset, [config], split, corpus, found, left_out=len(distinct) - len(found))


# ----- comparison ----------------------------------------------------------------------------------------------------


def _chunks(texts: HashedTexts) -> Iterator[tuple[int, int]]:
    """Ranges [first, last) of texts with about `CHUNK` words each, or of one longer text."""
    first = 0
    while first < len(texts):
        last = int(np.searchsorted(texts.starts, texts.starts[first] + CHUNK, side="right")) - 1
        last = min(max(last, first + 1), len(texts))
        yield first, last
        first = last


def contained(train: HashedTexts, index: SequenceIndex) -> NDArray[np.float64]:
    """For each evaluation text the share of its sequences that the training split holds."""
    held = np.zeros(len(index.hashes), bool)
    for first, last in _chunks(train):
        places = index.find(sequences(train, SEQUENCE, first, last)[0])
        held[places[places >= 0]] = True
    hits = np.bincount(index.owners[np.repeat(held, np.diff(index.starts))], minlength=len(index.sizes))
    return np.divide(hits, index.sizes, out=np.zeros(len(hits)), where=index.sizes > 0)


def nearest(train: HashedTexts, index: SequenceIndex) -> NDArray[np.float64]:
    """For each evaluation text its highest Jaccard similarity with one training text."""
    best = np.zeros(len(index.sizes))
    for first, last in _chunks(train):
        hashes, owner = sequences(train, SHINGLE, first, last)
        sizes = np.bincount(owner - first, minlength=last - first)
        places = index.find(hashes)
        shared = places >= 0
        for text, other, common in _common(places[shared], owner[shared] - first, index, last - first):
            jaccard = common / (index.sizes[text] + sizes[other] - common)
            np.maximum.at(best, text, jaccard)
    return best


def _common(
    places: Indices, owner: Indices, index: SequenceIndex, width: int
) -> Iterator[tuple[Indices, Indices, Indices]]:
    """(evaluation text, training text, number of shared shingles) for all pairs that share one, in portions."""
    if not len(places):
        return
    counts = index.starts[places + 1] - index.starts[places]
    total = np.cumsum(counts)
    cuts = np.searchsorted(total, np.arange(PORTION, total[-1] + PORTION, PORTION))
    # Pairs of one training text are counted together: a portion ends where a text does.
    cuts = np.unique(np.searchsorted(owner, owner[np.minimum(cuts, len(owner) - 1)], side="right"))
    start = 0
    for end in map(int, cuts):
        n = counts[start:end]
        into = np.repeat(index.starts[places[start:end]], n) + np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        pairs = index.owners[into] * width + np.repeat(owner[start:end], n)
        pair, common = np.unique(pairs, return_counts=True)
        yield pair // width, pair % width, common
        start = end


def compare(splits: list[SplitTexts]) -> list[Overlap]:
    """Every training split against every evaluation split; corpora also against labelled training splits."""
    held = [split for split in splits if not split.corpus]
    if not held:
        return []
    texts = [split.texts for split in held]
    shingles, long = SequenceIndex.of(texts, SHINGLE), SequenceIndex.of(texts, SEQUENCE)
    offsets, wholes = np.cumsum([0, *map(len, texts)]), [text_hashes(some) for some in texts]
    overlaps = []
    for train in (split for split in splits if split.split == "train"):
        own = text_hashes(train.texts)
        near, share = nearest(train.texts, shingles) >= NEAR, contained(train.texts, long)
        for n, other in enumerate(held):
            if other.split == "train" and not train.corpus:
                continue
            place = slice(offsets[n], offsets[n + 1])
            exact = np.isin(wholes[n], own)
            close = near[place] & ~exact
            inside = np.where(other.texts.lengths >= SEQUENCE, share[place], 0.0)
            half = (inside >= CONTAINED) & ~exact & ~close
            touched = exact | close | (inside > 0)
            e, c, h, t = (int(mask.sum()) for mask in (exact, close, half, touched))
            ids = [other.texts.ids[i] for i in np.flatnonzero(exact | close | half)]
            overlaps.append(Overlap(train.name, other.name, len(other.texts), e, c, h, t, ids))
    return overlaps


def measure(mirror: str | None, tell: Callable[[str], object]) -> tuple[list[SplitTexts], list[Overlap], list[str]]:
    """The texts that were compared, all overlaps, and the datasets that could not be opened.

    Args:
        mirror: A folder of raw files, or "embedded"; None for `ITA_MED_MIRROR` or the download cache.
        tell: Called with the name of each dataset before it is read.
    """
    names = [entry.id for entry in catalogue.datasets() if entry.has_builder]
    splits, absent = collect(names, mirror, tell)
    if not splits:
        raise SourceError(f"no dataset is there; give --mirror DIR or set {sources.MIRROR_VARIABLE}")
    return splits, compare(splits), absent
