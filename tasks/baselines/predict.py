"""The answers of a floor to all examples of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ita_med.errors import ItaMedError
from ita_med.tasks.baselines import KINDS, chance, knn, knn_forms, knn_relations, majority
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer

Answers = dict[str, Answer]


@dataclass(frozen=True)
class Floors:
    """The floors of a family: functions from a task, whose examples hold no gold, to an answer for each of them.

    Attributes:
        random: also takes a seed.
    """

    random: Callable[[TaskData, int], Answers]
    majority: Callable[[TaskData], Answers]
    knn: Callable[[TaskData], Answers]


FLOORS = {
    "ner": Floors(chance.mentions, majority.mentions, knn.mentions),
    "crf": Floors(chance.forms, majority.forms, knn_forms.forms),
    "re": Floors(chance.relations, majority.relations, knn_relations.relations),
    "qa": Floors(chance.choices, majority.choices, knn.choices),
    "arg": Floors(chance.mentions, majority.components, knn.components),
}
"""Family -> its floors; a family has a line here and one in `ita_med.tasks.families.registry`."""


def predict(kind: str, data: TaskData, *, seed: int = 0) -> Answers:
    """An answer in canonical form for every evaluated example, by its id.

    Learned from `data.train` alone: the evaluated examples are stripped of their gold before anything sees them, so
    that no floor can look. `seed` matters to "random" only; the order of the examples matters to none.
    """
    check_kind(kind)
    if data.task.family not in FLOORS:
        raise ItaMedError(f"{data.task.id}: the family {data.task.family} has no floors in tasks/baselines/predict.py")
    floors = FLOORS[data.task.family]
    blind = replace(data, examples=[data.family.blank(example) for example in data.examples])
    if kind == "random":
        return floors.random(blind, seed)
    return (floors.majority if kind == "majority" else floors.knn)(blind)


def check_kind(kind: str) -> None:
    """Raise ItaMedError unless there is a floor of this name."""
    if kind not in KINDS:
        raise ItaMedError(f'no baseline is called "{kind}"; there are {", ".join(KINDS[:-1])} and {KINDS[-1]}')
