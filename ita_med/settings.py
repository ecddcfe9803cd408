"""Settings that people write (recipes, studies, rows of the catalogue) as dataclasses, read strictly.

A misspelt key, a missing one and a value of the wrong type are errors that name their place. This is done here rather
than with pydantic because the catalogue is read at every start of the command, where importing pydantic alone would
take longer than everything else (benchmarks/startup.py), and because a message then says what to write instead.
"""

from __future__ import annotations

import dataclasses
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ita_med.errors import ItaMedError


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file; an empty file holds none."""
    import yaml

    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ItaMedError(f"{path} is no YAML ({error})") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ItaMedError(f"{path}: expected keys and values, not a {type(raw).__name__}")
    return raw


def read(kind: type, raw: Any, where: str) -> Any:
    """Make a dataclass of keys and values.

    Fields may be texts, numbers, booleans, other dataclasses, lists of texts (one text stands for a list of one),
    dictionaries, `Literal` words, or one of these or None.

    Args:
        kind: The dataclass.
        raw: A dictionary, as YAML or TOML hold it.
        where: What an error's message begins with: a file, and the place in it.

    Raises:
        ItaMedError: An unknown key, a missing one, or a value of another type; one line that names it.
    """
    if not isinstance(raw, dict):
        raise ItaMedError(f"{where}: expected keys and values")
    types = _types(kind)
    for key in raw:
        if key not in types:
            close = get_close_matches(str(key), types, n=1)
            hint = f', did you mean "{close[0]}"?' if close else ""
            raise ItaMedError(f'{where}: unknown key "{key}"{hint}; known: {", ".join(types)}')
    values = {}
    for item in dataclasses.fields(kind):
        at = f"{where}: {item.name}"
        if item.name in raw:
            values[item.name] = _value(types[item.name], raw[item.name], at)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ItaMedError(f"{at} is missing")
    return kind(**values)


@cache
def _types(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields; evaluated once, since the catalogue has a hundred rows."""
    return get_type_hints(kind)


def _value(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        options = get_args(kind)
        if value is None and type(None) in options:
            return None
        fitting = [o for o in options if o is not type(None) and (get_origin(o) or o) is type(value)]
        return _value(fitting[0] if fitting else next(o for o in options if o is not type(None)), value, where)
    if origin is Literal:
        if value not in get_args(kind):
            raise ItaMedError(f"{where} is {value!r}, expected one of {', '.join(map(str, get_args(kind)))}")
        return value
    if dataclasses.is_dataclass(kind):
        return read(kind, value, where)  # type: ignore[arg-type]
    if origin is list:
        return _list(get_args(kind)[0], value, where)
    if kind is float and type(value) is int:
        return float(value)
    expected = origin or kind
    if type(value) is not expected:
        hint = "; YAML reads 1e-3 as a text, write 1.0e-3" if kind is float and isinstance(value, str) else ""
        raise ItaMedError(f"{where} is {value!r}, expected {expected.__name__}{hint}")
    return value


def _list(kind: Any, value: Any, where: str) -> list[Any]:
    if kind is str and isinstance(value, str):
        return [value]
    if not isinstance(value, list) or (kind is str and not all(isinstance(item, str) for item in value)):
        raise ItaMedError(f"{where} is {value!r}, expected a list{' of texts' if kind is str else ''}")
    return [_value(kind, item, f"{where}, entry {number}") for number, item in enumerate(value, 1)]


def change(raw: dict[str, Any], changes: list[str]) -> None:
    """Apply changes of a command line ("train.epochs=2") to keys and values, before they are read."""
    import yaml

    for text in changes:
        key, equals, value = text.partition("=")
        if not equals:
            raise ItaMedError(f'--set {text}: expected KEY=VALUE, as in "train.epochs=2"')
        _set(raw, key.split("."), yaml.safe_load(value), f"--set {key}")


def _set(values: dict[str, Any], keys: list[str], value: Any, where: str) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise ItaMedError(f'{where}: "{key}" holds no keys')
    values[keys[-1]] = value
