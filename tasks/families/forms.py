"""Case report form tasks: prompt, answer, counts and metrics.

The model answers the known items only: {"scheda": {"spo2": "94%", "chest pain": "y"}}; an absent item is unknown.
An answer in canonical form is {"items": {NAME: VALUE}}.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import UNKNOWN, UNKNOWN_VALUES, FormExample, Item
from ita_med.tasks.families.family import HEADLINE, PARSE_FAILURE, PRECISION, RECALL, Answer, Family, FamilyMetric
from ita_med.tasks.families.json_answer import first_object
from ita_med.tasks.families.json_schema import Schema, one_of, record, string
from ita_med.tasks.families.redaction import hashed, place_of, with_texts
from ita_med.tasks.families.spans import clean
from ita_med.tasks.scoring import matching
from ita_med.tasks.scoring.metrics import Array, f1, official_form_f1, precision, ratio, recall

KEY = "scheda"
LONGEST_VALUE = 64
"""Characters of a free value ("241.000/mm3"), twice the longest one seen: numbers too must come to an end."""
HASHED = re.compile("sha256:([0-9a-f]{16}):([0-9a-f]{16})")
"""A value of which only the hashes are known: of itself and as normalised (see `ita_med.tasks.families.redaction`)."""


@dataclass(frozen=True)
class FormSetting:
    """form: the items that all notes share (listed once, in the instruction), or () where each note has its own."""

    form: tuple[str, ...]


@dataclass(frozen=True)
class Forms(Family[FormSetting, FormExample]):
    names: dict[str, str]
    example_schema = "form"
    stop = "\nTesto:"
    copies_text = False
    multiple_choice = False
    micro_f1 = False

    def setting(self, task: Task, examples: list[FormExample]) -> FormSetting:
        forms = {tuple(_line(item) for item in example.items) for example in examples}
        return FormSetting(forms.pop() if len(forms) == 1 else ())

    def instruction(self, setting: FormSetting) -> str:
        shape = json.dumps({KEY: {"voce": "valore"}}, ensure_ascii=False)
        listed = "\nVoci della scheda:\n" + "\n".join(setting.form) if setting.form else ""
        return (
            "Compila la scheda clinica a partire dal testo. Per le voci con opzioni scegli una delle opzioni; per le "
            "voci a testo libero copia il valore come è scritto nel testo. Ometti le voci di cui il testo non parla.\n"
            f"Rispondi solo con un oggetto JSON su una riga: {shape}{listed}"
        )

    def prompt(self, setting: FormSetting, example: FormExample) -> str:
        lines = "\n".join(_line(item) for item in example.items)
        listed = "" if setting.form else f"Voci della scheda:\n{lines}\n"
        return f"Testo: {clean(example.text)}\n{listed}Risposta:"

    def document(self, example: FormExample) -> str:
        return example.text

    def schema(self, setting: FormSetting, example: FormExample) -> Schema:
        """The form's items in their order, each of which may be absent (unknown)."""
        values = {item.name: [o for o in item.options if o not in UNKNOWN_VALUES] for item in example.items}
        items = {
            item.name: one_of(values[item.name]) if item.kind == "categorical" else string(LONGEST_VALUE)
            for item in example.items
            if values[item.name] or item.kind != "categorical"
        }
        return record({KEY: record(items, optional=True)})

    def gold(self, setting: FormSetting, example: FormExample) -> Answer:
        return {"items": {item.name: item.value for item in example.items if item.value not in UNKNOWN_VALUES}}

    def blank(self, example: FormExample) -> FormExample:
        items = [dataclasses.replace(item, value=UNKNOWN) for item in example.items]
        return dataclasses.replace(example, items=items, meta={})

    def render(self, setting: FormSetting, answer: Answer) -> str:
        return json.dumps({KEY: answer["items"]}, ensure_ascii=False)

    def parse(self, setting: FormSetting, raw: str, example: FormExample) -> Answer | None:
        """Numbers are taken as their text, null as unknown."""
        found = first_object(raw, lambda o: KEY in o or self.is_answer(o))
        if found is None or self.is_answer(found):
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

    def is_answer(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and set(value) == {"items"}
            and isinstance(value["items"], dict)
            and all(isinstance(v, str) for v in value["items"].values())
        )

    def merge(self, parts: Sequence[tuple[FormExample, Answer]]) -> Answer:
        """Of each item the first known value."""
        items: dict[str, str] = {}
        for _, answer in parts:
            for name, value in answer["items"].items():
                if matching.fold(value) not in UNKNOWN_VALUES:
                    items.setdefault(name, value)
        return {"items": items}

    def redact(self, setting: FormSetting, example: FormExample, answer: Answer) -> Any:
        options = {item.name: item.options for item in example.items}
        items = answer["items"]
        return {"items": {n: _without_text(example.text, v, options[n]) for n, v in items.items() if n in options}}

    def restore(self, example: FormExample, value: Any) -> Any:
        match value:
            case {"items": dict(items)}:
                return value | {"items": with_texts(example.text, items, items)}
        return value

    def count(self, setting: FormSetting, example: FormExample, answer: Answer | None) -> list[float]:
        """Values of items that the form does not have are ignored."""
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
        official = official_form_f1(expected, predicted) if answer is not None else 0.0
        right = sum(e == p for e, p in zip(expected, predicted, strict=True))
        return [1, answer is None, official, right, len(expected), *exact, *normal]

    def headline(self, setting: FormSetting, counts: Array) -> Array:
        """The mean of the forms' official macro-F1."""
        return counts[..., [2, 0]]

    def metrics(self, setting: FormSetting) -> dict[str, FamilyMetric]:
        """Columns: forms, failures, sum of official scores, right items, items, known (TP, FP, FN), the same
        normalised."""
        return {
            "score": FamilyMetric(HEADLINE, lambda sums: ratio(self.headline(setting, sums))),
            "f1_known": FamilyMetric(
                "micro-F1 over the items that the note speaks of",
                lambda sums: f1(sums[..., 5], sums[..., 6], sums[..., 7]),
            ),
            "precision": FamilyMetric(PRECISION, lambda sums: precision(sums[..., 5], sums[..., 6], sums[..., 7])),
            "recall": FamilyMetric(RECALL, lambda sums: recall(sums[..., 5], sums[..., 6], sums[..., 7])),
            "f1_known_normalised": FamilyMetric(
                "the same after case, accents and units are folded",
                lambda sums: f1(sums[..., 8], sums[..., 9], sums[..., 10]),
            ),
            "item_accuracy": FamilyMetric(
                "share of right items, the unknown ones included",
                lambda sums: sums[..., 3] / np.maximum(sums[..., 4], 1),
            ),
            "parse_failure": PARSE_FAILURE,
        }

    def synthetic_counts(self, setting: FormSetting, documents: int, skill: float, rng: np.random.Generator) -> Array:
        """All documents have the same score, drawn around the skill."""
        counts = np.zeros((documents, 11))
        counts[:, 0], counts[:, 2] = 1, rng.beta(9 * skill, 9 - 9 * skill)
        return counts


def normalise(value: str) -> str:
    """A value without case, white space and the decimal comma: an extra next to the official exact match."""
    return re.sub(r"(?<=\d),(?=\d)", ".", re.sub(r"\s+", "", value.casefold()))


def _line(item: Item) -> str:
    """An item as the prompt lists it."""
    return f"- {item.name}: {' | '.join(item.options) if item.options else 'testo libero'}"


def _value(value: str) -> str:
    """A value as it is compared: white space folded, one word for all that is unknown."""
    value = matching.fold(value)
    return UNKNOWN if value in UNKNOWN_VALUES else value


def _digest(value: str, hashes: str = "", which: int = 0) -> str:
    """The hash of a value, or the one that stands for it; unknown stays unknown.

    Args:
        value: the value itself.
        hashes: what was answered; if it is two hashes (`HASHED`), the value is one of them.
        which: the group of `HASHED` to take.
    """
    known = HASHED.fullmatch(hashes)
    digest = known[which] if known else hashed(value)
    return UNKNOWN if digest == hashed(UNKNOWN) else digest


def _known(expected: list[str], predicted: list[str]) -> tuple[int, int, int]:
    """TP, FP, FN over items that are not unknown; another known value is both a false positive and a miss."""
    pairs = list(zip(expected, predicted, strict=True))
    tp = sum(e == p != UNKNOWN for e, p in pairs)
    return tp, sum(p != UNKNOWN for _, p in pairs) - tp, sum(e != UNKNOWN for e, _ in pairs) - tp


def _without_text(text: str, value: str, options: list[str]) -> Any:
    value = matching.fold(value)
    if value in options or value in UNKNOWN_VALUES or HASHED.fullmatch(value):
        return value
    return place_of(text, value) or f"sha256:{hashed(value)}:{hashed(normalise(value))}"
