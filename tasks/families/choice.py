"""Multiple-choice questions by generation: prompt, answer, counts and metrics.

The model answers {"risposta": "B"}; a bare letter ("B", "B) …") is read too. An answer in canonical form is
{"choice": "B"}, null to abstain.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import LETTERS, ChoiceExample
from ita_med.tasks.families.family import HEADLINE, PARSE_FAILURE, Answer, Family, FamilyMetric
from ita_med.tasks.families.json_answer import first_object
from ita_med.tasks.families.json_schema import Schema, one_of, record
from ita_med.tasks.scoring import matching
from ita_med.tasks.scoring.metrics import Array, ratio

KEY = "risposta"
_BARE_LETTER = re.compile(r"\s*\(?([A-J])(?:[):\]]|\.(?=\s*$|\s*\n|\s+[A-ZÀ-Ý])|\s*$|\s*\n)")
"""A letter alone, or set off as a list marker. "E. coli" and "C. difficile" are germs, not answers."""


@dataclass(frozen=True)
class Choice(Family[None, ChoiceExample]):
    """Questions bring all that their prompts need: a task has no setting."""

    names: dict[str, str]
    example_schema = "choice"
    stop = "\nDomanda:"
    copies_text = False
    multiple_choice = True
    micro_f1 = False

    def setting(self, task: Task, examples: list[ChoiceExample]) -> None:
        return None

    def instruction(self, setting: None) -> str:
        shape = json.dumps({KEY: "A"})
        return (
            "Rispondi alla domanda di medicina scegliendo l'unica opzione corretta. "
            f"Rispondi solo con un oggetto JSON con la lettera dell'opzione, per esempio {shape}."
        )

    def prompt(self, setting: None, example: ChoiceExample) -> str:
        context = f"Contesto: {matching.fold(example.context)}\n" if example.context else ""
        options = "\n".join(
            f"{letter}) {matching.fold(option)}" for letter, option in zip(LETTERS, example.options, strict=False)
        )
        return f"{context}Domanda: {matching.fold(example.question)}\n{options}\nRisposta:"

    def document(self, example: ChoiceExample) -> str:
        return ""

    def schema(self, setting: None, example: ChoiceExample) -> Schema:
        """The letters of this question's options."""
        return record({KEY: one_of(_letters(example))})

    def gold(self, setting: None, example: ChoiceExample) -> Answer:
        return {"choice": LETTERS[example.answer]}

    def blank(self, example: ChoiceExample) -> ChoiceExample:
        return dataclasses.replace(example, answer=0, meta={})

    def render(self, setting: None, answer: Answer) -> str:
        return json.dumps({KEY: answer["choice"]})

    def parse(self, setting: None, raw: str, example: ChoiceExample) -> Answer | None:
        """A letter that is no option is no answer."""
        found = first_object(raw, lambda o: KEY in o or self.is_answer(o))
        if found is not None and self.is_answer(found):
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
        return {"choice": letter} if letter in _letters(example) else None

    def is_answer(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and set(value) == {"choice"}
            and (value["choice"] is None or isinstance(value["choice"], str))
        )

    def merge(self, parts: Sequence[tuple[ChoiceExample, Answer]]) -> Answer:
        """A question is never cut: there is one part."""
        [(_, answer)] = parts
        return answer

    def redact(self, setting: None, example: ChoiceExample, answer: Answer) -> Any:
        return answer

    def restore(self, example: ChoiceExample, value: Any) -> Any:
        return value

    def alternatives(self, example: ChoiceExample) -> list[Answer]:
        return [{"choice": letter} for letter in _letters(example)]

    def count(self, setting: None, example: ChoiceExample, answer: Answer | None) -> list[float]:
        choice = answer["choice"] if answer else None
        right = choice is not None and choice.strip().upper() == LETTERS[example.answer]
        return [1, answer is None, right, answer is not None and choice is None]

    def headline(self, setting: None, counts: Array) -> Array:
        """Accuracy over all questions."""
        return counts[..., [2, 0]]

    def metrics(self, setting: None) -> dict[str, FamilyMetric]:
        """Columns: questions, failures, right answers, abstentions. An abstention is wrong in the headline score."""
        return {
            "score": FamilyMetric(HEADLINE, lambda sums: ratio(self.headline(setting, sums))),
            "accuracy_answered": FamilyMetric(
                "accuracy over the questions that were answered",
                lambda sums: sums[..., 2] / np.maximum(sums[..., 0] - sums[..., 1] - sums[..., 3], 1),
            ),
            "abstained": FamilyMetric(
                "share of questions answered with null",
                lambda sums: sums[..., 3] / np.maximum(sums[..., 0], 1),
                higher_is_better=False,
            ),
            "parse_failure": PARSE_FAILURE,
        }

    def synthetic_counts(self, setting: None, documents: int, skill: float, rng: np.random.Generator) -> Array:
        counts = np.zeros((documents, 4))
        counts[:, 0], counts[:, 2] = 1, rng.random(documents) < skill
        return counts


def _letters(example: ChoiceExample) -> list[str]:
    """The letters of a question's options."""
    return list(LETTERS[: len(example.options)])
