"""The floor "knn" for forms: the values of the most similar note, or what stands near an item's name in the text.

The settings marked (cv) gave the best score in five folds over the E3C training documents.
"""

from __future__ import annotations

import re

from ita_med.dataset_builders.datasets.e3c.crf_items import AGE_BANDS, AGE_ITEM, PRESENCE
from ita_med.schema import UNKNOWN_VALUES, FormExample, Item
from ita_med.tasks.baselines import gazetteer
from ita_med.tasks.baselines.gazetteer import Gazetteer
from ita_med.tasks.baselines.majority import most_frequent
from ita_med.tasks.baselines.similar import nearest
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer

MIN_COSINE = 0.3  # below it an empty form does better (leave-one-out over the training notes of the synthetic sample)
EXAM, PRESENT = "esame: ", "presenza di: "
AFTER_EXAM = 60  # characters (cv)
BEFORE_DISORDER = 25  # characters (cv)
_NEGATION = re.compile(r"\b(?:non|nega|negava|assenza di|senza|né|esclus[aoie]|negativ[aoie] per)\b", re.IGNORECASE)
_AGE = re.compile(
    r"\banni (?P<after>\d{1,3})\b|(?<!\bda )\b(?P<before>\d{1,3}) (?:aa|anni)\b|\bdi (?P<months>\d{1,2}) mesi\b"
)


def forms(data: TaskData) -> dict[str, Answer]:
    """By similar notes where all notes share one form, else by the names of the items."""
    train = [example for example in data.train if isinstance(example, FormExample)]
    examples = [example for example in data.examples if isinstance(example, FormExample)]
    return by_note(train, examples) if data.setting.form else by_name(train, examples)


def by_note(train: list[FormExample], examples: list[FormExample]) -> dict[str, Answer]:
    """The form of the most similar training note, or an empty one if none is similar."""
    neighbours, cosines = nearest([e.text for e in train], [e.text for e in examples], 1)
    answers: dict[str, Answer] = {}
    for example, row, cosine in zip(examples, neighbours, cosines, strict=True):
        similar = train[row[0]].items if len(row) and cosine[0] >= MIN_COSINE else []
        values = {item.name: item.value for item in similar}
        answers[example.id] = {
            "items": _known({item.name: values.get(item.name, "") for item in example.items}, example)
        }
    return answers


def by_name(train: list[FormExample], examples: list[FormExample]) -> dict[str, Answer]:
    """Exams take the value that follows their name, disorders whether their name is negated; the age is read off."""
    items = [item for example in train for item in example.items if item.value not in UNKNOWN_VALUES]
    values = gazetteer.of(gazetteer.key(item.value, gazetteer.shapes) for item in items if item.name.startswith(EXAM))
    usual = most_frequent(item.value for item in items if item.name.startswith(PRESENT)) or PRESENCE[0]
    answers: dict[str, Answer] = {}
    for example in examples:
        answers[example.id] = {
            "items": _known({item.name: read(item, example.text, values, usual) for item in example.items}, example)
        }
    return answers


def read(item: Item, text: str, values: Gazetteer, usual: str) -> str:
    """What the text says about an item, or nothing."""
    if item.name == AGE_ITEM:
        return age_band(text)
    name = item.name.removeprefix(EXAM).removeprefix(PRESENT)
    places = gazetteer.find(text, gazetteer.of([gazetteer.key(name)]))
    if not places:
        return ""
    if not item.name.startswith(EXAM):
        start = places[0][0]
        return PRESENCE[1] if _NEGATION.search(text[max(0, start - BEFORE_DISORDER) : start]) else usual
    for _, end in places:
        after = text[end : end + AFTER_EXAM]
        for start, stop in gazetteer.find(after, values, gazetteer.shapes)[:1]:
            return after[start:stop]
    return ""


def age_band(text: str) -> str:
    """The band of the first age in the text: "di 47 anni", "anni 47", "47 aa", "di 18 mesi"."""
    match = _AGE.search(text)
    if not match:
        return ""
    years = int(match["months"]) / 12 if match["months"] else int(match["after"] or match["before"])
    return next(band for band, end in AGE_BANDS.items() if years < end)


def _known(values: dict[str, str], example: FormExample) -> dict[str, str]:
    """The values without unknown ones and without those that an item does not offer."""
    offered = {item.name: item.options for item in example.items}
    return {
        name: value
        for name, value in values.items()
        if value not in UNKNOWN_VALUES and (not offered[name] or value in offered[name])
    }
