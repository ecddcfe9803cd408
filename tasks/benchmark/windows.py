"""Documents that do not fit a model's context: asked in windows, whose answers are put together by a fixed rule.

Windows end at the end of a line or of a sentence, do not overlap, and are as few as fit, all of about equal length.
They come from the text alone: where mentions are annotated plays no part. A question is never cut.

The answer of a document is made of those of its windows, in reading order:
    mentions   all of them, each at its place in the document if its window holds it
    relations  all of them; what links two windows cannot be found
    forms      of each item the first known value
A window whose answer does not parse adds nothing; a document of which no window's answer parses has none.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ita_med.dataset_builders.formats.passages import passages
from ita_med.schema import (
    UNKNOWN_VALUES,
    ChoiceExample,
    Example,
    FormExample,
    RelationExample,
    SpanExample,
    TextExample,
)
from ita_med.tasks.benchmark.task_data import Answer, TaskData
from ita_med.tasks.scoring import matching


def cuts(example: Example) -> Iterator[list[Example]]:
    """Ways to cut a document, as examples without gold annotations: by sentences first, which tells whether any way
    will do, then into 2, 3, … windows. Nothing for questions and for texts of one sentence."""
    if isinstance(example, ChoiceExample | TextExample):
        return
    finest = _windows(example, 1)
    if len(finest) < 2:
        return
    yield finest
    for n in range(2, len(finest)):
        yield _windows(example, -(-len(example.text) // n))


def _windows(example: SpanExample | RelationExample | FormExample, limit: int) -> list[Example]:
    """The document in windows of at most `limit` characters, or of one sentence where that is longer."""
    bare = SpanExample(example.id, example.doc_id, example.text, [])
    found: list[Example] = []
    for passage in passages(bare, limit):
        changed: dict[str, Any] = {"id": passage.id, "text": passage.text, "meta": example.meta | passage.meta}
        match example:
            case SpanExample():
                changed |= {"spans": []}
            case RelationExample():
                changed |= {"spans": [], "relations": []}
        found.append(dataclasses.replace(example, **changed))
    return found


def merge(data: TaskData, answered: Sequence[tuple[Example, str]]) -> str:
    """The answer of a document in canonical form, as JSON, from its windows and the texts generated for them; "" if
    none of them parses."""
    parts = [(window, data.parse(raw, window)) for window, raw in answered]
    known = [(window, answer) for window, answer in parts if answer is not None]
    if not known:
        return ""
    match known[0][0]:
        case SpanExample():
            merged: Answer = {"entities": [entity for window, answer in known for entity in _placed(window, answer)]}
        case RelationExample():
            merged = {"relations": [relation for _, answer in known for relation in answer["relations"]]}
        case _:
            items: dict[str, str] = {}
            for _, answer in known:
                for name, value in answer["items"].items():
                    if matching.fold(value) not in UNKNOWN_VALUES:
                        items.setdefault(name, value)
            merged = {"items": items}
    return json.dumps(merged, ensure_ascii=False)


def _placed(window: Example, answer: Answer) -> list[dict[str, Any]]:
    """A window's mentions, with their places in the document."""
    assert isinstance(window, SpanExample)
    offset = window.meta["offset"]
    mentions = [{"text": e["text"], "label": e["label"]} for e in answer["entities"]]
    places = matching.ground(window.text, [(e["label"], e["text"]) for e in mentions])
    return [
        m | ({} if place is None else {"start": offset + place[1], "end": offset + place[2]})
        for m, place in zip(mentions, places, strict=True)
    ]
