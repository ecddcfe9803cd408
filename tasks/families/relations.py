"""Relation tasks: prompt, answer, counts and metrics.

The model answers {"relazioni": [{"risultato": "2,1 mg/dl", "esame": "creatinina"}]}, with the key "relazione" where
the task has several labels. An answer in canonical form is {"relations": [{"head", "label", "tail"}]} (texts).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import RelationExample
from ita_med.tasks.families.family import HEADLINE, PARSE_FAILURE, PRECISION, RECALL, Answer, Family, FamilyMetric
from ita_med.tasks.families.json_answer import first_object
from ita_med.tasks.families.json_schema import Schema, array, most_mentions, one_of, power_of_two, record, string
from ita_med.tasks.families.prompt_labels import RELATION_WORDS, RelationWords, check_words, words_of
from ita_med.tasks.families.redaction import hashed, known_label, place_of, with_texts
from ita_med.tasks.families.spans import LONGEST_ENTITY, clean, draw_label_counts
from ita_med.tasks.scoring import matching
from ita_med.tasks.scoring.metrics import Array, f1, macro_f1, micro_f1_parts, precision, ratio, recall

LIST_KEY = "relazioni"
LABEL_KEY = "relazione"


@dataclass(frozen=True)
class RelationSetting:
    words: RelationWords

    @property
    def labels(self) -> list[str]:
        return list(self.words.labels)

    @property
    def one_label(self) -> bool:
        """Whether the task has a single label; then none is asked."""
        return len(self.words.labels) == 1


@dataclass(frozen=True)
class Relations(Family[RelationSetting, RelationExample]):
    names: dict[str, str]
    example_schema = "relations"
    stop = "\nTesto:"
    copies_text = True
    multiple_choice = False
    micro_f1 = True

    def setting(self, task: Task, examples: list[RelationExample]) -> RelationSetting:
        words = words_of(task, RELATION_WORDS)
        check_words(task, (relation.label for example in examples for relation in example.relations), words.labels)
        return RelationSetting(words)

    def instruction(self, setting: RelationSetting) -> str:
        words = setting.words
        keys = {words.head[0]: "…"} | ({} if setting.one_label else {LABEL_KEY: "…"}) | {words.tail[0]: "…"}
        shape = json.dumps({LIST_KEY: [keys]}, ensure_ascii=False)
        lines = [f"- {words.head[0]}: {words.head[1]}", f"- {words.tail[0]}: {words.tail[1]}"]
        if not setting.one_label:
            lines.insert(1, f"- {LABEL_KEY}: " + ", ".join(words.labels.values()))
        return (
            f"Trova nel testo {words.question}. Copia le parole esattamente come sono scritte.\n"
            + "\n".join(lines)
            + f"\nRispondi solo con un oggetto JSON su una riga: {shape}. Una lista vuota significa nessuna relazione."
        )

    def prompt(self, setting: RelationSetting, example: RelationExample) -> str:
        return f"Testo: {clean(example.text)}\nRisposta:"

    def document(self, example: RelationExample) -> str:
        return example.text

    def schema(self, setting: RelationSetting, example: RelationExample) -> Schema:
        """No mention is longer than the text, or than 256 characters."""
        words = setting.words
        mention = string(min(power_of_two(max(len(matching.fold(example.text)), 1)), LONGEST_ENTITY))
        label = {} if setting.one_label else {LABEL_KEY: one_of(list(words.labels.values()))}
        row = record({words.head[0]: mention} | label | {words.tail[0]: mention})
        return record({LIST_KEY: array(row, most_mentions(example.text))})

    def gold(self, setting: RelationSetting, example: RelationExample) -> Answer:
        text = [span.text for span in example.spans]
        return {
            "relations": [{"head": text[r.head], "label": r.label, "tail": text[r.tail]} for r in example.relations]
        }

    def blank(self, example: RelationExample) -> RelationExample:
        return dataclasses.replace(example, spans=[], relations=[], meta={})

    def render(self, setting: RelationSetting, answer: Answer) -> str:
        words = setting.words
        rows = []
        for relation in answer["relations"]:
            row = {words.head[0]: matching.fold(relation["head"])}
            if not setting.one_label:
                row[LABEL_KEY] = words.labels[relation["label"]]
            rows.append(row | {words.tail[0]: matching.fold(relation["tail"])})
        return json.dumps({LIST_KEY: rows}, ensure_ascii=False)

    def parse(self, setting: RelationSetting, raw: str, example: RelationExample) -> Answer | None:
        """A relation word that is not offered counts as a wrong label."""
        found = first_object(raw, lambda o: LIST_KEY in o or self.is_answer(o))
        if found is None or self.is_answer(found):
            return found
        words = setting.words
        labels = {word: label for label, word in words.labels.items()}
        only = words.labels[setting.labels[0]] if setting.one_label else None
        head, tail = words.head[0], words.tail[0]
        relations = []
        rows = found[LIST_KEY]
        if not isinstance(rows, list):
            return None
        for row in rows:
            if not isinstance(row, dict):
                return None
            word = row.get(LABEL_KEY, "") if only is None else only
            if not all(isinstance(x, str) for x in (row.get(head), row.get(tail), word)):
                return None
            relations.append({"head": row[head], "label": labels.get(word, word), "tail": row[tail]})
        return {"relations": relations}

    def is_answer(self, value: Any) -> bool:
        keys = {"head", "label", "tail"}
        return (
            isinstance(value, dict)
            and set(value) == {"relations"}
            and isinstance(value["relations"], list)
            and all(
                isinstance(r, dict) and set(r) == keys and all(isinstance(r[key], str) for key in keys)
                for r in value["relations"]
            )
        )

    def merge(self, parts: Sequence[tuple[RelationExample, Answer]]) -> Answer:
        """All relations; what links two windows cannot be found."""
        return {"relations": [relation for _, answer in parts for relation in answer["relations"]]}

    def redact(self, setting: RelationSetting, example: RelationExample, answer: Answer) -> Any:
        known = set(setting.labels)
        return {"relations": [_without_texts(example.text, r, known) for r in answer["relations"]]}

    def restore(self, example: RelationExample, value: Any) -> Any:
        match value:
            case {"relations": list(relations)}:
                return value | {"relations": [with_texts(example.text, r, ("head", "tail")) for r in relations]}
        return value

    def labels(self, setting: RelationSetting) -> list[str]:
        return setting.labels

    def count(self, setting: RelationSetting, example: RelationExample, answer: Answer | None) -> list[float]:
        """A document that nobody annotated is not judged."""
        judged = not example.meta.get("not_annotated")
        predicted = [_key(r) for r in answer["relations"]] if answer and judged else []
        expected = [_key(r) for r in self.gold(setting, example)["relations"]]
        pairs = matching.multiset([(h, t) for _, h, t in expected], [(h, t) for _, h, t in predicted])
        return [1, answer is None, *matching.multiset_by_label(expected, predicted, setting.labels), *pairs]

    def headline(self, setting: RelationSetting, counts: Array) -> Array:
        """Micro-F1 over relations."""
        return micro_f1_parts(counts[..., 2 : 2 + 3 * (len(setting.labels) + 1)])

    def metrics(self, setting: RelationSetting) -> dict[str, FamilyMetric]:
        """Columns: examples, failures, (TP, FP, FN) per label and for unknown labels, (TP, FP, FN) without labels."""
        last = 2 + 3 * (len(setting.labels) + 1)

        def by_label(sums: Array) -> Array:
            return sums[..., 2:last].reshape(*sums.shape[:-1], -1, 3)

        def micro(sums: Array) -> tuple[Array, Array, Array]:
            total = by_label(sums).sum(-2)
            return total[..., 0], total[..., 1], total[..., 2]

        return {
            "score": FamilyMetric(HEADLINE, lambda sums: ratio(self.headline(setting, sums))),
            "precision": FamilyMetric(PRECISION, lambda sums: precision(*micro(sums))),
            "recall": FamilyMetric(RECALL, lambda sums: recall(*micro(sums))),
            "f1_macro": FamilyMetric("mean of the labels' F1", lambda sums: macro_f1(by_label(sums))),
            "f1_unlabelled": FamilyMetric(
                "F1 of head and tail without the relation's label",
                lambda sums: f1(sums[..., last], sums[..., last + 1], sums[..., last + 2]),
            ),
            "parse_failure": PARSE_FAILURE,
        }

    def synthetic_counts(
        self, setting: RelationSetting, documents: int, skill: float, rng: np.random.Generator
    ) -> Array:
        return draw_label_counts(setting.labels, documents, skill, rng)


def _key(relation: dict[str, str]) -> tuple[str, str, str]:
    return relation["label"], matching.fold(relation["head"]), matching.fold(relation["tail"])


def _without_texts(text: str, relation: dict[str, str], known: set[str]) -> dict[str, Any]:
    ends = {
        key: place_of(text, relation[key]) or f"sha256:{hashed(matching.fold(relation[key]))}"
        for key in ("head", "tail")
    }
    return {"head": ends["head"], "label": known_label(relation["label"], known), "tail": ends["tail"]}
