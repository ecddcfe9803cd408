"""Multiple-choice questions by generation: prompt, answer, counts and metrics.

The model answers {"risposta": "B"}; a bare letter ("B", "B) …") is read too. An answer in canonical form is
{"choice": "B"}, null to abstain.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import LETTERS, ChoiceExample, Example
from ita_med.tasks.families.json_answer import first_object
from ita_med.tasks.families.json_schema import Schema, one_of, record
from ita_med.tasks.scoring import matching
from ita_med.tasks.scoring import metrics as m

Answer = dict[str, Any]
KEY = "risposta"
_BARE_LETTER = re.compile(r"\s*\(?([A-J])(?:[):\]]|\.(?=\s*$|\s*\n|\s+[A-ZÀ-Ý])|\s*$|\s*\n)")
"""A letter alone, or set off as a list marker. "E. coli" and "C. difficile" are germs, not answers."""


@dataclass(frozen=True)
class Setting:
    pass


def setting(task: Task, examples: list[Example]) -> Setting:
    return Setting()


def instruction(s: Setting) -> str:
    shape = json.dumps({KEY: "A"})
    return (
        "Rispondi alla domanda di medicina scegliendo l'unica opzione corretta. "
        f"Rispondi solo con un oggetto JSON con la lettera dell'opzione, per esempio {shape}."
    )


def prompt(s: Setting, example: Example) -> str:
    assert isinstance(example, ChoiceExample)
    context = f"Contesto: {matching.fold(example.context)}\n" if example.context else ""
    options = "\n".join(f"{letter}) {matching.fold(o)}" for letter, o in zip(LETTERS, example.options, strict=False))
    return f"{context}Domanda: {matching.fold(example.question)}\n{options}\nRisposta:"


def schema(s: Setting, example: Example) -> Schema:
    """The JSON schema of the answer: the letters of this question's options."""
    assert isinstance(example, ChoiceExample)
    return record({KEY: one_of(list(LETTERS[: len(example.options)]))})


def gold(s: Setting, example: Example) -> Answer:
    assert isinstance(example, ChoiceExample)
    return {"choice": LETTERS[example.answer]}


def render(s: Setting, answer: Answer) -> str:
    """The answer as the model is asked to write it."""
    return json.dumps({KEY: answer["choice"]})


def parse(s: Setting, raw: str, example: Example) -> Answer | None:
    """The answer that a model wrote, or None; a letter that is no option is no answer."""
    assert isinstance(example, ChoiceExample)
    found = first_object(raw, lambda o: KEY in o or is_answer(o))
    if found is not None and is_answer(found):
        letter = found["choice"]
    elif found is not None:
        letter = found[KEY]
    else:
        bare = _BARE_LETTER.match(raw)
        if not bare:
            return None
        letter = bare[1]
    if letter is None:
        return {"choice": None}
    letter = letter.strip().upper() if isinstance(letter, str) else ""
    return {"choice": letter} if letter in list(LETTERS[: len(example.options)]) else None


def is_answer(value: Any) -> bool:
    """Whether a decoded JSON value is an answer in canonical form."""
    return (
        isinstance(value, dict)
        and set(value) == {"choice"}
        and (value["choice"] is None or isinstance(value["choice"], str))
    )


def count(s: Setting, example: Example, answer: Answer | None) -> list[float]:
    """One row of counts; see `metrics` for its columns."""
    assert isinstance(example, ChoiceExample)
    choice = answer["choice"] if answer else None
    right = choice is not None and choice.strip().upper() == LETTERS[example.answer]
    return [1, answer is None, right, answer is not None and choice is None]


def headline(s: Setting, counts: m.Array) -> m.Array:
    """Numerator and denominator (…, 2) of the score, accuracy over all questions."""
    return counts[..., [2, 0]]


def metrics(s: Setting) -> dict[str, m.Metric]:
    """Columns: questions, failures, right answers, abstentions. An abstention is wrong in the headline score."""

    def per_question(column: int) -> m.Metric:
        return lambda sums: sums[..., column] / np.maximum(sums[..., 0], 1)

    return {
        "score": lambda sums: m.ratio(headline(s, sums)),
        "accuracy_answered": lambda sums: sums[..., 2] / np.maximum(sums[..., 0] - sums[..., 1] - sums[..., 3], 1),
        "abstained": per_question(3),
        "parse_failure": per_question(1),
    }
