"""Counts of one example: true positives, false positives, false negatives, in several notions of a match."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

Located = tuple[str, int, int]
"""(label, start, end): a mention with its place in the text."""


def multiset(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> tuple[int, int, int]:
    """TP, FP, FN of equal items, each counted as often as it occurs."""
    if gold == predicted:
        return len(gold), 0, 0
    if not gold or not predicted:
        return 0, len(predicted), len(gold)
    left: dict[Hashable, int] = {}
    for item in gold:
        left[item] = left.get(item, 0) + 1
    tp = 0
    for item in predicted:
        n = left.get(item, 0)
        if n:
            tp += 1
            left[item] = n - 1
    return tp, len(predicted) - tp, len(gold) - tp


def multiset_by_label(
    gold: Sequence[tuple[str, ...]], predicted: Sequence[tuple[str, ...]], labels: Sequence[str]
) -> list[int]:
    """TP, FP, FN per label, flattened; items start with their label. Labels that the task does not know come last."""
    counts = [0] * (3 * len(labels) + 3)
    if not gold and not predicted:
        return counts
    place = {label: 3 * i for i, label in enumerate(labels)}
    other = 3 * len(labels)
    left = Counter(gold)
    for item in predicted:
        at = place.get(item[0], other)
        if left[item] > 0:
            left[item] -= 1
            counts[at] += 1
        else:
            counts[at + 1] += 1
    for item, n in left.items():
        if n:
            counts[place.get(item[0], other) + 2] += n
    return counts


def overlap(gold: Sequence[Located], predicted: Sequence[Located | None]) -> tuple[int, int, int]:
    """TP, FP, FN where a match is one-to-one, of equal label, and shares at least one character.

    As many matches as possible are made (maximum bipartite matching), so that no order matters. A predicted mention
    without a place (None: its text is not in the document) matches nothing.
    """
    placed = [p for p in predicted if p is not None]
    if sorted(gold) == sorted(placed):
        matches = len(gold)
    else:
        edges = [[j for j, p in enumerate(placed) if p[0] == g[0] and _shared(p, g[1], g[2])] for g in gold]
        matches = _maximum_matching(edges)
    return matches, len(predicted) - matches, len(gold) - matches


def _shared(span: Located, start: int, end: int) -> bool:
    """Whether the span and [start, end) share a character; an empty or inverted span shares none."""
    return max(span[1], start) < min(span[2], end)


def _maximum_matching(edges: list[list[int]]) -> int:
    """Size of a maximum matching (Kuhn's augmenting paths, without recursion); `edges[i]` are i's partners."""
    owner: dict[int, int] = {}
    for start in range(len(edges)):
        parent: dict[int, tuple[int, int | None]] = {}
        queue: list[tuple[int, int | None]] = [(start, None)]
        while queue:
            left, via = queue.pop()
            for right in edges[left]:
                if right in parent:
                    continue
                parent[right] = (left, via)
                if right in owner:
                    queue.append((owner[right], right))
                    continue
                step: int | None = right
                while step is not None:
                    left, before = parent[step]
                    owner[step] = left
                    step = before
                queue.clear()
                break
    return len(owner)


_WORD = re.compile(r"\S+")


def token_labels(text: str, spans: Iterable[Located | None]) -> set[tuple[str, int]]:
    """(label, token) pairs: the white-space tokens that each span touches."""
    tokens = [match.span() for match in _WORD.finditer(text)]
    return {
        (span[0], i)
        for span in spans
        if span is not None
        for i, (start, end) in enumerate(tokens)
        if _shared(span, start, end)
    }


def sets(gold: set[Hashable], predicted: set[Hashable]) -> tuple[int, int, int]:
    """TP, FP, FN of two sets."""
    tp = len(gold & predicted)
    return tp, len(predicted) - tp, len(gold) - tp


def fold(text: str) -> str:
    """White space folded to single spaces, accents composed (NFC): the two liberties that "exact text" takes.

    Answers are one line of JSON, and tokenizers such as Qwen3's compose accents: a model can hardly write the
    decomposed ones that some documents of E3C hold.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def ground(text: str, mentions: Sequence[tuple[str, str]]) -> list[Located | None]:
    """Places of mentions given as (label, text): the n-th repetition of a mention takes its n-th occurrence.

    Occurrences as whole words come first. A mention that the text does not hold (often enough) gets None.
    """
    folded, starts, ends = _folded(text)
    found: dict[tuple[str, str], list[Located]] = {}
    places: list[Located | None] = []
    used: Counter[tuple[str, str]] = Counter()
    for label, mention in mentions:
        key = (label, fold(mention))
        if key not in found:
            found[key] = [(label, starts(a), ends(b - 1)) for a, b in _occurrences(folded, key[1])]
        n = used[key]
        used[key] += 1
        places.append(found[key][n] if n < len(found[key]) else None)
    return places


def _occurrences(text: str, mention: str) -> list[tuple[int, int]]:
    if not mention or mention not in text:
        return []
    escaped = re.escape(mention)
    whole = [m.span() for m in re.finditer(rf"(?<!\w){escaped}(?!\w)", text)]
    starts = {start for start, _ in whole}
    return whole + [m.span() for m in re.finditer(escaped, text) if m.start() not in starts]


def _folded(text: str) -> tuple[str, Callable[[int], int], Callable[[int], int]]:
    """`fold` of the text, and functions from its characters to where they start and end in the text."""
    folded = fold(text)
    if len(folded) == len(text) and unicodedata.is_normalized("NFC", text):
        return folded, lambda i: i, lambda i: i + 1
    places: list[tuple[int, int]] = []
    pieces: list[str] = []
    for start, end in _clusters(text):
        if text[start].isspace():
            if not pieces or pieces[-1] == " ":
                continue
            piece = " "
        else:
            piece = unicodedata.normalize("NFC", text[start:end])
        pieces.append(piece)
        places += [(start, end)] * len(piece)
    joined = "".join(pieces).rstrip()
    return joined, lambda i: places[i][0], lambda i: places[i][1]


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Each character with the combining accents after it."""
    start = 0
    for i in range(1, len(text)):
        if not unicodedata.combining(text[i]):
            yield start, i
            start = i
    if text:
        yield start, len(text)
