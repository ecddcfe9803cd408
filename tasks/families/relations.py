"""Relation tasks: prompt, answer, counts and metrics.

The model answers {"relazioni": [{"risultato": "2,1 mg/dl", "esame": "creatinina"}]}, with the key "relazione" where
the task has several labels. An answer in canonical form is {"relations": [{"head", "label", "tail"}]} (texts).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import Example, RelationExample
from ita_med.tasks.families.json_answer import first_object
from ita_med.tasks.families.json_schema import Schema, array, most_mentions, one_of, power_of_two, record, string
from ita_med.tasks.families.prompt_labels import RELATION_WORDS, RelationWords
from ita_med.tasks.families.spans import LONGEST_ENTITY, clean
from ita_med.tasks.scoring import matching
from ita_med.tasks.scoring import metrics as m

Answer = dict[str, Any]
LIST_KEY = "relazioni"
LABEL_KEY = "relazione"


@dataclass(frozen=True)
class Setting:
    words: RelationWords

    @property
    def labels(self) -> list[str]:
        return list(self.words.labels)

    @property
    def one_label(self) -> bool:
        return len(self.words.labels) == 1


def setting(task: Task, examples: list[Example]) -> Setting:
    return Setting(RELATION_WORDS[task.dataset, task.config])


def instruction(s: Setting) -> str:
    words = s.words
    keys = {words.head[0]: "…"} | ({} if s.one_label else {LABEL_KEY: "…"}) | {words.tail[0]: "…"}
    shape = json.dumps({LIST_KEY: [keys]}, ensure_ascii=False)
    lines = [f"- {words.head[0]}: {words.head[1]}", f"- {words.tail[0]}: {words.tail[1]}"]
    if not s.one_label:
        lines.insert(1, f"- {LABEL_KEY}: " + ", ".join(words.labels.values()))
    return (
        f"Trova nel testo {words.question}. Copia le parole esattamente come sono scritte.\n"
        + "\n".join(lines)
        + f"\nRispondi solo con un oggetto JSON su una riga: {shape}. Una lista vuota significa nessuna relazione."
    )


def prompt(s: Setting, example: Example) -> str:
    assert isinstance(example, RelationExample)
    return f"Testo: {clean(example.text)}\nRisposta:"


def schema(s: Setting, example: Example) -> Schema:
    """The JSON schema of the answer; no mention is longer than the text, or than 256 characters."""
    assert isinstance(example, RelationExample)
    mention = string(min(power_of_two(max(len(matching.fold(example.text)), 1)), LONGEST_ENTITY))
    label = {} if s.one_label else {LABEL_KEY: one_of(list(s.words.labels.values()))}
    row = record({s.words.head[0]: mention} | label | {s.words.tail[0]: mention})
    return record({LIST_KEY: array(row, most_mentions(example.text))})


def gold(s: Setting, example: Example) -> Answer:
    assert isinstance(example, RelationExample)
    text = [span.text for span in example.spans]
    return {"relations": [{"head": text[r.head], "label": r.label, "tail": text[r.tail]} for r in example.relations]}


def render(s: Setting, answer: Answer) -> str:
    """The answer as the model is asked to write it."""
    rows = []
    for relation in answer["relations"]:
        row = {s.words.head[0]: matching.fold(relation["head"])}
        if not s.one_label:
            row[LABEL_KEY] = s.words.labels[relation["label"]]
        rows.append(row | {s.words.tail[0]: matching.fold(relation["tail"])})
    return json.dumps({LIST_KEY: rows}, ensure_ascii=False)


def parse(s: Setting, raw: str, example: Example) -> Answer | None:
    """The answer that a model wrote, or None. A relation word that is not offered counts as a wrong label."""
    found = first_object(raw, lambda o: LIST_KEY in o or is_answer(o))
    if found is None or is_answer(found):
        return found
    labels = {word: label for label, word in s.words.labels.items()}
    head, tail = s.words.head[0], s.words.tail[0]
    relations = []
    rows = found[LIST_KEY]
    if not isinstance(rows, list):
        return None
    for row in rows:
        word = s.words.labels[s.labels[0]] if s.one_label else row.get(LABEL_KEY, "") if isinstance(row, dict) else ""
        if not isinstance(row, dict) or not all(isinstance(x, str) for x in (row.get(head), row.get(tail), word)):
            return None
        relations.append({"head": row[head], "label": labels.get(word, word), "tail": row[tail]})
    return {"relations": relations}


def is_answer(value: Any) -> bool:
    """Whether a decoded JSON value is an answer in canonical form."""
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


def count(s: Setting, example: Example, answer: Answer | None) -> list[float]:
    """One row of counts; see `metrics` for its columns. A document that nobody annotated is not judged."""
    judged = not example.meta.get("not_annotated")
    predicted = [_key(r) for r in answer["relations"]] if answer and judged else []
    expected = [_key(r) for r in gold(s, example)["relations"]]
    pairs = matching.multiset([(h, t) for _, h, t in expected], [(h, t) for _, h, t in predicted])
    return [1, answer is None, *matching.multiset_by_label(expected, predicted, s.labels), *pairs]


def _key(relation: dict[str, str]) -> tuple[str, str, str]:
    return relation["label"], matching.fold(relation["head"]), matching.fold(relation["tail"])


def headline(s: Setting, counts: m.Array) -> m.Array:
    """Numerator and denominator (…, 2) of the score, micro-F1 over relations."""
    return m.micro_f1_parts(counts[..., 2 : 2 + 3 * (len(s.labels) + 1)])


def metrics(s: Setting) -> dict[str, m.Metric]:
    """Columns: examples, failures, (TP, FP, FN) per label and for unknown labels, (TP, FP, FN) without labels."""
    last = 2 + 3 * (len(s.labels) + 1)

    def by_label(sums: m.Array) -> m.Array:
        return sums[..., 2:last].reshape(*sums.shape[:-1], -1, 3)

    def micro(sums: m.Array) -> tuple[m.Array, m.Array, m.Array]:
        total = by_label(sums).sum(-2)
        return total[..., 0], total[..., 1], total[..., 2]

    return {
        "score": lambda sums: m.ratio(headline(s, sums)),
        "precision": lambda sums: m.precision(*micro(sums)),
        "recall": lambda sums: m.recall(*micro(sums)),
        "f1_macro": lambda sums: m.macro_f1(by_label(sums)),
        "f1_unlabelled": lambda sums: m.f1(sums[..., last], sums[..., last + 1], sums[..., last + 2]),
        "parse_failure": lambda sums: sums[..., 1] / np.maximum(sums[..., 0], 1),
    }
