"""The one kind of error that a user's input can cause; its message is one line, shown without a stack trace."""

from __future__ import annotations

MAX_MESSAGE = 1000
"""A message quotes bad input, which may be one line of 100 MB: its middle is left out."""


class ItaMedError(Exception):
    """A user's mistake or a bad input file: which file and record, what was expected, what to do next."""

    def __init__(self, message: str) -> None:
        if len(message) > MAX_MESSAGE:
            message = f"{message[: MAX_MESSAGE // 2]} […] {message[-MAX_MESSAGE // 2 + 5 :]}"
        printable = "".join(char if char.isprintable() or char.isspace() else "\ufffd" for char in message)
        super().__init__(" ".join(printable.split()))


class DataError(ItaMedError):
    """A record that does not fit its schema or its upstream format."""


class SourceError(ItaMedError):
    """Raw files that are missing, gated, or not the pinned ones."""


class MissingPackage(ItaMedError):
    """A package of one of ita-med's extras that is not installed."""

    def __init__(self, what: str, extra: str, error: ImportError) -> None:
        super().__init__(f"{what} needs more packages ({error}): pip install 'ita-med[{extra}]'")


class MissingSource(SourceError):
    """Raw files that are not here: not in the mirror, not downloaded, or gated for this user."""
