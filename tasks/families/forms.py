"""Case report form tasks: prompt, answer, counts and metrics.

The model answers the known items only: {"scheda": {"spo2": "94%", "chest pain": "y"}}; an absent item is unknown.
An answer in canonical form is {"items": {NAME: VALUE}}.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import UNKNOWN, UNKNOWN_VALUES, Example, FormExample, Item
from ita_med.tasks.families.json_answer import first_object
from ita_med.tasks.families.json_schema import Schema, one_of, record, string
from ita_med.tasks.families.spans import clean
from ita_med.tasks.scoring import matching
from ita_med.tasks.scoring import metrics as m

Answer = dict[str, Any]
KEY = "scheda"
LONGEST_VALUE = 64
"""Characters of a free value ("241.000/mm3"), twice the longest one seen: numbers too must come to an end."""
HASHED = re.compile("sha256:([0-9a-f]{16}):([0-9a-f]{16})")
"""A value of which only the hashes are known: of itself and as normalised (see `ita_med.tasks.benchmark.redaction`)."""


@dataclass(frozen=True)
class Setting:
    """form: the items that all notes share (listed once, in the instruction), or () where each note has its own."""

    form: tuple[str, ...]


def setting(task: Task, examples: list[Example]) -> Setting:
    forms = {tuple(_line(item) for item in example.items) for example in examples if isinstance(example, FormExample)}
    return Setting(forms.pop() if len(forms) == 1 else ())


def _line(item: Item) -> str:
    return f"- {item.name}: {' | '.join(item.options) if item.options else 'testo libero'}"


def instruction(s: Setting) -> str:
    shape = json.dumps({KEY: {"voce": "valore"}}, ensure_ascii=False)
    listed = "\nVoci della scheda:\n" + "\n".join(s.form) if s.form else ""
    return (
        "Compila la scheda clinica a partire dal testo. Per le voci con opzioni scegli una delle opzioni; per le voci "
        "a testo libero copia il valore come è scritto nel testo. Ometti le voci di cui il testo non parla.\n"
        f"Rispondi solo con un oggetto JSON su una riga: {shape}{listed}"
    )


def prompt(s: Setting, example: Example) -> str:
    assert isinstance(example, FormExample)
    listed = "" if s.form else "Voci della scheda:\n" + "\n".join(_line(item) for item in example.items) + "\n"
    return f"Testo: {clean(example.text)}\n{listed}Risposta:"


def schema(s: Setting, example: Example) -> Schema:
    """The JSON schema of the answer: the form's items in their order, each of which may be absent (unknown)."""
    assert isinstance(example, FormExample)
    values = {item.name: [option for option in item.options if option not in UNKNOWN_VALUES] for item in example.items}
    items = {
        item.name: one_of(values[item.name]) if item.kind == "categorical" else string(LONGEST_VALUE)
        for item in example.items
        if values[item.name] or item.kind != "categorical"
    }
    return record({KEY: record(items, optional=True)})


def gold(s: Setting, example: Example) -> Answer:
    assert isinstance(example, FormExample)
    return {"items": {item.name: item.value for item in example.items if item.value not in UNKNOWN_VALUES}}


def render(s: Setting, answer: Answer) -> str:
    """The answer as the model is asked to write it."""
    return json.dumps({KEY: answer["items"]}, ensure_ascii=False)


def parse(s: Setting, raw: str, example: Example) -> Answer | None:
    """The answer that a model wrote, or None; numbers are taken as their text, null as unknown."""
    found = first_object(raw, lambda o: KEY in o or is_answer(o))
    if found is None or is_answer(found):
        return found
    values = found[KEY]
    if not isinstance(values, dict):
        return None
    items = {}
    for name, value in values.items():
        if type(value) in (int, Decimal):
            value = str(value)
        if value is not None and not isinstance(value, str):
            return None
        items[name] = value or UNKNOWN
    return {"items": items}


def is_answer(value: Any) -> bool:
    """Whether a decoded JSON value is an answer in canonical form."""
    return (
        isinstance(value, dict)
        and set(value) == {"items"}
        and isinstance(value["items"], dict)
        and all(isinstance(v, str) for v in value["items"].values())
    )


def count(s: Setting, example: Example, answer: Answer | None) -> list[float]:
    """One row of counts; see `metrics` for its columns. Values of items that the form does not have are ignored."""
    assert isinstance(example, FormExample)
    given = answer["items"] if answer else {}
    expected = [_value(item.value) for item in example.items]
    predicted = [_value(given.get(item.name, UNKNOWN)) for item in example.items]
    as_normal = [normalise(v) for v in expected], [normalise(v) for v in predicted]
    if any(HASHED.fullmatch(value) for value in predicted):
        as_normal = (
            [_digest(v) for v in as_normal[0]],
            [_digest(n, v, 2) for n, v in zip(as_normal[1], predicted, strict=True)],
        )
        expected, predicted = [_digest(v) for v in expected], [_digest(v, v, 1) for v in predicted]
    exact, normal = _known(expected, predicted), _known(*as_normal)
    official = m.official_form_f1(expected, predicted) if answer is not None else 0.0
    right = sum(e == p for e, p in zip(expected, predicted, strict=True))
    return [1, answer is None, official, right, len(expected), *exact, *normal]


def _value(value: str) -> str:
    value = matching.fold(value)
    return UNKNOWN if value in UNKNOWN_VALUES else value


def _digest(value: str, hashes: str = "", which: int = 0) -> str:
    """The hash of a value, or the one that stands for it; unknown stays unknown."""
    known = HASHED.fullmatch(hashes)
    digest = known[which] if known else hashed(value)
    return UNKNOWN if digest == hashed(UNKNOWN) else digest


def hashed(text: str) -> str:
    """16 hexadecimal digits of the text's sha256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _known(expected: list[str], predicted: list[str]) -> tuple[int, int, int]:
    """TP, FP, FN over items that are not unknown; another known value is both a false positive and a miss."""
    pairs = list(zip(expected, predicted, strict=True))
    tp = sum(e == p != UNKNOWN for e, p in pairs)
    return tp, sum(p != UNKNOWN for _, p in pairs) - tp, sum(e != UNKNOWN for e, _ in pairs) - tp


def normalise(value: str) -> str:
    """A value without case, white space and the decimal comma: an extra next to the official exact match."""
    return re.sub(r"(?<=\d),(?=\d)", ".", re.sub(r"\s+", "", value.casefold()))


def headline(s: Setting, counts: m.Array) -> m.Array:
    """Numerator and denominator (…, 2) of the score, the mean of the forms' official macro-F1."""
    return counts[..., [2, 0]]


def metrics(s: Setting) -> dict[str, m.Metric]:
    """Columns: forms, failures, sum of official scores, right items, items, known (TP, FP, FN), the same normalised."""
    return {
        "score": lambda sums: m.ratio(headline(s, sums)),
        "f1_known": lambda sums: m.f1(sums[..., 5], sums[..., 6], sums[..., 7]),
        "precision": lambda sums: m.precision(sums[..., 5], sums[..., 6], sums[..., 7]),
        "recall": lambda sums: m.recall(sums[..., 5], sums[..., 6], sums[..., 7]),
        "f1_known_normalised": lambda sums: m.f1(sums[..., 8], sums[..., 9], sums[..., 10]),
        "item_accuracy": lambda sums: sums[..., 3] / np.maximum(sums[..., 4], 1),
        "parse_failure": lambda sums: sums[..., 1] / np.maximum(sums[..., 0], 1),
    }
