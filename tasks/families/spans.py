"""Mention tasks (named entities, argument components): prompt, answer, counts and metrics.

The model answers one line of JSON with a list of mention texts per category: {"disturbo": ["febbre", "tosse"]}.
An answer in canonical form is {"entities": [{"text", "label", "start"?, "end"?}]}.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import Example, RelationExample, SpanExample
from ita_med.tasks.families.json_answer import first_object
from ita_med.tasks.families.json_schema import Schema, array, most_mentions, power_of_two, record, string
from ita_med.tasks.families.prompt_labels import SPAN_WORDS
from ita_med.tasks.scoring import matching
from ita_med.tasks.scoring import metrics as m

Answer = dict[str, Any]
LONGEST_ENTITY, LONGEST_ARGUMENT = 256, 1024


@dataclass(frozen=True)
class Setting:
    """words: label -> (Italian word, explanation), in the order of the answer's keys."""

    words: dict[str, tuple[str, str]]
    argumentation: bool

    @property
    def labels(self) -> list[str]:
        return list(self.words)


def setting(task: Task, examples: list[Example]) -> Setting:
    return Setting(SPAN_WORDS[task.dataset, task.config], task.family == "arg")


def instruction(s: Setting) -> str:
    what = "le componenti argomentative, ciascuna per intero," if s.argumentation else "tutte le menzioni"
    categories = "\n".join(f"- {word}: {meaning}" for word, meaning in s.words.values())
    shape = json.dumps({word: ["…"] for word, _ in s.words.values()}, ensure_ascii=False)
    return (
        f"Estrai dal testo {what} delle categorie elencate, copiandole esattamente come sono scritte e nell'ordine "
        f"del testo. Se una menzione ricorre più volte, ripetila.\n{categories}\n"
        f"Rispondi solo con un oggetto JSON su una riga: {shape}. Una lista vuota significa nessuna menzione."
    )


def prompt(s: Setting, example: Example) -> str:
    assert isinstance(example, SpanExample | RelationExample)
    return f"Testo: {clean(example.text)}\nRisposta:"


def clean(text: str) -> str:
    """The text as the model reads it: white space folded within lines, no empty lines."""
    return "\n".join(line for line in (matching.fold(line) for line in text.splitlines()) if line)


def schema(s: Setting, example: Example) -> Schema:
    """The JSON schema of the answer: per category at most one entity per two words, one argument per eight.

    No mention is longer than the text. The longest entity seen has 77 characters, the longest argument 630.
    """
    assert isinstance(example, SpanExample)
    words, longest = (8, LONGEST_ARGUMENT) if s.argumentation else (2, LONGEST_ENTITY)
    mention = string(min(power_of_two(max(len(matching.fold(example.text)), 1)), longest))
    return record({word: array(mention, most_mentions(example.text, words)) for word, _ in s.words.values()})


def gold(s: Setting, example: Example) -> Answer:
    assert isinstance(example, SpanExample)
    return {"entities": [{"text": x.text, "label": x.label, "start": x.start, "end": x.end} for x in example.spans]}


def render(s: Setting, answer: Answer) -> str:
    """The answer as the model is asked to write it."""
    lists: dict[str, list[str]] = {word: [] for word, _ in s.words.values()}
    for entity in answer["entities"]:
        lists[s.words[entity["label"]][0]].append(matching.fold(entity["text"]))
    return json.dumps(lists, ensure_ascii=False)


def parse(s: Setting, raw: str, example: Example) -> Answer | None:
    """The answer that a model wrote, or None. Keys that are no category count as wrong mentions, not as a failure."""
    labels = {word: label for label, (word, _) in s.words.items()}
    found = first_object(raw, lambda o: any(key in labels for key in o) or is_answer(o))
    if found is None or is_answer(found):
        return found
    entities = []
    for key, mentions in found.items():
        texts = [mentions] if isinstance(mentions, str) else mentions
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return None
        entities += [{"text": text, "label": labels.get(key, key)} for text in texts if text.strip()]
    return {"entities": entities}


def is_answer(value: Any) -> bool:
    """Whether a decoded JSON value is an answer in canonical form."""
    return (
        isinstance(value, dict)
        and set(value) == {"entities"}
        and isinstance(value["entities"], list)
        and all(_is_entity(entity) for entity in value["entities"])
    )


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


def count(s: Setting, example: Example, answer: Answer | None) -> list[float]:
    """One row of counts; see `metrics` for its columns. None (no answer, or none that parses) is wrong throughout.

    Labels that nobody annotated in the example's document (`meta["not_annotated"]`) are not judged.
    """
    assert isinstance(example, SpanExample)
    skipped = example.meta.get("not_annotated", ())
    entities = [e for e in answer["entities"] if e["label"] not in skipped] if answer else []
    mentions = [(e["label"], matching.fold(e["text"])) for e in entities]
    expected = [(x.label, matching.fold(x.text)) for x in example.spans]
    row: list[float] = [1, answer is None]
    row += matching.multiset_by_label(expected, mentions, s.labels)
    places = [(x.label, x.start, x.end) for x in example.spans]
    found = _places(example.text, entities)
    row += matching.multiset(places, found)
    row += matching.overlap(places, found)
    if s.argumentation:
        row += matching.sets(
            set(matching.token_labels(example.text, places)), set(matching.token_labels(example.text, found))
        )
    return row


def _places(text: str, entities: list[dict[str, Any]]) -> list[matching.Located | None]:
    """Places as answered, else grounded from the text."""
    grounded = iter(matching.ground(text, [(e["label"], e["text"]) for e in entities if "start" not in e]))
    return [(e["label"], e["start"], e["end"]) if "start" in e else next(grounded) for e in entities]


def headline(s: Setting, counts: m.Array) -> m.Array:
    """Numerator and denominator (…, 2) of the score, micro-F1 over mentions."""
    return m.micro_f1_parts(counts[..., 2 : 2 + 3 * (len(s.labels) + 1)])


def metrics(s: Setting) -> dict[str, m.Metric]:
    """Columns: examples, failures, (TP, FP, FN) per label and for unknown labels, offsets, overlap, tokens."""
    first = 2 + 3 * (len(s.labels) + 1)

    def micro(sums: m.Array) -> tuple[m.Array, m.Array, m.Array]:
        by_label = sums[..., 2:first].reshape(*sums.shape[:-1], -1, 3).sum(-2)
        return by_label[..., 0], by_label[..., 1], by_label[..., 2]

    def triple(sums: m.Array, at: int) -> tuple[m.Array, m.Array, m.Array]:
        return sums[..., at], sums[..., at + 1], sums[..., at + 2]

    found: dict[str, m.Metric] = {
        "score": lambda sums: m.ratio(headline(s, sums)),
        "precision": lambda sums: m.precision(*micro(sums)),
        "recall": lambda sums: m.recall(*micro(sums)),
        "f1_macro": lambda sums: m.macro_f1(sums[..., 2:first].reshape(*sums.shape[:-1], -1, 3)),
        "f1_offset": lambda sums: m.f1(*triple(sums, first)),
        "f1_relaxed": lambda sums: m.f1(*triple(sums, first + 3)),
        "parse_failure": lambda sums: sums[..., 1] / np.maximum(sums[..., 0], 1),
    }
    if s.argumentation:
        found["f1_token"] = lambda sums: m.f1(*triple(sums, first + 6))
    if len(s.labels) > 1:
        for i, label in enumerate(s.labels):
            found[f"f1_{label}"] = lambda sums, at=2 + 3 * i: m.f1(*triple(sums, at))  # type: ignore[misc]
    return found
