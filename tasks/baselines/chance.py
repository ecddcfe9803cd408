"""The floor "random": answers drawn with the training examples' numbers, lengths, labels and values.

Each example has its own generator, seeded with its id, so that no other example matters to its answer.
"""

from __future__ import annotations

from random import Random
from typing import Any

from ita_med.schema import LETTERS, UNKNOWN, UNKNOWN_VALUES, ChoiceExample, FormExample, RelationExample, SpanExample
from ita_med.tasks.baselines.gazetteer import words
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer


def generator(data: TaskData, example_id: str, seed: int) -> Random:
    """A generator of its own for an example, so that no other example matters to what is drawn."""
    return Random(f"{seed} {data.task.id} {example_id}")


def mentions(data: TaskData, seed: int) -> dict[str, Answer]:
    """Runs of words: as many per word, as long, and labelled as the mentions of training examples."""
    train = [example for example in data.train if isinstance(example, SpanExample)]
    labels = set(data.setting.labels)
    drawn_from = [(s.label, max(1, len(words(s.text)))) for e in train for s in e.spans if s.label in labels]
    rates = [sum(s.label in labels for s in e.spans) / max(1, len(words(e.text))) for e in train]
    answers: dict[str, Answer] = {}
    for example in data.examples:
        assert isinstance(example, SpanExample)
        rng = generator(data, example.id, seed)
        text = words(example.text)
        entities: list[dict[str, Any]] = []
        for _ in range(_number(rng, rates, len(text))):
            label, length = rng.choice(drawn_from)
            first = rng.randrange(max(1, len(text) - length + 1))
            run = text[first : first + length]
            start, end = run[0].start, run[-1].end
            entities.append({"text": example.text[start:end], "label": label, "start": start, "end": end})
        answers[example.id] = {"entities": entities}
    return answers


def relations(data: TaskData, seed: int) -> dict[str, Answer]:
    """Pairs of words: as many per word, and labelled, as the relations of training examples."""
    train = [example for example in data.train if isinstance(example, RelationExample)]
    known = [[r.label for r in e.relations if r.label in data.setting.labels] for e in train]
    labels = [label for found in known for label in found]
    rates = [len(found) / max(1, len(words(e.text))) for e, found in zip(train, known, strict=True)]
    answers: dict[str, Answer] = {}
    for example in data.examples:
        assert isinstance(example, RelationExample)
        rng = generator(data, example.id, seed)
        text = [example.text[word.start : word.end] for word in words(example.text) if word.key[0].isalnum()]
        number = _number(rng, rates, len(text))
        answers[example.id] = {
            "relations": [
                {"head": rng.choice(text), "label": rng.choice(labels), "tail": rng.choice(text)} for _ in range(number)
            ]
        }
    return answers


def _number(rng: Random, rates: list[float], length: int) -> int:
    """A number of annotations for a text of `length` words: the rate of one training text, rounded by chance."""
    return int(rng.choice(rates) * length + rng.random()) if length and rates else 0


def forms(data: TaskData, seed: int) -> dict[str, Answer]:
    """Each item unknown as often as in training, else one of its options, or any training value of a free item."""
    train = [item for example in data.train if isinstance(example, FormExample) for item in example.items]
    known = [item for item in train if item.value not in UNKNOWN_VALUES]
    free = [item.value for item in known if item.kind == "text"]
    share_known = len(known) / max(1, len(train))
    answers: dict[str, Answer] = {}
    for example in data.examples:
        assert isinstance(example, FormExample)
        rng = generator(data, example.id, seed)
        values = {}
        for item in example.items:
            choices = [option for option in item.options if option not in UNKNOWN_VALUES] or free or [UNKNOWN]
            value = rng.choice(choices)
            if rng.random() < share_known and value != UNKNOWN:
                values[item.name] = value
        answers[example.id] = {"items": values}
    return answers


def choices(data: TaskData, seed: int) -> dict[str, Answer]:
    """One option of each question, drawn by the example's own generator; example id -> answer."""
    answers: dict[str, Answer] = {}
    for example in data.examples:
        assert isinstance(example, ChoiceExample)
        letter = LETTERS[generator(data, example.id, seed).randrange(len(example.options))]
        answers[example.id] = {"choice": letter}
    return answers
