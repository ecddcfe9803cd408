"""Grammars of llguidance: of a JSON schema, or of answers that copy the document's words.

An answer is the JSON of `render`: its separators, its order of keys, accents as they are. One blank may stand before
it, as in the few-shot examples of a base model.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.schema import Example
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.json_schema import Schema
from ita_med.tasks.scoring.matching import fold

Constraint = dict[str, Any] | str
"""A JSON schema, or a Lark grammar of llguidance."""
KINDS = ("schema", "verbatim")
SEPARATORS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""What json.dumps writes; llguidance's own default is "," and ":"."""


def constraint(data: TaskData, example: Example, kind: str = "schema") -> Constraint:
    """What the answer to the example may be; "verbatim" lets spans and relations only copy words of the document.

    Forms and questions answer with options, for the most part: theirs is the schema in any case.
    """
    if kind not in KINDS:
        raise ItaMedError(f'no constraint is called "{kind}"; known: {", ".join(KINDS)}')
    schema = data.schema(example)
    if kind == "verbatim" and data.family.copies_text:
        return verbatim(schema, data.family.document(example))
    return schema


def of_schema(schema: Schema) -> str:
    """The grammar of the answers that a JSON schema allows."""
    return f'start: " "? answer\nanswer: %json {json.dumps(with_separators(schema))}'


def with_separators(schema: Schema) -> Schema:
    """The schema with llguidance's own key for white space; other libraries ignore it."""
    return schema | {"x-guidance": SEPARATORS}


def verbatim(schema: Schema, document: str) -> str:
    """A Lark grammar of the schema's answers in which each free string is a run of whole words of the document.

    A word is a run of letters and digits; any other character stands for itself. White space is folded.
    """
    chunks = [json.dumps(chunk, ensure_ascii=False)[1:-1] for chunk in re.findall(r"\w+|\W", fold(document))]
    substring = json.dumps({"substring_chunks": chunks}, ensure_ascii=False)
    rules = [
        f'start: " "? {_rule(schema)}',
        'mention: "\\"" COPIED "\\""',
        r"COPIED: SUBSTRING & /(?s:\S|\S.*\S)/",
        f"SUBSTRING: %regex {substring}",
    ]
    return "\n".join(rules)


def _rule(schema: Schema) -> str:
    """The schema as one Lark expression; objects with required keys, arrays, strings."""
    if "enum" in schema:
        return "(" + " | ".join(_literal(_dumped(value)) for value in schema["enum"]) + ")"
    if schema["type"] == "string":
        return "mention"
    if schema["type"] == "array":
        item = _rule(schema["items"])
        return f'"[" ({item} (", " {item}){{0,{schema["maxItems"] - 1}}})? "]"'
    parts = [f"{_literal(_dumped(key) + ': ')} {_rule(value)}" for key, value in schema["properties"].items()]
    return '"{" ' + ' ", " '.join(parts) + ' "}"'


def _dumped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _literal(text: str) -> str:
    """A terminal of Lark; it is quoted as JSON is."""
    return json.dumps(text, ensure_ascii=False)
