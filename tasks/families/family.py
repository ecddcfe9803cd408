"""What a family of tasks is: how its tasks ask, how their answers are read and counted, and what else the rooms above
need to know of it. `ita_med.tasks.families.registry` names all families.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from ita_med.catalogue import Task
from ita_med.schema import Example
from ita_med.tasks.families.json_schema import Schema
from ita_med.tasks.scoring.metrics import Array, Metric

Answer = dict[str, Any]
"""An answer in canonical form: what predictions files hold; its keys are the family's."""
S = TypeVar("S")
"""What the prompts and counts of a task depend on beside the example, such as the words of its labels."""
E = TypeVar("E", bound=Example)
"""The class of the family's examples."""


@dataclass(frozen=True)
class FamilyMetric:
    """A metric of a family, which is called like any other.

    Attributes:
        meaning: what it says, for the page of a task.
        metric: from sums of counts (…, columns) to values (…).
        higher_is_better: whether a better system has more of it.
    """

    meaning: str
    metric: Metric
    higher_is_better: bool = True

    def __call__(self, sums: Array) -> Array:
        return self.metric(sums)


PARSE_FAILURE = FamilyMetric(
    "share of answers that could not be read; they are wrong",
    lambda sums: sums[..., 1] / np.maximum(sums[..., 0], 1),
    higher_is_better=False,
)
"""For every family: the first two columns of counts are examples, and answers that could not be read."""
HEADLINE = "the headline"
PRECISION, RECALL = "precision of the headline's matches", "recall of the headline's matches"
"""What these metrics mean, in all families that have them."""


class Family(Protocol[S, E]):
    """How the tasks of one family work. A class that implements it names it as its base, and so inherits what is not
    everybody's (`labels`, `label_metrics`, `alternatives`).

    Attributes:
        names: what users call the family, by language ("it", "en").
        example_schema: the schema of its examples, one of `ita_med.schema.SCHEMAS`.
        stop: how the next example of a few-shot prompt begins; a base model's answer ends there.
        copies_text: whether the free strings of an answer are copied from `document`, so that constrained decoding may
            allow no others.
        multiple_choice: whether an answer is one of a few `alternatives`. Then a model can also be asked for the
            likeliest one, and whether an answer was right gives the key away.
        micro_f1: whether the headline is a micro-F1, its parts being 2 TP and 2 TP + FP + FN.
    """

    names: dict[str, str]
    example_schema: str
    stop: str
    copies_text: bool
    multiple_choice: bool
    micro_f1: bool

    # --- asking

    def setting(self, task: Task, examples: list[E]) -> S:
        """The setting of a task.

        Args:
            task: a row of the catalogue.
            examples: those that are evaluated; [] where only counts are at hand.
        """
        ...

    def instruction(self, setting: S) -> str:
        """What is asked, in front of all examples; in a chat it is the system turn."""
        ...

    def prompt(self, setting: S, example: E) -> str:
        """One example as the model reads it, ending where the answer begins."""
        ...

    def document(self, example: E) -> str:
        """The text that the answer is read from, which may be cut into windows; "" where an example is asked whole."""
        ...

    def schema(self, setting: S, example: E) -> Schema:
        """The JSON schema of the answers to an example, for constrained decoding."""
        ...

    # --- answers

    def gold(self, setting: S, example: E) -> Answer:
        """The right answer."""
        ...

    def blank(self, example: E) -> E:
        """A copy of the example without its gold, and without `meta`, which may repeat it."""
        ...

    def render(self, setting: S, answer: Answer) -> str:
        """The answer as the model is asked to write it."""
        ...

    def parse(self, setting: S, raw: str, example: E) -> Answer | None:
        """The answer that a model wrote, as asked or in canonical form; None where there is none."""
        ...

    def is_answer(self, value: Any) -> bool:
        """Whether a decoded JSON value is an answer in canonical form."""
        ...

    def merge(self, parts: Sequence[tuple[E, Answer]]) -> Answer:
        """The answer to a document from those to its windows, in reading order (at least one)."""
        ...

    def redact(self, setting: S, example: E, answer: Answer) -> Any:
        """The answer without the document's text; see `ita_med.tasks.families.redaction`."""
        ...

    def restore(self, example: E, value: Any) -> Any:
        """The answer that `redact` made the value of; a value that it did not make stays as it is."""
        ...

    def alternatives(self, example: E) -> list[Answer]:
        """All answers that are possible, where they are few (`multiple_choice`)."""
        return []

    # --- scores

    def labels(self, setting: S) -> list[str]:
        """The labels of a task's annotations; [] where its examples bring their own options."""
        return []

    def count(self, setting: S, example: E, answer: Answer | None) -> list[float]:
        """One row of counts; the columns are described at `metrics`. None (no answer, or none that could be read) is
        wrong throughout."""
        ...

    def headline(self, setting: S, counts: Array) -> Array:
        """Numerator and denominator (…, 2) of the score, from counts (…, columns)."""
        ...

    def metrics(self, setting: S) -> dict[str, FamilyMetric]:
        """The metrics that all tasks of the family have, by name, "score" (the headline) first."""
        ...

    def label_metrics(self, setting: S) -> dict[str, FamilyMetric]:
        """Metrics of single labels, whose names depend on the task. lm-eval does not get these."""
        return {}

    def synthetic_counts(self, setting: S, documents: int, skill: float, rng: np.random.Generator) -> Array:
        """Drawn counts (documents, columns) of a system that is right in a share `skill`; no documents exist. Columns
        that the headline does not need may be missing or 0."""
        ...
