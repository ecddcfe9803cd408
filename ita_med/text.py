"""Texts from outside: bytes of upstream files as text, and names that are safe to print, to write and to show."""

from __future__ import annotations

import re

from ita_med.errors import DataError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Characters that a name shown on a page must not hold: controls, invisible ones, changes of direction, surrogates."""


def decode(content: bytes, path: str) -> str:
    """The text of an upstream file, which must be UTF-8 (a byte order mark is taken off) and hold no NUL.

    Raises:
        DataError: Names `path` and the byte that is wrong.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8; get the file again") from error
    if (place := content.find(b"\0")) >= 0:
        raise DataError(f"{path}: byte {place} is a NUL, which no text holds; get the file again")
    return text


def encodable(text: str) -> str:
    """The text with "?" for lone surrogates, which no UTF-8 file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def visible(text: str) -> str:
    """The text with "?" for line breaks and control characters, so that a name stays within its cell of a table."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def short_line(text: str, limit: int = 80) -> str:
    """The first `limit` characters with "?" for what `CONTROL` names: a name from outside, for a page or a message."""
    return CONTROL.sub("?", text)[:limit]
