"""Read JSON Lines strictly: no NaN, no repeated keys, exactly the expected keys."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from ita_med.errors import DataError

_SURROGATE = re.compile("[\ud800-\udfff]")


def loads(text: str) -> Any:
    """`json.loads` that refuses NaN, Infinity, numbers too large for a float, and repeated keys (ValueError)."""
    return json.loads(text, parse_constant=no_constant, parse_float=finite, object_pairs_hook=no_repeats)


def records(text: str, keys: set[str], where: str, *, exact: bool = True) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, record) of a text.

    A line that is no object with the `keys` is a DataError that begins with `where`; without `exact`, further keys are
    allowed.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        record = loads_object(line, f"{where}, line {number}")
        if exact and (odd := set(record) - keys):
            raise DataError(f'{where}, line {number}: unknown key "{sorted(odd)[0]}", expected {sorted(keys)}')
        if absent := keys - set(record):
            found = "" if exact else f"; found {sorted(record)}"
            missing = f'key "{sorted(absent)[0]}" is missing, expected {sorted(keys)}{found}'
            raise DataError(f"{where}, line {number}: {missing}")
        yield number, record


def loads_object(line: str, where: str) -> dict[str, Any]:
    """The object in one line, or a DataError at `where`."""
    try:
        record = loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error}); get the file again") from error
    if not isinstance(record, dict):
        raise DataError(f"{where} is no JSON object")
    return record


def no_constant(name: str) -> NoReturn:
    """For `json.loads`: refuses NaN and Infinity, which JSON does not have."""
    raise ValueError(f"{name} is no JSON value")


def finite(digits: str) -> float:
    """For `json.loads`: refuses a number that is too large for a float."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: an object as a dictionary, refused where a key stands twice."""
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f'key "{name[:60]}" appears twice')
    return out


def require_text(record: dict[str, Any], keys: Iterable[str], where: str) -> None:
    """Raise DataError unless the values of `keys` are texts that UTF-8 can hold."""
    for key in keys:
        value = record[key]
        if not isinstance(value, str):
            raise DataError(f'{where}: "{key}" is {json.dumps(value, default=str)[:40]}, expected a text')
        if surrogate := _SURROGATE.search(value):
            raise DataError(f'{where}: "{key}" holds half a character at {surrogate.start()}')
