"""Which evaluation texts lie in training splits, over all datasets whose files are there.

Texts are compared as documents (examples with one document id are joined in order) or, where upstream gives no
document, as examples; a question is its context, stem and options, whatever their order. Words are compared after
NFKC and case folding, without punctuation. An evaluation text counts once for a training split, as the first of

- exact: the same words in the same order;
- near: Jaccard >= 0.8 of 5-word shingles with one training text (computed; MinHash would only estimate it);
- contained: at least half of its 13-word sequences lie in the training split.

`touched` counts these and all others that share one 13-word sequence or more. Texts of fewer than 8 words are left
out: headings repeat everywhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ita_med import catalogue, sources
from ita_med.dataset_builders import build
from ita_med.dataset_builders.known_overlaps import KNOWN
from ita_med.errors import SourceError
from ita_med.numbers import NONE
from ita_med.printing import markdown_table
from ita_med.schema import ChoiceExample, Example, TextExample

if TYPE_CHECKING:
    from collections.abc import Callable

SHINGLE, NEAR = 5, 0.8
SEQUENCE, CONTAINED = 13, 0.5
MIN_WORDS = 8
CHUNK = 2_000_000
"""Words of training text that are looked at in one go."""
PORTION = 10_000_000
"""Shared shingles that are counted in one go."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_KEYS = np.random.default_rng(0).integers(1, 2**64, size=64, dtype=np.uint64) | np.uint64(1)
_IS_WORD = np.array([chr(unit).isalnum() or chr(unit) == "_" for unit in range(2**16)])
Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]


@dataclass
class Texts:
    """The texts of one split as hashed words: text i, with ids[i], is words[starts[i]:starts[i + 1]].

    views: the configs that show these same texts.
    corpus: raw text (schema `text`), against which labelled training texts are checked too.
    """

    dataset: str
    views: list[str]
    split: str
    corpus: bool
    ids: list[str]
    words: Hashes
    starts: Indices
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def name(self) -> str:
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
        return self.exact + self.near + self.contained


# ----- texts ---------------------------------------------------------------------------------------------------------


def word_hashes(text: str) -> Hashes:
    """One hash per word (runs of letters, digits and underscores), after NFKC and case folding."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    units = np.frombuffer(folded.casefold().encode("utf-32-le", "surrogatepass"), np.uint32)
    inside = _IS_WORD[np.minimum(units, 2**16 - 1)]
    edges = np.diff(inside.view(np.int8), prepend=0, append=0)
    lengths = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
    if not len(lengths):
        return np.empty(0, np.uint64)
    starts = np.cumsum(lengths) - lengths
    letters = units[inside].astype(np.uint64)
    place = np.arange(len(letters)) - np.repeat(starts, lengths)
    sums = np.add.reduceat((letters + np.uint64(1)) * _KEYS[place % len(_KEYS)], starts)
    return _mixed(sums)


def _mixed(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(31))) * _FACTOR
    return values ^ (values >> np.uint64(29))


def text_of(example: Example) -> str:
    """What is compared of an example: its text; of a question the context, the stem and the options in any order."""
    if isinstance(example, ChoiceExample):
        return "\n".join([example.context, example.question, *sorted(example.options)])
    return example.text


def documents(examples: Iterable[Example]) -> dict[str, str]:
    """Id -> text of the distinct texts that are compared, in order of appearance."""
    texts: dict[str, list[str]] = {}
    for example in examples:
        alone = isinstance(example, ChoiceExample | TextExample)
        texts.setdefault(example.id if alone else example.doc_id or example.id, []).append(text_of(example))
    joined = {name: "\n".join(parts) for name, parts in texts.items()}
    first = {text: name for name, text in reversed(joined.items())}
    return {name: text for name, text in joined.items() if first[text] == name}


def collect(names: list[str], mirror: str | None, tell: Callable[[str], object]) -> tuple[list[Texts], list[str]]:
    """The texts of all splits of the datasets whose files are there, and the names of the others."""
    groups, absent = [], []
    for name in names:
        try:
            files = build.open_files(name, mirror, download=False)
        except SourceError:
            absent.append(name)
            continue
        tell(name)
        own: dict[tuple[str, bytes], Texts] = {}
        for config, split, examples in build.examples(name, files=files):
            found = _texts(name, config, split, examples)
            same = own.setdefault((split, np.sort(text_hashes(found)).tobytes()), found)
            same.views += [config] if config not in same.views else []
        groups += [texts for texts in own.values() if len(texts)]
    return groups, absent


def _texts(name: str, config: str, split: str, examples: list[Example]) -> Texts:
    corpus = isinstance(examples[0], TextExample)
    return hashed(name, config, split, documents(examples), corpus=corpus)


def hashed(name: str, config: str, split: str, texts: dict[str, str], *, corpus: bool = False) -> Texts:
    """The texts by id as hashed words, without those of fewer than `MIN_WORDS`."""
    every = {key: word_hashes(text) for key, text in texts.items()}
    kept = {key: hashes for key, hashes in every.items() if len(hashes) >= MIN_WORDS}
    starts = np.cumsum([0, *map(len, kept.values())])
    joined = np.concatenate(list(kept.values())) if kept else np.empty(0, np.uint64)
    return Texts(name, [config], split, corpus, list(kept), joined, starts, left_out=len(every) - len(kept))


# ----- comparison ----------------------------------------------------------------------------------------------------


def sequences(texts: Texts, n: int, first: int = 0, last: int | None = None) -> tuple[Hashes, Indices]:
    """Hashes of the distinct n-word sequences of each text from `first` to `last`, and the texts' indices.

    Sorted by text and hash. A text of fewer than n words is one sequence.
    """
    starts = texts.starts[first : (len(texts) if last is None else last) + 1]
    words = texts.words[starts[0] : starts[-1]]
    lengths = np.diff(starts)
    rolling = np.zeros(len(words), np.uint64)
    for k in range(min(n, len(words))):
        rolling[: len(words) - k] = rolling[: len(words) - k] * _FACTOR + words[k:]
    owner = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(words)) - np.repeat(starts[:-1] - starts[0], lengths)
    whole = place + n <= lengths[owner]
    hashes, owner = rolling[whole], owner[whole]
    short = np.flatnonzero((lengths < n) & (lengths > 0))
    if len(short):
        alone = [np.bitwise_xor.reduce(words[starts[i] - starts[0] : starts[i + 1] - starts[0]]) for i in short]
        hashes, owner = np.concatenate([hashes, np.array(alone, np.uint64)]), np.concatenate([owner, short])
    order = np.lexsort((hashes, owner))
    hashes, owner = hashes[order], owner[order]
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owner[1:] != owner[:-1])
    return hashes[new], owner[new] + first


def text_hashes(texts: Texts) -> Hashes:
    """One hash per text: over its words and their order."""
    if not len(texts):
        return np.empty(0, np.uint64)
    place = np.arange(len(texts.words), dtype=np.uint64) - np.repeat(
        texts.starts[:-1].astype(np.uint64), np.diff(texts.starts)
    )
    return np.add.reduceat(_mixed(texts.words * (place * _FACTOR + np.uint64(1))), texts.starts[:-1])


class Index:
    """The evaluation side: which texts hold which sequence, over all evaluation splits at once."""

    def __init__(self, texts: list[Texts], n: int) -> None:
        self.offsets = np.cumsum([0, *map(len, texts)])
        parts = [sequences(group, n) for group in texts]
        hashes = np.concatenate([part[0] for part in parts])
        owner = np.concatenate([part[1] + offset for part, offset in zip(parts, self.offsets, strict=False)])
        order = np.argsort(hashes, kind="stable")
        self.hashes, self.owner = hashes[order], owner[order]
        self.distinct, self.first = np.unique(self.hashes, return_index=True)
        self.last = np.append(self.first[1:], len(self.hashes))
        self.sizes = np.bincount(owner, minlength=int(self.offsets[-1]))

    def find(self, hashes: Hashes) -> Indices:
        """For each hash its place in `distinct`, or -1."""
        place = np.minimum(np.searchsorted(self.distinct, hashes), len(self.distinct) - 1)
        return np.where(self.distinct[place] == hashes, place, -1)


def _chunks(texts: Texts) -> Iterator[tuple[int, int]]:
    """Ranges of texts with about CHUNK words each."""
    first = 0
    while first < len(texts):
        last = int(np.searchsorted(texts.starts, texts.starts[first] + CHUNK, side="right")) - 1
        last = min(max(last, first + 1), len(texts))
        yield first, last
        first = last


def contained(train: Texts, index: Index) -> NDArray[np.float64]:
    """For each evaluation text the share of its sequences that the training split holds."""
    held = np.zeros(len(index.distinct), bool)
    for first, last in _chunks(train):
        places = index.find(sequences(train, SEQUENCE, first, last)[0])
        held[places[places >= 0]] = True
    counts = np.diff(np.append(index.first, len(index.hashes)))
    hits = np.bincount(index.owner[np.repeat(held, counts)], minlength=len(index.sizes))
    return np.divide(hits, index.sizes, out=np.zeros(len(hits)), where=index.sizes > 0)


def nearest(train: Texts, index: Index) -> NDArray[np.float64]:
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


def _common(places: Indices, owner: Indices, index: Index, width: int) -> Iterator[tuple[Indices, Indices, Indices]]:
    """(evaluation text, training text, number of shared shingles) for all pairs that share one, in portions."""
    if not len(places):
        return
    counts = index.last[places] - index.first[places]
    total = np.cumsum(counts)
    cuts = np.searchsorted(total, np.arange(PORTION, total[-1] + PORTION, PORTION))
    # Pairs of one training text are counted together: a portion ends where a text does.
    cuts = np.unique(np.searchsorted(owner, owner[np.minimum(cuts, len(owner) - 1)], side="right"))
    start = 0
    for end in map(int, cuts):
        n = counts[start:end]
        into = np.repeat(index.first[places[start:end]], n) + np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        pairs = index.owner[into] * width + np.repeat(owner[start:end], n)
        pair, common = np.unique(pairs, return_counts=True)
        yield pair // width, pair % width, common
        start = end


def compare(groups: list[Texts]) -> list[Overlap]:
    """Every training split against every evaluation split; corpora also against labelled training splits."""
    held = [group for group in groups if not group.corpus]
    if not held:
        return []
    shingles, long = Index(held, SHINGLE), Index(held, SEQUENCE)
    wholes = [text_hashes(group) for group in held]
    overlaps = []
    for train in (group for group in groups if group.split == "train"):
        own = text_hashes(train)
        near, share = nearest(train, shingles) >= NEAR, contained(train, long)
        for n, group in enumerate(held):
            if group.split == "train" and not train.corpus:
                continue
            place = slice(shingles.offsets[n], shingles.offsets[n + 1])
            exact = np.isin(wholes[n], own)
            close = near[place] & ~exact
            inside = np.where(np.diff(group.starts) >= SEQUENCE, share[place], 0.0)
            half = (inside >= CONTAINED) & ~exact & ~close
            touched = exact | close | (inside > 0)
            e, c, h, t = (int(mask.sum()) for mask in (exact, close, half, touched))
            ids = [group.ids[i] for i in np.flatnonzero(exact | close | half)]
            overlaps.append(Overlap(train.name, group.name, len(group), e, c, h, t, ids))
    return overlaps


def measure(mirror: str | None, tell: Callable[[str], object]) -> tuple[list[Texts], list[Overlap], list[str]]:
    """The texts that were compared, all overlaps, and the datasets that could not be opened."""
    names = [entry.id for entry in catalogue.datasets() if entry.has_builder]
    groups, absent = collect(names, mirror, tell)
    if not groups:
        raise SourceError(f"no dataset is there; give --mirror DIR or set {sources.MIRROR_VARIABLE}")
    return groups, compare(groups), absent


# ----- tables --------------------------------------------------------------------------------------------------------

COLUMNS = ["training split", "evaluation split", "texts", "exact", "near", "contained", "touched"]


def table(overlaps: list[Overlap]) -> list[list[str]]:
    """The pairs of splits that share something, with a header."""
    rows = [o for o in overlaps if o.touched]
    numbers = [(o.texts, o.exact, o.near, o.contained, o.touched) for o in rows]
    return [COLUMNS, *([o.train, o.evaluation, *(f"{x:,}" for x in n)] for o, n in zip(rows, numbers, strict=True))]


def page(groups: list[Texts], overlaps: list[Overlap], absent: list[str], synthetic: bool) -> str:
    """docs/leakage.md."""
    trains = list(dict.fromkeys(o.train for o in overlaps))
    evaluations = list(dict.fromkeys(o.evaluation for o in overlaps))
    cells = {(o.train, o.evaluation): f"{o.affected:,} / {o.touched:,}" if o.touched else NONE for o in overlaps}
    matrix = [["", *trains], *([e, *(cells.get((t, e), "") for t in trains)] for e in evaluations)]
    compared = [["split", "views with these texts", "texts", "words", "left out"]]
    compared += [[g.name, ", ".join(g.views), f"{len(g):,}", f"{len(g.words):,}", str(g.left_out)] for g in groups]
    lines = [
        "<!-- Generated: ita-med data leakage --mirror DIR --page docs/leakage.md. Do not edit. -->",
        "",
        "# Texts that training and evaluation splits share",
        "",
        "    ita-med data leakage --mirror DIR --page docs/leakage.md",
        "",
        "On the synthetic samples." if synthetic else "On the real files of the datasets listed below.",
        *(__doc__ or "").split("\n")[1:],
        "## Matrix",
        "",
        "Evaluation split by training split: exact + near + contained / touched. A corpus (raw text) is also held",
        "against labelled training splits. An empty cell was not compared.",
        "",
        *markdown_table(matrix),
        "",
        "## Pairs that share something",
        "",
        *markdown_table(table(overlaps)),
        "",
        "## What was compared",
        "",
        *markdown_table(compared),
        "",
        f"Not measured, as their files were not there: {', '.join(absent) or 'none'}.",
        "",
        "## Known by construction",
        "",
        *(f"- {', '.join(group)}: {what}." for group, what in KNOWN),
        "",
    ]
    return "\n".join(lines)
