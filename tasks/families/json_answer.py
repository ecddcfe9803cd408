"""Find the JSON answer in what a model wrote: chatter, code fences and trailing text around it are ignored."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ita_med.dataset_builders.formats.json_lines import no_constant, no_repeats

MAX_CHARACTERS = 200_000
MAX_CANDIDATES = 50
"""A hostile output of a million braces must not cost a million parses."""

_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=no_constant, object_pairs_hook=no_repeats)
"""Decimal keeps a number as it was written: 7.40 stays 7.40."""


def first_object(raw: str, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """The first well-formed object that `accept` likes; None if there is none.

    NaN, infinities, repeated keys and absurd nesting make an object ill-formed.
    """
    raw = raw[:MAX_CHARACTERS]
    start = -1
    for _ in range(MAX_CANDIDATES):
        start = raw.find("{", start + 1)
        if start < 0:
            return None
        try:
            value, _end = _decoder.raw_decode(raw, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and accept(value):
            return value
    return None
