"""Case report forms: one question per item, asked to one of two heads.

options  an item with options: a class per value that any training item has, and "unknown"; of these an item may be
         given its own options. A long note is read in windows: a value is as likely as in its best window. Items whose
         options were never seen in training stay unknown.
values   an item without options: the piece of the note that is the value, or nothing (as in SQuAD 2, Rajpurkar et al.
         2018). A value is learned where the note first has it as whole words (else as anything); values that the note
         does not have cannot be learned, and are left out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ita_med.schema import UNKNOWN, UNKNOWN_VALUES, FormExample, Item
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer
from ita_med.tasks.families.forms import LONGEST_VALUE
from ita_med.training.encoders.heads import EncoderRow, HeadScores, LoadedPart, Part, infer_windows, pooled_scores
from ita_med.training.encoders.text import Place, Window, shortened, windows

BATCH = 16
"""Notes that are read at once when predicting."""
FormExamples = Sequence[FormExample]


def parts(
    data: TaskData, tokenizer: Any, *, max_length: int, overlap: int, negatives: int | None, seed: int
) -> list[Part]:
    """negatives: items without a value that are learned for each item with one, drawn by the seed; None: all."""
    notes = [example for example in data.train if isinstance(example, FormExample)]
    facts: dict[str, Any] = {"max_length": max_length, "overlap": overlap}
    facts["items"] = sorted({item.name for note in notes for item in note.items})
    made = [_options(notes, tokenizer, facts), _values(notes, tokenizer, facts)]
    for part in made:
        empty = [row for row in part.rows if not row.target.any()]
        known = [row for row in part.rows if row.target.any()]
        if negatives is not None and len(empty) > negatives * len(known):
            part.rows = known + random.Random(seed).sample(empty, negatives * len(known))
    return [part for part in made if part.counts["gold"]]


def _options(notes: FormExamples, tokenizer: Any, facts: dict[str, Any]) -> Part:
    offered = {option for note in notes for item in note.items for option in item.options}
    labels = [UNKNOWN, *sorted(offered - UNKNOWN_VALUES)]
    rows, counts = [], {"gold": 0, "expressed": 0}
    for note in notes:
        for item in note.items:
            if item.kind != "categorical":
                continue
            value = UNKNOWN if item.value in UNKNOWN_VALUES else item.value
            counts["gold"] += value != UNKNOWN
            counts["expressed"] += value != UNKNOWN and value in labels
            read = _windows(tokenizer, item, note.text, facts)
            allowed = np.array([label in (UNKNOWN, *item.options) for label in labels])
            rows.append(EncoderRow([w.inputs for w in read], np.array([labels.index(value)]), [len(read)], allowed))
    return Part("options", "classes", labels, rows, facts, counts)


def _values(notes: FormExamples, tokenizer: Any, facts: dict[str, Any]) -> Part:
    rows, counts = [], {"gold": 0, "expressed": 0}
    for note in notes:
        for item in note.items:
            if item.kind == "categorical":
                continue
            place = None
            if item.value not in UNKNOWN_VALUES:
                counts["gold"] += 1
                place = find(note.text, item.value)
                if place is None:
                    continue
            read = _windows(tokenizer, item, note.text, facts)
            targets = [_tokens_of(window, place) for window in read]
            if place:
                if not any(map(any, targets)):
                    continue  # it is cut in two by every window
                said = [_said(note.text, window, *target) for window, target in zip(read, targets, strict=True)]
                counts["expressed"] += item.value in said
            rows += [EncoderRow([w.inputs], np.array(t, np.int64)) for w, t in zip(read, targets, strict=True)]
    return Part("values", "span", [], rows, facts, counts)


def _windows(tokenizer: Any, item: Item, text: str, facts: dict[str, Any]) -> list[Window]:
    """The note in windows, each behind the item's name, of which at most half a window is read."""
    name, _ = shortened(tokenizer, item.name, facts["max_length"] // 2)
    return windows(tokenizer, text, name, max_length=facts["max_length"], overlap=facts["overlap"])


def find(text: str, value: str) -> Place | None:
    """Where a text first has a value, if possible not as a part of longer words or numbers."""
    match = re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)
    start = match.start() if match else text.find(value)
    return (start, start + len(value)) if start >= 0 and value else None


def _tokens_of(window: Window, place: Place | None) -> tuple[int, int]:
    """First and last token of a place, (0, 0) where the window does not have all of it."""
    if place is None:
        return 0, 0
    starts, ends = window.places[:, 0], window.places[:, 1]
    inside = np.flatnonzero((ends > place[0]) & (starts < place[1]) & (starts >= 0))
    if not len(inside) or starts[inside[0]] > place[0] or ends[inside[-1]] < place[1]:
        return 0, 0
    return int(inside[0]), int(inside[-1])


def _said(text: str, window: Window, first: int, last: int) -> str:
    return text[window.places[first, 0] : window.places[last, 1]] if first else ""


def answers(loaded: dict[str, LoadedPart], data: TaskData) -> dict[str, Answer]:
    """The known values of every form; items that no part can answer stay unknown."""
    notes = [example for example in data.examples if isinstance(example, FormExample)]
    found: dict[str, Answer] = {note.id: {"items": {}} for note in notes}
    for at in range(0, len(notes), BATCH):
        for name, part in loaded.items():
            asked, read = [], []
            for note in notes[at : at + BATCH]:
                for item in note.items:
                    if (item.kind == "categorical") == (name == "options"):
                        asked.append((note, item))
                        read.append(_windows(part.tokenizer, item, note.text, part.facts))
            for (note, item), of_item, scores in zip(asked, read, infer_windows(part, read), strict=True):
                value = (
                    _choose(part.labels, item, scores) if name == "options" else _extract(note.text, of_item, scores)
                )
                if value not in UNKNOWN_VALUES:
                    found[note.id]["items"][item.name] = value
    return found


def _choose(labels: list[str], item: Item, scores: list[HeadScores]) -> str:
    best = pooled_scores(scores)
    allowed = np.array([label in (UNKNOWN, *item.options) for label in labels])
    return labels[int(np.where(allowed, best, -np.inf).argmax())]


def _extract(text: str, read: list[Window], scores: list[HeadScores]) -> str:
    """The best piece of any window that beats "nothing" in its own window; at most `LONGEST_VALUE` characters."""
    value, margin = "", 0.0
    for window, of_window in zip(read, scores, strict=True):
        starts, ends = window.places[:, 0], window.places[:, 1]
        total = of_window[:, None, 0] + of_window[None, :, 1]
        length = ends[None, :] - starts[:, None]
        possible = (starts >= 0)[:, None] & (starts >= 0)[None, :] & (length > 0) & (length <= LONGEST_VALUE)
        possible &= np.triu(np.ones_like(possible))
        if not possible.any():
            continue
        first, last = np.unravel_index(np.where(possible, total, -np.inf).argmax(), total.shape)
        if (gain := float(total[first, last] - of_window[0].sum())) > margin:
            value, margin = _said(text, window, int(first), int(last)), gain
    return value
