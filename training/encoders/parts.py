"""The parts of a task, and the answers that its trained parts give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ita_med import catalogue
from ita_med.schema import FormExample, RelationExample, SpanExample
from ita_med.tasks.benchmark.task_data import Answer, TaskData
from ita_med.tasks.families.prompt_labels import RELATION_WORDS, SPAN_WORDS
from ita_med.training.encoders import choice, forms, pairs, tagging
from ita_med.training.encoders.heads import LoadedPart, Part
from ita_med.training.recipe import Recipe


def of(recipe: Recipe, data: TaskData, tokenizer: Any) -> list[Part]:
    """What a task's training examples (`data.train`) make of each of its parts; parts without rows are left out."""
    lengths: dict[str, Any] = {"max_length": recipe.data.max_length, "overlap": recipe.data.overlap}
    drawn: dict[str, Any] = {"negatives": recipe.data.negatives, "seed": recipe.train.seed}
    match data.task.family:
        case "re":
            made = pairs.parts(data, tokenizer, **lengths, **drawn)
        case "crf":
            made = forms.parts(data, tokenizer, **lengths, **drawn)
        case "qa":
            made = [choice.part(data, tokenizer, **lengths)]
        case _:
            examples = [e for e in data.train if isinstance(e, SpanExample | RelationExample)]
            made = [tagging.part(examples, data.setting.labels, tokenizer, **lengths)]
    return [part for part in made if part.rows]


def answers(loaded: dict[str, LoadedPart], data: TaskData) -> dict[str, Answer]:
    """An answer in canonical form to every example of `data.examples`, by its id. Gold answers are not looked at."""
    match data.task.family:
        case "re":
            if len(loaded) < 2:
                return {example.id: {"relations": []} for example in data.examples}
            return pairs.answers(loaded["tagger"], loaded["pairs"], data)
        case "crf":
            return forms.answers(loaded, data)
        case "qa":
            return choice.answers(loaded["choice"], data)
    tagger = loaded["tagger"]
    examples = [e for e in data.examples if isinstance(e, SpanExample | RelationExample)]
    found = tagging.tag(tagger, [example.text for example in examples])
    return {
        example.id: {"entities": [{"text": s.text, "label": s.label, "start": s.start, "end": s.end} for s in spans]}
        for example, spans in zip(examples, found, strict=True)
    }


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
    if task.family == "crf":
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


def _labels(task: catalogue.Task) -> tuple[str, ...]:
    """What a task's answers may be called; questions bring their own."""
    if task.family in ("ner", "arg"):
        return tuple(SPAN_WORDS[task.dataset, task.config])
    if task.family == "re":
        return tuple(RELATION_WORDS[task.dataset, task.config].labels)
    return ()
