"""The floor "majority": the one most frequent answer of the training examples; ties go to the alphabetically first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

from ita_med.schema import LETTERS, ChoiceExample, RelationExample, SpanExample
from ita_med.tasks.baselines import gazetteer, lines
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer

T = TypeVar("T", bound=Hashable)


def most_frequent(values: Iterable[T]) -> T | None:
    """The value that comes most often, of several the alphabetically first; None of no values."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], str(value))) if counts else None


def mentions(data: TaskData) -> dict[str, Answer]:
    """For each label its most frequent training mention, wherever it occurs as whole words."""
    frequent = {}
    for label in data.setting.labels:
        keys = (
            gazetteer.key(span.text)
            for example in data.train
            if isinstance(example, SpanExample)
            for span in example.spans
            if span.label == label
        )
        entry = most_frequent(keys)
        frequent[label] = gazetteer.of([entry] if entry else [])
    return {example.id: gazetteer.find_all(example, frequent) for example in data.examples}


def components(data: TaskData) -> dict[str, Answer]:
    """Every line as a component, if most training lines are components of one label; else nothing."""
    training = lines.labelled(data.train, data.setting.labels)
    label = most_frequent(line.label for line in training if line.label)
    if label is None or sum(line.label == label for line in training) <= len(training) / 2:
        return {example.id: {"entities": []} for example in data.examples}
    trim = lines.learn_trim(data.train)
    answers = {}
    for example in data.examples:
        assert isinstance(example, SpanExample)
        found = [(label, *lines.component(line, trim)) for line in lines.split(example.text)]
        answers[example.id] = gazetteer.entities(example.text, found)
    return answers


def relations(data: TaskData) -> dict[str, Answer]:
    """The most frequent training relation, head and tail by their words, wherever a text holds both."""
    keys = [
        (gazetteer.key(e.spans[r.head].text), r.label, gazetteer.key(e.spans[r.tail].text))
        for e in data.train
        if isinstance(e, RelationExample)
        for r in e.relations
        if r.label in data.setting.labels
    ]
    frequent = most_frequent(keys)
    answers: dict[str, Answer] = {}
    for example in data.examples:
        assert isinstance(example, RelationExample)
        relation = []
        if frequent:
            head = gazetteer.find(example.text, gazetteer.of([frequent[0]]))
            tail = gazetteer.find(example.text, gazetteer.of([frequent[2]]))
            if head and tail:
                (a, b), (c, d) = head[0], tail[0]
                relation = [{"head": example.text[a:b], "label": frequent[1], "tail": example.text[c:d]}]
        answers[example.id] = {"relations": relation}
    return answers


def forms(data: TaskData) -> dict[str, Answer]:
    """An empty form: most items of most notes are unknown (96 % of the values in the dyspnea forms)."""
    return {example.id: {"items": {}} for example in data.examples}


def choices(data: TaskData) -> dict[str, Answer]:
    """The letter that is right most often in training (for MED-ITA that is five questions)."""
    letter = most_frequent(LETTERS[e.answer] for e in data.train if isinstance(e, ChoiceExample)) or LETTERS[0]
    answers: dict[str, Answer] = {}
    for example in data.examples:
        assert isinstance(example, ChoiceExample)
        answers[example.id] = {"choice": letter if letter in LETTERS[: len(example.options)] else LETTERS[0]}
    return answers
