"""E3C layer 1 turned into case report forms (config `crf`): one form per document.

A document's form has three kinds of items, sorted by name so that their order says nothing:

- `fascia d'età del paziente`, categorical, from the `age` of the document's patient (ACTOR), where it is annotated
  (it often is not although the text names an age: then the form does not ask);
- `esame: NAME`, free text: for each test EVENT with results, the text of its result (RML);
- `presenza di: NAME`, categorical sì/no: for each disorder (CLINENTITY) that holds exactly one EVENT, its polarity.

As many items again (at least `MIN_DISTRACTORS` of each kind) are distractors with the value "non noto": tests and
disorders of *train* documents, first those tests that this document mentions without a result, then names that it does
not contain. So a name in the text does not give away that its test has a value.

Limits, counted in the build report: a test measured several times with different results has no single value and is
dropped; so is a disorder affirmed in one place and denied in another. Names are the words of the text, lower-cased,
not concepts: "Hb" and "emoglobina" are two items. The published E3C-to-CRF data set (arXiv 2506.11666) was converted
by its authors in another way; the two are not comparable.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

from ita_med.dataset_builders.datasets.e3c.xmi import XmiDocument, XmiMention
from ita_med.schema import Item

NOT_KNOWN = "non noto"
AGE_ITEM = "fascia d'età del paziente"
AGE_BANDS = {"meno di 2 anni": 2, "2-17 anni": 18, "18-64 anni": 65, "65 anni e oltre": 10**9}
"""Band -> the age in years at which it ends."""
YEARS = {"Y": 1.0, "A": 1.0, "M": 1 / 12, "W": 1 / 52, "D": 1 / 365}
"""Upstream's units; one document writes A (anni) for Y."""
PRESENCE = ["sì", "no"]
MIN_DISTRACTORS = 3


@dataclass(frozen=True)
class Vocabulary:
    """Names of tests and disorders in the train documents, sorted: the distractors come from here."""

    tests: tuple[str, ...]
    disorders: tuple[str, ...]

    @classmethod
    def of(cls, documents: list[XmiDocument]) -> Vocabulary:
        tests = {name for document in documents for name in _results(document)}
        disorders = {name for document in documents for name in _polarities(document)}
        return cls(tuple(sorted(tests)), tuple(sorted(disorders)))


def items(document: XmiDocument, vocabulary: Vocabulary) -> tuple[list[Item], Counter[str]]:
    """The form of a document, and the counts of what could not become an item."""
    dropped: Counter[str] = Counter()
    band = age_band(document)
    form = [Item(AGE_ITEM, "categorical", list(AGE_BANDS), band)] if band else []
    tests = _results(document)
    for name, values in tests.items():
        if len(values) > 1:
            dropped["test_with_several_results"] += 1
        else:
            form.append(Item(f"esame: {name}", "text", [], values.pop()))
    disorders = _polarities(document)
    for name, polarities in disorders.items():
        if len(polarities) > 1:
            dropped["disorder_affirmed_and_denied"] += 1
        else:
            form.append(Item(f"presenza di: {name}", "categorical", PRESENCE, "no" if "NEG" in polarities else "sì"))
    mentioned = _events_without_result(document) & set(vocabulary.tests)
    for name in _distractors(document, vocabulary.tests, len(tests), first=mentioned):
        form.append(Item(f"esame: {name}", "text", [], NOT_KNOWN))
    for name in _distractors(document, vocabulary.disorders, len(disorders)):
        form.append(Item(f"presenza di: {name}", "categorical", PRESENCE, NOT_KNOWN))
    return sorted(form, key=lambda item: item.name), dropped


def age_band(document: XmiDocument) -> str:
    """The band of the first patient whose age is annotated ("84Y", "18M"), or ""."""
    for mention in document.mentions:
        age = re.fullmatch(r"(\d+)([YAMWD])", mention.attributes.get("age", ""))
        if mention.type == "ACTOR" and mention.attributes.get("role") == "PATIENT" and age:
            years = int(age[1]) * YEARS[age[2]]
            return next(band for band, end in AGE_BANDS.items() if years < end)
    return ""


def _results(document: XmiDocument) -> dict[str, set[str]]:
    """Test name -> the distinct texts of its results."""
    results: dict[str, set[str]] = {}
    for link in document.links:
        if link.kind == "PERTAINSTO":
            name = _fold(document, document.mentions[link.target]).lower()
            results.setdefault(name, set()).add(_fold(document, document.mentions[link.source]))
    return results


def _polarities(document: XmiDocument) -> dict[str, set[str]]:
    """Disorder name -> the polarities (POS, NEG) of the one EVENT inside each of its mentions."""
    events = [m for m in document.mentions if m.type == "EVENT"]
    polarities: dict[str, set[str]] = {}
    for mention in document.mentions:
        if mention.type == "CLINENTITY":
            inside = [e for e in events if mention.start <= e.start and e.end <= mention.end]
            if len(inside) == 1:
                name = _fold(document, mention).lower()
                polarities.setdefault(name, set()).add(inside[0].attributes.get("polarity", "POS"))
    return polarities


def _fold(document: XmiDocument, mention: XmiMention) -> str:
    return " ".join(document.text[mention.start : mention.end].split())


def _events_without_result(document: XmiDocument) -> set[str]:
    """Names of events to which no result pertains anywhere in the document."""
    names = {_fold(document, mention).lower() for mention in document.mentions if mention.type == "EVENT"}
    return names - _results(document).keys()


def _distractors(
    document: XmiDocument, names: tuple[str, ...], positives: int, first: set[str] | frozenset[str] = frozenset()
) -> list[str]:
    """Train names in `first`, then those that the document does not contain, in an order of the document's own."""
    text = " ".join(document.text.lower().split())
    usable = [name for name in names if name in first or name not in text]
    usable.sort(key=lambda name: (name not in first, hashlib.sha256(f"{document.id} {name}".encode()).digest()))
    return usable[: max(positives, MIN_DISTRACTORS)]
