"""The parts of a task, and the answers that its trained parts give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ita_med import catalogue
from ita_med.schema import FormExample, RelationExample, SpanExample
from ita_med.tasks.baselines.predict import Answers
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.registry import family_of
from ita_med.training.encoders import choice, forms, pairs, tagging
from ita_med.training.encoders.heads import LoadedPart, Part
from ita_med.training.recipe import Recipe


@dataclass(frozen=True)
class FamilyEncoder:
    """How encoders learn and answer the tasks of one family.

    Attributes:
        parts: what a task's training examples (`data.train`) make of each of its parts.
        answers: an answer in canonical form to every example of `data.examples`, by its id, from the trained parts.
    """

    parts: Callable[[Recipe, TaskData, Any], list[Part]]
    answers: Callable[[dict[str, LoadedPart], TaskData], Answers]


def _mention_parts(recipe: Recipe, data: TaskData, tokenizer: Any) -> list[Part]:
    examples = [e for e in data.train if isinstance(e, SpanExample | RelationExample)]
    return [tagging.part(examples, data.setting.labels, tokenizer, **_lengths(recipe))]


def _mention_answers(loaded: dict[str, LoadedPart], data: TaskData) -> Answers:
    examples = [e for e in data.examples if isinstance(e, SpanExample | RelationExample)]
    found = tagging.tag(loaded["tagger"], [example.text for example in examples])
    return {
        example.id: {"entities": [{"text": s.text, "label": s.label, "start": s.start, "end": s.end} for s in spans]}
        for example, spans in zip(examples, found, strict=True)
    }


def _relation_parts(recipe: Recipe, data: TaskData, tokenizer: Any) -> list[Part]:
    return pairs.parts(data, tokenizer, **_lengths(recipe), **_drawn(recipe))


def _relation_answers(loaded: dict[str, LoadedPart], data: TaskData) -> Answers:
    if len(loaded) < 2:
        return {example.id: {"relations": []} for example in data.examples}
    return pairs.answers(loaded["tagger"], loaded["pairs"], data)


def _form_parts(recipe: Recipe, data: TaskData, tokenizer: Any) -> list[Part]:
    return forms.parts(data, tokenizer, **_lengths(recipe), **_drawn(recipe))


def _question_parts(recipe: Recipe, data: TaskData, tokenizer: Any) -> list[Part]:
    return [choice.part(data, tokenizer, **_lengths(recipe))]


def _question_answers(loaded: dict[str, LoadedPart], data: TaskData) -> Answers:
    return choice.answers(loaded["choice"], data)


def _lengths(recipe: Recipe) -> dict[str, Any]:
    return {"max_length": recipe.data.max_length, "overlap": recipe.data.overlap}


def _drawn(recipe: Recipe) -> dict[str, Any]:
    return {"negatives": recipe.data.negatives, "seed": recipe.train.seed}


ENCODERS = {
    "spans": FamilyEncoder(_mention_parts, _mention_answers),
    "relations": FamilyEncoder(_relation_parts, _relation_answers),
    "form": FamilyEncoder(_form_parts, forms.answers),
    "choice": FamilyEncoder(_question_parts, _question_answers),
}
"""Schema of a family's examples -> how encoders learn and answer its tasks."""


def encoder_of(task: catalogue.Task) -> FamilyEncoder:
    """How encoders learn and answer a task."""
    return ENCODERS[family_of(task).example_schema]


def of(recipe: Recipe, data: TaskData, tokenizer: Any) -> list[Part]:
    """What a task's training examples (`data.train`) make of each of its parts; parts without rows are left out."""
    return [part for part in encoder_of(data.task).parts(recipe, data, tokenizer) if part.rows]


def answers(loaded: dict[str, LoadedPart], data: TaskData) -> Answers:
    """An answer in canonical form to every example of `data.examples`, by its id. Gold answers are not looked at."""
    return encoder_of(data.task).answers(loaded, data)


def teacher(data: TaskData, trained: Mapping[str, dict[str, dict[str, Any]]]) -> str | None:
    """Whose encoder answers a task: its own; else, of the tasks of its family with the same labels, one from the same
    dataset, else the one with the most training examples; None: nobody's.

    trained: task -> part -> its facts, tasks with the most examples first. Every question can be answered by every
    encoder of questions; a form by one that has learned the most of its items, by name, if any.
    """
    task = data.task
    if task.id in trained:
        return task.id
    family = [catalogue.task(name) for name in trained if catalogue.task(name).family == task.family]
    if family_of(task).example_schema == "form":
        items = {item.name for example in data.examples if isinstance(example, FormExample) for item in example.items}
        shared = {
            other.id: len(items & {name for part in trained[other.id].values() for name in part["items"]})
            for other in family
        }
        best = max(shared, key=lambda name: shared[name], default=None)
        return best if best and shared[best] else None
    fitting = [other for other in family if _labels(other) == _labels(task)]
    found = min(fitting, key=lambda other: other.dataset != task.dataset, default=None)
    return found.id if found else None


def _labels(task: catalogue.Task) -> list[str]:
    """What a task's answers may be called; questions bring their own."""
    family = family_of(task)
    return family.labels(family.setting(task, []))
