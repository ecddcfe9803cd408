"""Documents that do not fit a model's context: asked in windows, whose answers are put together by a fixed rule.

Windows end at the end of a line or of a sentence, do not overlap, and are as few as fit, all of about equal length.
They come from the text alone: where mentions are annotated plays no part. A question is never cut.

The answer of a document is made of those of its windows, in reading order, by its family's `merge`. A window whose
answer does not parse adds nothing; a document of which no window's answer parses has none.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence

from ita_med.dataset_builders.formats.passages import passages
from ita_med.schema import Example, SpanExample
from ita_med.tasks.benchmark.task_data import TaskData


def cuts(data: TaskData, example: Example) -> Iterator[list[Example]]:
    """Ways to cut a document, as examples without gold annotations: by sentences first, which tells whether any way
    will do, then into 2, 3, … windows. Nothing for questions and for texts of one sentence."""
    text = data.family.document(example)
    finest = _windows(data, example, 1) if text else []
    if len(finest) < 2:
        return
    yield finest
    for n in range(2, len(finest)):
        yield _windows(data, example, -(-len(text) // n))


def _windows(data: TaskData, example: Example, limit: int) -> list[Example]:
    """The document in windows of at most `limit` characters, or of one sentence where that is longer."""
    blank = data.family.blank(example)
    text = data.family.document(example)
    return [
        dataclasses.replace(blank, id=passage.id, text=passage.text, meta=example.meta | passage.meta)
        for passage in passages(SpanExample(example.id, example.doc_id, text, []), limit)
    ]


def merge(data: TaskData, answered: Sequence[tuple[Example, str]]) -> str:
    """The answer of a document in canonical form, as JSON, from its windows and the texts generated for them; "" if
    none of them parses."""
    parts = [(window, data.parse(raw, window)) for window, raw in answered]
    known = [(window, answer) for window, answer in parts if answer is not None]
    return json.dumps(data.family.merge(known), ensure_ascii=False) if known else ""
