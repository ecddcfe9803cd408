"""Kinds and options of the items of the eCream form, found in the forms themselves.

The 132 items are not listed anywhere that could be read: "numerical, categorical, binary and mixed" (arXiv 2606.12569).
The 134-item form of `dyspnea_crf` is of the same group and on the same two situations.
"""

from __future__ import annotations

import re

from ita_med.dataset_builders.datasets.dyspnea_crf.items import MEASURED, OPTIONS
from ita_med.schema import UNKNOWN_VALUES

MAX_OPTIONS = 8
"""An item with more different values than this is free text."""
_FIGURE = re.compile(r"\d")


def form(forms: list[dict[str, str]]) -> dict[str, tuple[str, list[str]]]:
    """Item -> (kind, options), in the order of the first form.

    An item of the dyspnea form whose values all fit keeps the options it has there. Any other item is categorical if it
    has 1 to MAX_OPTIONS values, none with a digit: its options are these values, sorted; else it is free text.
    """
    found: dict[str, set[str]] = {name: set() for name in (forms[0] if forms else {})}
    for values in forms:
        for name, value in values.items():
            if value not in UNKNOWN_VALUES:
                found[name].add(value)
    return {name: _kind(name, values) for name, values in found.items()}


def _kind(name: str, values: set[str]) -> tuple[str, list[str]]:
    if name in MEASURED:
        return "text", []
    if values <= set(OPTIONS.get(name, ())) and name in OPTIONS:
        return "categorical", OPTIONS[name]
    if not 1 <= len(values) <= MAX_OPTIONS or any(_FIGURE.search(value) for value in values):
        return "text", []
    return "categorical", sorted(values)
