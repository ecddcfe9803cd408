"""Answers without the text that they were found in, for predictions on gated or non-commercial data.

What an answer copies from the document is written as its place there, what the document does not have as a hash (it
still counts as wrong); the scorer puts the text back from the document. Scores are exactly those of the texts.

    mention    {"start", "end", "label"}     the text at this place
               {"of": [start, end], "label"} a text that the document has, said once more often: it has no place
               {"sha256", "label"}           a text that the document does not have
    head, tail [start, end] or "sha256:…"
    form value as it is if it is one of the item's options; else [start, end], or "sha256:…:…" (of the value, and of
               the value without case, white space and decimal comma)
"""

from __future__ import annotations

from typing import Any

from ita_med import catalogue
from ita_med.schema import UNKNOWN_VALUES, Example, FormExample, RelationExample, SpanExample
from ita_med.tasks.benchmark.task_data import Answer, TaskData
from ita_med.tasks.families.forms import HASHED, hashed, normalise
from ita_med.tasks.scoring import matching

NOWHERE = 2**31 - 2
"""A place beyond every text."""


def needed(data: TaskData) -> bool:
    """Whether the task's texts may not be passed on: any licence but one that clearly allows it, or a gate."""
    dataset = catalogue.dataset(data.task.dataset)
    return not dataset.commercial or dataset.access != "open"


def write(data: TaskData, example: Example, answer: Answer | None) -> Any:
    """The answer in canonical form without the document's text; None stays None."""
    if answer is None:
        return None
    match example:
        case SpanExample():
            return {"entities": _mentions(example.text, answer["entities"], set(data.setting.labels))}
        case RelationExample():
            known = set(data.setting.labels)
            return {"relations": [_relation(example.text, r, known) for r in answer["relations"]]}
        case FormExample():
            options = {item.name: item.options for item in example.items}
            items = answer["items"]
            return {"items": {n: _value(example.text, v, options[n]) for n, v in items.items() if n in options}}
    return answer


def read(example: Example, value: Any) -> Any:
    """The answer in canonical form; what `write` did not write is left as it is."""
    match example, value:
        case SpanExample(), {"entities": list(entities)}:
            return value | {"entities": [_mention_text(example.text, entity) for entity in entities]}
        case RelationExample(), {"relations": list(relations)}:
            return value | {"relations": [_with_texts(example.text, r, ("head", "tail")) for r in relations]}
        case FormExample(), {"items": dict(items)}:
            return value | {"items": _with_texts(example.text, items, tuple(items))}
    return value


def _mentions(text: str, entities: list[dict[str, Any]], labels: set[str]) -> list[dict[str, Any]]:
    """Grounded as the scorer grounds them."""
    places = iter(matching.ground(text, [(e["label"], e["text"]) for e in entities if "start" not in e]))
    out = []
    for entity in entities:
        label = {"label": _label(entity["label"], labels)}
        if "start" in entity:
            own = {"start": entity["start"], "end": entity["end"]}
            same = own["end"] <= len(text) and matching.fold(text[own["start"] : own["end"]]) == matching.fold(
                entity["text"]
            )
            out.append(own | ({} if same else _reference(text, entity["text"])) | label)
        elif place := next(places):
            out.append({"start": place[1], "end": place[2]} | label)
        else:
            out.append(_reference(text, entity["text"]) | label)
    return out


def _reference(text: str, said: str) -> dict[str, Any]:
    place = _place(text, said)
    return {"of": place} if place else {"sha256": hashed(matching.fold(said))}


def _place(text: str, said: str) -> list[int] | None:
    """Where the document first has a text."""
    [found] = matching.ground(text, [("", said)])
    return [found[1], found[2]] if found else None


def _label(label: str, known: set[str]) -> str:
    """A label that the task does not have was made up by the model, perhaps from the document."""
    return label if label in known else f"sha256:{hashed(label)}"


def _mention_text(text: str, entity: Any) -> Any:
    if not isinstance(entity, dict) or "text" in entity:
        return entity
    match entity:
        case {"of": [int(start), int(end)], **rest} if 0 <= start < end <= len(text):
            return {"start": NOWHERE, "end": NOWHERE + 1} | rest | {"text": text[start:end]}
        case {"sha256": str(digest), **rest}:
            return rest | {"text": f"sha256:{digest}"}
        case {"start": int(start), "end": int(end)} if 0 <= start < end <= len(text):
            return entity | {"text": text[start:end]}
    return entity


def _relation(text: str, relation: dict[str, str], known: set[str]) -> dict[str, Any]:
    ends = {
        key: _place(text, relation[key]) or f"sha256:{hashed(matching.fold(relation[key]))}" for key in ("head", "tail")
    }
    return {"head": ends["head"], "label": _label(relation["label"], known), "tail": ends["tail"]}


def _value(text: str, value: str, options: list[str]) -> Any:
    value = matching.fold(value)
    if value in options or value in UNKNOWN_VALUES or HASHED.fullmatch(value):
        return value
    return _place(text, value) or f"sha256:{hashed(value)}:{hashed(normalise(value))}"


def _with_texts(text: str, values: Any, keys: tuple[str, ...]) -> Any:
    """The values of some keys with places replaced by their text."""
    if not isinstance(values, dict):
        return values

    def said(value: Any) -> Any:
        match value:
            case [int(start), int(end)] if 0 <= start < end <= len(text):
                return text[start:end]
        return value

    return {key: said(value) if key in keys else value for key, value in values.items()}
