"""Gazetteers: mentions learned from annotated texts, and found again in other texts as whole words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ita_med.schema import Example, RelationExample, SpanExample
from ita_med.tasks.families.family import Answer
from ita_med.tasks.scoring.matching import Located

MIN_SHARE = 0.5
_WORD = re.compile(r"\w+|[^\w\s]")
_DIGITS = re.compile(r"\d+")
FoldedWords = tuple[str, ...]
"""The words of a mention as they are compared."""
Gazetteer = dict[str, list[FoldedWords]]
"""First word -> the entries that start with it, longest first."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a punctuation mark; key is what is compared."""

    key: str
    start: int
    end: int


def words(text: str) -> list[Word]:
    """The words of a text, compared without case."""
    return [Word(m[0].casefold(), *m.span()) for m in _WORD.finditer(text)]


def shapes(text: str) -> list[Word]:
    """The same with every run of digits as one 0: "37,9 °C" and "38,5 °C" have one shape."""
    return [Word(_DIGITS.sub("0", m[0].casefold()), *m.span()) for m in _WORD.finditer(text)]


Reading = Callable[[str], list[Word]]


def key(mention: str, read: Reading = words) -> FoldedWords:
    """The words of a mention as they are compared, read by `words` or `shapes`."""
    return tuple(word.key for word in read(mention))


def of(entries: Iterable[FoldedWords]) -> Gazetteer:
    """A gazetteer of these entries, for `find` and `occurrences`."""
    by_word: Gazetteer = {}
    for entry in sorted(filter(None, set(entries)), key=lambda e: (-len(e), e)):
        by_word.setdefault(entry[0], []).append(entry)
    return by_word


def learn(
    annotated: Iterable[tuple[str, list[Located]]], *, read: Reading = words, min_share: float = MIN_SHARE
) -> dict[str, Gazetteer]:
    """A gazetteer per label, from texts with their mentions.

    An entry must be annotated in at least `min_share` of the places where its words occur: "pressione" is an exam in
    some places and a plain word in many.
    """
    texts = list(annotated)
    candidates: dict[str, set[FoldedWords]] = {}
    for text, mentions in texts:
        for label, start, end in mentions:
            candidates.setdefault(label, set()).add(key(text[start:end], read))
    learned = {}
    for label in sorted(candidates):
        everything = of(candidates[label])
        occurring: Counter[FoldedWords] = Counter()
        annotated_too: Counter[FoldedWords] = Counter()
        for text, mentions in texts:
            places = {(start, end) for name, start, end in mentions if name == label}
            for entry, start, end in occurrences(text, everything, read):
                occurring[entry] += 1
                annotated_too[entry] += (start, end) in places
        learned[label] = of(e for e, n in annotated_too.items() if n and n >= min_share * occurring[e])
    return learned


def occurrences(text: str, gazetteer: Gazetteer, read: Reading = words) -> Iterator[tuple[FoldedWords, int, int]]:
    """Every place (entry, start, end) where an entry occurs, overlapping ones too: left to right, longest first."""
    read_words = read(text)
    keys = tuple(word.key for word in read_words)
    for i, first in enumerate(keys):
        for entry in gazetteer.get(first, ()):
            if keys[i : i + len(entry)] == entry:
                yield entry, read_words[i].start, read_words[i + len(entry) - 1].end


def find(text: str, gazetteer: Gazetteer, read: Reading = words) -> list[tuple[int, int]]:
    """Places (start, end) of entries without overlap: from left to right, the longest entry at each place."""
    places: list[tuple[int, int]] = []
    for _, start, end in occurrences(text, gazetteer, read):
        if not places or start >= places[-1][1]:
            places.append((start, end))
    return places


def located(example: Example) -> list[Located]:
    """The mentions of a training example as (label, start, end)."""
    assert isinstance(example, SpanExample | RelationExample)
    return [(span.label, span.start, span.end) for span in example.spans]


def find_all(example: Example, gazetteers: dict[str, Gazetteer]) -> Answer:
    """The mentions of all labels in an example; mentions of different labels may overlap."""
    assert isinstance(example, SpanExample)
    found = [(label, *place) for label, entries in gazetteers.items() for place in find(example.text, entries)]
    return entities(example.text, found)


def entities(text: str, mentions: Iterable[Located]) -> Answer:
    """The mentions as an answer, in the order of the text."""
    placed = sorted(mentions, key=lambda mention: (mention[1], -mention[2], mention[0]))
    return {"entities": [{"text": text[a:b], "label": label, "start": a, "end": b} for label, a, b in placed]}
