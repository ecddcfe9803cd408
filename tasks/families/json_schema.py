"""The few forms of JSON Schema that answers need, all of them bounded: a model that loops must come to an end."""

from __future__ import annotations

import json
import re
from typing import Any

Schema = dict[str, Any]
LONGEST_ESCAPE = 6
r"""Characters of one character in JSON, at most: \u001f."""


def record(properties: dict[str, Schema], *, optional: bool = False) -> Schema:
    """An object with these keys in this order and no others; `optional` lets any of them be absent."""
    required = [] if optional else list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def array(items: Schema, longest: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": longest}


def string(longest: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def one_of(values: list[str]) -> Schema:
    return {"type": "string", "enum": values}


def most_mentions(document: str, words: int = 2) -> int:
    """A bound for the mentions of one kind in a document: one per so many words, and four more.

    Bounds are rounded up to powers of two, so that the documents of a task share few schemas.
    """
    return power_of_two(4 + len(re.findall(r"\w+", document)) // words)


def power_of_two(n: int) -> int:
    """The smallest power of two that is not below n (n ≥ 1)."""
    return 1 << (n - 1).bit_length()


def longest_answer(schema: Schema) -> int:
    """Characters of the longest answer that the schema lets through, escapes and separators included."""
    if "enum" in schema:
        return max(len(_dumped(value)) for value in schema["enum"])
    if schema["type"] == "string":
        return 2 + LONGEST_ESCAPE * int(schema["maxLength"])
    if schema["type"] == "array":
        return 2 + int(schema["maxItems"]) * (2 + longest_answer(schema["items"]))
    return 2 + sum(4 + len(_dumped(key)) + longest_answer(value) for key, value in schema["properties"].items())


def _dumped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
