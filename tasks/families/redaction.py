"""Answers without the text that they were found in, for predictions on gated or non-commercial data.

What an answer copies from the document is written as its place there, what the document does not have as a hash (it
still counts as wrong); the scorer puts the text back from the document. Scores are exactly those of the texts.

    mention    {"start", "end", "label"}     the text at this place
               {"of": [start, end], "label"} a text that the document has, said once more often: it has no place
               {"sha256", "label"}           a text that the document does not have
    head, tail [start, end] or "sha256:…"
    form value as it is if it is one of the item's options; else [start, end], or "sha256:…:…" (of the value, and of
               the value without case, white space and decimal comma)

Each family's `redact` and `restore` write and read its own form; here is what they share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from ita_med.tasks.scoring import matching


def hashed(text: str) -> str:
    """16 hexadecimal digits of the text's sha256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def place_of(text: str, said: str) -> list[int] | None:
    """[start, end] of where the document first has a text, or None."""
    [found] = matching.ground(text, [("", said)])
    return [found[1], found[2]] if found else None


def known_label(label: str, known: Collection[str]) -> str:
    """The label, or its hash if the task does not have it: the model made it up, perhaps from the document."""
    return label if label in known else f"sha256:{hashed(label)}"


def with_texts(text: str, values: Any, keys: Collection[str]) -> Any:
    """A dictionary in which places under some of the keys are replaced by the text that stands there; any other value
    stays as it is."""
    if not isinstance(values, dict):
        return values

    def said(value: Any) -> Any:
        match value:
            case [int(start), int(end)] if 0 <= start < end <= len(text):
                return text[start:end]
        return value

    return {key: said(value) if key in keys else value for key, value in values.items()}
