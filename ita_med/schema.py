"""The five example schemas that every dataset is turned into, and their validation.

`spans` (NER, argument mining), `relations`, `form` (case report forms), `choice` (questions), `text` (corpora).
Offsets count Python characters, end exclusive, and `text[start:end] == span.text` holds for every span.
Discontinuous and nested mentions are kept; `meta` (JSON) says which they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from ita_med.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

UNKNOWN = "unknown"
UNKNOWN_VALUES = frozenset({UNKNOWN, "non noto", ""})
"""Values of a form item that mean "the note does not say": upstream English, our Italian, and nothing at all."""
LETTERS = "ABCDEFGHIJ"


@dataclass(slots=True)
class Span:
    """A mention: characters [start, end) of the example's text."""

    start: int
    end: int
    label: str
    text: str


@dataclass(slots=True)
class Relation:
    """A directed, labelled link between two spans, given as indices into the example's `spans`."""

    head: int
    tail: int
    label: str


@dataclass(slots=True)
class Item:
    """One item of a case report form.

    Attributes:
        name: As the form has it.
        kind: "categorical" (the value is one of `options`) or "text" (free; `options` is empty).
        options: Of a categorical item.
        value: The gold value; one of `UNKNOWN_VALUES` where the note does not say.
    """

    name: str
    kind: str
    options: list[str]
    value: str


@dataclass(slots=True)
class SpanExample:
    id: str
    doc_id: str
    text: str
    spans: list[Span]
    split: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class RelationExample:
    id: str
    doc_id: str
    text: str
    spans: list[Span]
    relations: list[Relation]
    split: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class FormExample:
    id: str
    doc_id: str
    text: str
    items: list[Item]
    split: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ChoiceExample:
    """A multiple-choice question; `answer` is the 0-based index of the right option."""

    id: str
    question: str
    options: list[str]
    answer: int
    context: str = ""
    topic: str = ""
    split: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def doc_id(self) -> str:
        return self.id


@dataclass(slots=True)
class TextExample:
    id: str
    text: str
    source: str
    licence: str
    url: str = ""
    split: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def doc_id(self) -> str:
        return self.id


Example = SpanExample | RelationExample | FormExample | ChoiceExample | TextExample
SCHEMAS: dict[str, type[Example]] = {
    "spans": SpanExample,
    "relations": RelationExample,
    "form": FormExample,
    "choice": ChoiceExample,
    "text": TextExample,
}


def arrow_schema(schema: str) -> pa.Schema:
    """The Arrow schema of one of `SCHEMAS`; what the Parquet files hold."""
    import pyarrow as pa

    string, integer = pa.string(), pa.int64()
    spans = pa.list_(pa.struct([("start", integer), ("end", integer), ("label", string), ("text", string)]))
    relations = pa.list_(pa.struct([("head", integer), ("tail", integer), ("label", string)]))
    items = pa.list_(pa.struct([("name", string), ("kind", string), ("options", pa.list_(string)), ("value", string)]))
    document = [("id", string), ("doc_id", string), ("text", string)]
    tail = [("split", string), ("meta", string)]
    fields = {
        "spans": [*document, ("spans", spans)],
        "relations": [*document, ("spans", spans), ("relations", relations)],
        "form": [*document, ("items", items)],
        "choice": [
            ("id", string),
            ("question", string),
            ("context", string),
            ("options", pa.list_(string)),
            ("answer", integer),
            ("topic", string),
        ],
        "text": [("id", string), ("text", string), ("source", string), ("licence", string), ("url", string)],
    }
    return pa.schema(fields[schema] + tail)


def features(schema: str) -> Features:
    """The same as `datasets.Features`."""
    from datasets import Features

    return Features.from_arrow_schema(arrow_schema(schema))


def to_row(example: Example) -> dict[str, Any]:
    """The example as a plain dictionary with the columns of its schema; `meta` becomes a JSON string."""
    return {name: _COLUMN.get(name, _same)(getattr(example, name)) for name in example.__slots__}


def _same(value: Any) -> Any:
    return value


def _meta_json(meta: dict[str, Any]) -> str:
    return orjson.dumps(meta, option=orjson.OPT_SORT_KEYS).decode() if meta else "{}"


def _span_rows(spans: list[Span]) -> list[dict[str, Any]]:
    return [{"start": s.start, "end": s.end, "label": s.label, "text": s.text} for s in spans]


def _relation_rows(relations: list[Relation]) -> list[dict[str, Any]]:
    return [{"head": r.head, "tail": r.tail, "label": r.label} for r in relations]


def _item_rows(items: list[Item]) -> list[dict[str, Any]]:
    return [{"name": i.name, "kind": i.kind, "options": i.options, "value": i.value} for i in items]


_COLUMN: dict[str, Callable[[Any], Any]] = {
    "meta": _meta_json,
    "spans": _span_rows,
    "relations": _relation_rows,
    "items": _item_rows,
}
"""How a field becomes a column, where it is not one already."""


def from_row(row: dict[str, Any], schema: str) -> Example:
    """The inverse of `to_row`; extra columns are ignored."""
    cls = SCHEMAS[schema]
    values = {name: row[name] for name in cls.__slots__}
    values["meta"] = orjson.loads(row["meta"])
    if "spans" in values:
        values["spans"] = [Span(**span) for span in row["spans"]]
    if "relations" in values:
        values["relations"] = [Relation(**relation) for relation in row["relations"]]
    if "items" in values:
        values["items"] = [Item(**item) for item in row["items"]]
    return cls(**values)


def to_table(examples: Iterable[Example], schema: str) -> pa.Table:
    """The examples as one Arrow table, made column by column."""
    import pyarrow as pa

    examples = list(examples)
    columns = []
    for field_ in (fields := arrow_schema(schema)):
        convert = _COLUMN.get(field_.name, _same)
        columns.append(pa.array([convert(getattr(e, field_.name)) for e in examples], type=field_.type))
    return pa.Table.from_arrays(columns, schema=fields)


def check_span(span: Span, text: str) -> str | None:
    """What is wrong with the span, or None."""
    if not 0 <= span.start < span.end <= len(text):
        return f"span [{span.start}, {span.end}) lies outside the text of {len(text)} characters"
    found = text[span.start : span.end]
    if found != span.text:
        return f'span [{span.start}, {span.end}) reads "{found}", expected "{span.text}"'
    return None


def validate(example: Example) -> None:
    """Raise DataError, naming the example, if it breaks its schema."""
    problem = _problem(example)
    if problem:
        raise DataError(f"{example.id or '(no id)'}: {problem}")


def _problem(example: Example) -> str | None:
    if not example.id:
        return "empty id"
    match example:
        case SpanExample() | RelationExample():
            for span in example.spans:
                if not span.label:
                    return f"span [{span.start}, {span.end}) has no label"
                if problem := check_span(span, example.text):
                    return problem
            if isinstance(example, RelationExample):
                for relation in example.relations:
                    if not (0 <= relation.head < len(example.spans) and 0 <= relation.tail < len(example.spans)):
                        ends = f"{relation.head} and {relation.tail}"
                        return f"relation {relation.label} joins spans {ends} of {len(example.spans)}"
        case FormExample():
            names = [item.name for item in example.items]
            if len(set(names)) != len(names):
                return f'form item "{next(n for n in names if names.count(n) > 1)}" appears twice'
            for item in example.items:
                if item.kind not in ("categorical", "text"):
                    return f'form item "{item.name}" has the unknown kind "{item.kind}"'
                if item.kind == "categorical" and item.value not in item.options and item.value not in UNKNOWN_VALUES:
                    return f'form item "{item.name}" has the value "{item.value}", expected one of {item.options}'
        case ChoiceExample():
            if not 2 <= len(example.options) <= len(LETTERS):
                return f"{len(example.options)} options, expected 2 to {len(LETTERS)}"
            if not 0 <= example.answer < len(example.options):
                return f"answer {example.answer} is not an option (0 to {len(example.options) - 1})"
        case TextExample():
            if not example.text:
                return "empty text"
    return None
