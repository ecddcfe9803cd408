"""Mention tasks (named entities, argument components): prompt, answer, counts and metrics.

The model answers one line of JSON with a list of mention texts per category: {"disturbo": ["febbre", "tosse"]}.
An answer in canonical form is {"entities": [{"text", "label", "start"?, "end"?}]}.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import SpanExample
from ita_med.tasks.families.family import HEADLINE, PARSE_FAILURE, PRECISION, RECALL, Answer, Family, FamilyMetric
from ita_med.tasks.families.json_answer import first_object
from ita_med.tasks.families.json_schema import Schema, array, most_mentions, power_of_two, record, string
from ita_med.tasks.families.prompt_labels import SPAN_WORDS, check_words, words_of
from ita_med.tasks.families.redaction import hashed, known_label, place_of
from ita_med.tasks.scoring import matching
from ita_med.tasks.scoring.metrics import Array, f1, macro_f1, micro_f1_parts, precision, ratio, recall

LONGEST_ENTITY, LONGEST_ARGUMENT = 256, 1024
NOWHERE = 2**31 - 2
"""A place beyond every text, for a mention that `redact` could not place."""


@dataclass(frozen=True)
class SpanSetting:
    """words: label -> (Italian word, explanation), in the order of the answer's keys."""

    words: dict[str, tuple[str, str]]

    @property
    def labels(self) -> list[str]:
        return list(self.words)


@dataclass(frozen=True)
class Spans(Family[SpanSetting, SpanExample]):
    """names: see `Family`; argumentation: whether mentions are whole argument components, which are also scored by
    their tokens."""

    names: dict[str, str]
    argumentation: bool = False
    example_schema = "spans"
    stop = "\nTesto:"
    copies_text = True
    multiple_choice = False
    micro_f1 = True

    def setting(self, task: Task, examples: list[SpanExample]) -> SpanSetting:
        words = words_of(task, SPAN_WORDS)
        check_words(task, (span.label for example in examples for span in example.spans), words)
        return SpanSetting(words)

    def instruction(self, setting: SpanSetting) -> str:
        what = "le componenti argomentative, ciascuna per intero," if self.argumentation else "tutte le menzioni"
        categories = "\n".join(f"- {word}: {meaning}" for word, meaning in setting.words.values())
        shape = json.dumps({word: ["…"] for word, _ in setting.words.values()}, ensure_ascii=False)
        return (
            f"Estrai dal testo {what} delle categorie elencate, copiandole esattamente come sono scritte e nell'ordine "
            f"del testo. Se una menzione ricorre più volte, ripetila.\n{categories}\n"
            f"Rispondi solo con un oggetto JSON su una riga: {shape}. Una lista vuota significa nessuna menzione."
        )

    def prompt(self, setting: SpanSetting, example: SpanExample) -> str:
        return f"Testo: {clean(example.text)}\nRisposta:"

    def document(self, example: SpanExample) -> str:
        return example.text

    def schema(self, setting: SpanSetting, example: SpanExample) -> Schema:
        """Per category at most one entity per two words, one argument per eight.

        No mention is longer than the text. The longest entity seen has 77 characters, the longest argument 630.
        """
        words, longest = (8, LONGEST_ARGUMENT) if self.argumentation else (2, LONGEST_ENTITY)
        mention = string(min(power_of_two(max(len(matching.fold(example.text)), 1)), longest))
        lists = {word: array(mention, most_mentions(example.text, words)) for word, _ in setting.words.values()}
        return record(lists)

    def gold(self, setting: SpanSetting, example: SpanExample) -> Answer:
        return {"entities": [{"text": x.text, "label": x.label, "start": x.start, "end": x.end} for x in example.spans]}

    def blank(self, example: SpanExample) -> SpanExample:
        return dataclasses.replace(example, spans=[], meta={})

    def render(self, setting: SpanSetting, answer: Answer) -> str:
        lists: dict[str, list[str]] = {word: [] for word, _ in setting.words.values()}
        for entity in answer["entities"]:
            lists[setting.words[entity["label"]][0]].append(matching.fold(entity["text"]))
        return json.dumps(lists, ensure_ascii=False)

    def parse(self, setting: SpanSetting, raw: str, example: SpanExample) -> Answer | None:
        """Keys that are no category count as wrong mentions, not as a failure."""
        labels = {word: label for label, (word, _) in setting.words.items()}
        found = first_object(raw, lambda o: any(key in labels for key in o) or self.is_answer(o))
        if found is None or self.is_answer(found):
            return found
        entities = []
        for key, mentions in found.items():
            texts = [mentions] if isinstance(mentions, str) else mentions
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                return None
            entities += [{"text": text, "label": labels.get(key, key)} for text in texts if text.strip()]
        return {"entities": entities}

    def is_answer(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and set(value) == {"entities"}
            and isinstance(value["entities"], list)
            and all(_is_entity(entity) for entity in value["entities"])
        )

    def merge(self, parts: Sequence[tuple[SpanExample, Answer]]) -> Answer:
        """All mentions, each at its place in the document if its window holds it."""
        return {"entities": [entity for window, answer in parts for entity in _in_document(window, answer)]}

    def redact(self, setting: SpanSetting, example: SpanExample, answer: Answer) -> Any:
        return {"entities": _without_texts(example.text, answer["entities"], set(setting.labels))}

    def restore(self, example: SpanExample, value: Any) -> Any:
        match value:
            case {"entities": list(entities)}:
                return value | {"entities": [_with_text(example.text, entity) for entity in entities]}
        return value

    def labels(self, setting: SpanSetting) -> list[str]:
        return setting.labels

    def count(self, setting: SpanSetting, example: SpanExample, answer: Answer | None) -> list[float]:
        """Labels that nobody annotated in the example's document (`meta["not_annotated"]`) are not judged."""
        skipped = example.meta.get("not_annotated", ())
        entities = [e for e in answer["entities"] if e["label"] not in skipped] if answer else []
        mentions = [(e["label"], matching.fold(e["text"])) for e in entities]
        expected = [(x.label, matching.fold(x.text)) for x in example.spans]
        row: list[float] = [1, answer is None]
        row += matching.multiset_by_label(expected, mentions, setting.labels)
        places = [(x.label, x.start, x.end) for x in example.spans]
        found = _places(example.text, entities)
        row += matching.multiset(places, found)
        row += matching.overlap(places, found)
        if self.argumentation:
            row += matching.sets(
                set(matching.token_labels(example.text, places)), set(matching.token_labels(example.text, found))
            )
        return row

    def headline(self, setting: SpanSetting, counts: Array) -> Array:
        """Micro-F1 over mentions."""
        return micro_f1_parts(counts[..., 2 : 2 + 3 * (len(setting.labels) + 1)])

    def metrics(self, setting: SpanSetting) -> dict[str, FamilyMetric]:
        """Columns: examples, failures, (TP, FP, FN) per label and for unknown labels, offsets, overlap, tokens."""
        first = 2 + 3 * (len(setting.labels) + 1)

        def by_label(sums: Array) -> Array:
            return sums[..., 2:first].reshape(*sums.shape[:-1], -1, 3)

        def micro(sums: Array) -> tuple[Array, Array, Array]:
            total = by_label(sums).sum(-2)
            return total[..., 0], total[..., 1], total[..., 2]

        found = {
            "score": FamilyMetric(HEADLINE, lambda sums: ratio(self.headline(setting, sums))),
            "precision": FamilyMetric(PRECISION, lambda sums: precision(*micro(sums))),
            "recall": FamilyMetric(RECALL, lambda sums: recall(*micro(sums))),
            "f1_macro": FamilyMetric("mean of the labels' F1", lambda sums: macro_f1(by_label(sums))),
            "f1_offset": FamilyMetric(
                "F1 by label and character offsets; an answer without offsets is grounded to the text in order",
                lambda sums: f1(*_triple(sums, first)),
            ),
            "f1_relaxed": FamilyMetric(
                "F1 where any overlap with a mention of the same label counts",
                lambda sums: f1(*_triple(sums, first + 3)),
            ),
            "parse_failure": PARSE_FAILURE,
        }
        if self.argumentation:
            found["f1_token"] = FamilyMetric(
                "F1 over the tokens of argument components", lambda sums: f1(*_triple(sums, first + 6))
            )
        return found

    def label_metrics(self, setting: SpanSetting) -> dict[str, FamilyMetric]:
        """f1_LABEL, where there are several labels."""
        if len(setting.labels) < 2:
            return {}
        return {f"f1_{label}": _label_f1(label, 2 + 3 * i) for i, label in enumerate(setting.labels)}

    def synthetic_counts(self, setting: SpanSetting, documents: int, skill: float, rng: np.random.Generator) -> Array:
        return draw_label_counts(setting.labels, documents, skill, rng)


def clean(text: str) -> str:
    """The text as the model reads it: white space folded within lines, no empty lines."""
    return "\n".join(line for line in (matching.fold(line) for line in text.splitlines()) if line)


def draw_label_counts(labels: list[str], documents: int, skill: float, rng: np.random.Generator) -> Array:
    """Counts (documents, columns) up to those per label, all under the first one: eight annotations per document, of
    which a share `skill` is found, and two superfluous ones."""
    counts = np.zeros((documents, 2 + 3 * (len(labels) + 1)))
    mentions = rng.poisson(8, documents)
    counts[:, 0], counts[:, 2] = 1, rng.binomial(mentions, skill)
    counts[:, 3], counts[:, 4] = rng.poisson(2, documents), mentions - counts[:, 2]
    return counts


def _triple(sums: Array, at: int) -> tuple[Array, Array, Array]:
    """TP, FP and FN, which begin at a column."""
    return sums[..., at], sums[..., at + 1], sums[..., at + 2]


def _label_f1(label: str, at: int) -> FamilyMetric:
    return FamilyMetric(f"F1 of {label}", lambda sums: f1(*_triple(sums, at)))


def _is_entity(entity: Any) -> bool:
    if not isinstance(entity, dict) or not {"text", "label"} <= set(entity) <= {"text", "label", "start", "end"}:
        return False
    placed = [entity[key] for key in ("start", "end") if key in entity]
    return (
        isinstance(entity["text"], str)
        and isinstance(entity["label"], str)
        and len(placed) in (0, 2)
        and all(type(place) is int and 0 <= place < 2**31 for place in placed)
        and (not placed or placed[0] < placed[1])
    )


def _places(text: str, entities: list[dict[str, Any]]) -> list[matching.Located | None]:
    """Places as answered, else grounded from the text."""
    grounded = iter(matching.ground(text, [(e["label"], e["text"]) for e in entities if "start" not in e]))
    return [(e["label"], e["start"], e["end"]) if "start" in e else next(grounded) for e in entities]


def _in_document(window: SpanExample, answer: Answer) -> list[dict[str, Any]]:
    """A window's mentions, with their places in the document."""
    offset = window.meta["offset"]
    mentions = [{"text": e["text"], "label": e["label"]} for e in answer["entities"]]
    places = matching.ground(window.text, [(e["label"], e["text"]) for e in mentions])
    return [
        mention | ({} if place is None else {"start": offset + place[1], "end": offset + place[2]})
        for mention, place in zip(mentions, places, strict=True)
    ]


def _without_texts(text: str, entities: list[dict[str, Any]], labels: set[str]) -> list[dict[str, Any]]:
    """Mentions as places: each text is looked up in the document from left to right, as `matching.ground` does when
    scoring."""
    places = iter(matching.ground(text, [(e["label"], e["text"]) for e in entities if "start" not in e]))
    out = []
    for entity in entities:
        label = {"label": known_label(entity["label"], labels)}
        if "start" in entity:
            own = {"start": entity["start"], "end": entity["end"]}
            same = own["end"] <= len(text) and matching.fold(text[own["start"] : own["end"]]) == matching.fold(
                entity["text"]
            )
            out.append(own | ({} if same else _reference(text, entity["text"])) | label)
        elif place := next(places):
            out.append({"start": place[1], "end": place[2]} | label)
        else:
            out.append(_reference(text, entity["text"]) | label)
    return out


def _reference(text: str, said: str) -> dict[str, Any]:
    """What stands for the text of a mention that has no place of its own."""
    place = place_of(text, said)
    return {"of": place} if place else {"sha256": hashed(matching.fold(said))}


def _with_text(text: str, entity: Any) -> Any:
    """A mention of `_without_texts` with its text again; any other value stays as it is."""
    if not isinstance(entity, dict) or "text" in entity:
        return entity
    match entity:
        case {"of": [int(start), int(end)], **rest} if 0 <= start < end <= len(text):
            return {"start": NOWHERE, "end": NOWHERE + 1} | rest | {"text": text[start:end]}
        case {"sha256": str(digest), **rest}:
            return rest | {"text": f"sha256:{digest}"}
        case {"start": int(start), "end": int(end)} if 0 <= start < end <= len(text):
            return entity | {"text": text[start:end]}
    return entity
