"""The answers of a floor to all examples of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ita_med.errors import ItaMedError
from ita_med.schema import UNKNOWN, ChoiceExample, Example, FormExample, RelationExample, SpanExample
from ita_med.tasks.baselines import KINDS, chance, knn, knn_forms, knn_relations, majority
from ita_med.tasks.benchmark.task_data import Answer, TaskData

Answers = dict[str, Answer]
MAJORITY: dict[str, Callable[[TaskData], Answers]] = {
    "ner": majority.mentions,
    "arg": majority.components,
    "re": majority.relations,
    "crf": majority.forms,
    "qa": majority.choices,
}
KNN: dict[str, Callable[[TaskData], Answers]] = {
    "ner": knn.mentions,
    "arg": knn.components,
    "re": knn_relations.relations,
    "crf": knn_forms.forms,
    "qa": knn.choices,
}
RANDOM: dict[str, Callable[[TaskData, int], Answers]] = {
    "ner": chance.mentions,
    "arg": chance.mentions,
    "re": chance.relations,
    "crf": chance.forms,
    "qa": chance.choices,
}


def predict(kind: str, data: TaskData, *, seed: int = 0) -> Answers:
    """An answer in canonical form for every evaluated example, by its id.

    Learned from `data.train` alone: the evaluated examples are stripped of their gold before anything sees them, so
    that no floor can look. `seed` matters to "random" only; the order of the examples matters to none.
    """
    check_kind(kind)
    family = data.task.family
    blind = replace(data, examples=[blank(example) for example in data.examples])
    if kind == "random":
        return RANDOM[family](blind, seed)
    return (MAJORITY if kind == "majority" else KNN)[family](blind)


def check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ItaMedError(f'no baseline is called "{kind}"; there are {", ".join(KINDS[:-1])} and {KINDS[-1]}')


def blank(example: Example) -> Example:
    """A copy without the gold, and without `meta`, which may repeat it."""
    match example:
        case SpanExample():
            return replace(example, spans=[], meta={})
        case RelationExample():
            return replace(example, spans=[], relations=[], meta={})
        case FormExample():
            return replace(example, items=[replace(item, value=UNKNOWN) for item in example.items], meta={})
        case ChoiceExample():
            return replace(example, answer=0, meta={})
    raise TypeError(f"{type(example).__name__} is no example of a task")
