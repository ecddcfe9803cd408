"""Mentions: for each label apart, every unit of a text begins a mention, goes on with one, or lies outside.

With a layer of B, I, O per label, mentions of different labels may overlap as they like. Of mentions with the *same*
label that overlap, the longest is learned (the first of equal ones); a discontinuous mention is learned as the dataset
has it, from its first to its last character. A mention that begins or ends inside a unit is widened to the unit.

A text that is longer than the encoder is read in overlapping windows; each unit is labelled by the window in which its
first token is farthest from an edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ita_med.schema import RelationExample, Span, SpanExample
from ita_med.training.encoders.heads import IGNORED, EncoderRow, HeadScores, LoadedPart, Part, infer_windows
from ita_med.training.encoders.text import Place, Window, units, windows

OUTSIDE, BEGIN, INSIDE = range(3)
Tags = NDArray[np.int64]
Texts = Sequence[SpanExample | RelationExample]


def classes(labels: list[str]) -> list[str]:
    """Names of the head's classes: three per label, side by side."""
    if len(labels) == 1:
        return ["O", f"B-{labels[0]}", f"I-{labels[0]}"]
    return [f"{tag}-{label}" for label in labels for tag in "OBI"]


def chosen(spans: list[Span]) -> list[Span]:
    """The mentions that can be learned: without those that overlap a longer one of their label."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
        if all(span.label != k.label or span.end <= k.start or k.end <= span.start for k in kept):
            kept.append(span)
    return kept


def tags(spans: list[Span], places: list[Place], labels: list[str]) -> Tags:
    """(units, labels): `BEGIN`, `INSIDE` or `OUTSIDE`."""
    found = np.full((len(places), len(labels)), OUTSIDE, np.int64)
    starts, ends = (np.array([place[k] for place in places], int) for k in (0, 1))
    for span in chosen(spans):
        if span.label in labels:
            first, last = np.searchsorted(ends, span.start, "right"), np.searchsorted(starts, span.end, "left")
            layer = labels.index(span.label)
            found[first:last, layer] = INSIDE
            found[first : min(first + 1, last), layer] = BEGIN
    return found


def mentions(found: Tags, places: list[Place], labels: list[str], text: str) -> list[Span]:
    """The mentions that tags mean, in the order of the text. `INSIDE` without a beginning begins one."""
    spans = []
    for layer, label in enumerate(labels):
        start = -1
        for n, tag in enumerate([*found[:, layer], OUTSIDE]):
            if start >= 0 and tag != INSIDE:
                first, last = places[start][0], places[n - 1][1]
                spans.append(Span(first, last, label, text[first:last]))
                start = -1
            if tag == BEGIN or (tag == INSIDE and start < 0):
                start = n
    return sorted(spans, key=lambda s: (s.start, s.end, labels.index(s.label)))


def expressed(spans: list[Span], places: list[Place], labels: list[str], text: str) -> int:
    """How many mentions come back exactly when they are turned into tags and back."""
    back = {(s.start, s.end, s.label) for s in mentions(tags(spans, places, labels), places, labels, text)}
    return len(back & {(s.start, s.end, s.label) for s in spans})


def part(examples: Texts, labels: list[str], tokenizer: Any, *, max_length: int, overlap: int) -> Part:
    """A tagger for these labels and its rows, one per window."""
    rows, counts = [], {"gold": 0, "expressed": 0}
    for example in examples:
        places = units(tokenizer, example.text)
        target = tags(example.spans, places, labels)
        counts["gold"] += len(example.spans)
        counts["expressed"] += expressed(example.spans, places, labels, example.text)
        for window in windows(tokenizer, example.text, max_length=max_length, overlap=overlap):
            owners = _units_of(window, places)
            of_tokens = np.where((owners >= 0)[:, None], target[owners], IGNORED) if places else None
            if of_tokens is not None and (owners >= 0).any():
                rows.append(EncoderRow([window.inputs], of_tokens))
    facts = {"labels": labels, "max_length": max_length, "overlap": overlap}
    return Part("tagger", "tokens", classes(labels), rows, facts, counts)


def _units_of(window: Window, places: list[Place]) -> NDArray[np.int64]:
    """Per token the unit that it begins, or -1."""
    begun = {start: n for n, (start, _) in enumerate(places)}
    found = np.full(len(window.places), -1, np.int64)
    for token, (start, end) in enumerate(window.places.tolist()):
        if start < end:
            found[token] = begun.pop(start, -1)
    return found


def tag(loaded: LoadedPart, texts: Sequence[str]) -> list[list[Span]]:
    """The mentions that a trained tagger finds in each text."""
    labels = loaded.facts["labels"]
    places = [units(loaded.tokenizer, text) for text in texts]
    read = [windows(loaded.tokenizer, text, **loaded.lengths) for text in texts]
    scores = infer_windows(loaded, read)
    return [
        mentions(_merged(w, s, p, len(labels)).argmax(-1), p, labels, text)
        for w, s, p, text in zip(read, scores, places, texts, strict=True)
    ]


def _merged(read: list[Window], scores: list[HeadScores], places: list[Place], labels: int) -> HeadScores:
    """(units, labels, 3): of each unit the scores from the window in which it has the most context."""
    found = np.zeros((len(places), labels, 3), np.float32)
    context = np.full(len(places), -1)
    for window, of_window in zip(read, scores, strict=True):
        owners = _units_of(window, places)
        for token in np.flatnonzero(owners >= 0):
            room = min(token, len(owners) - 1 - token)
            if room > context[owners[token]]:
                context[owners[token]] = room
                found[owners[token]] = of_window[token].reshape(labels, 3)
    return found
