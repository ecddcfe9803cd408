"""The floor "knn" for mentions, argument components and questions: what stands nearest in the training examples."""

from __future__ import annotations

from collections import Counter

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from ita_med.schema import LETTERS, ChoiceExample, SpanExample
from ita_med.tasks.baselines import gazetteer, lines
from ita_med.tasks.baselines.similar import nearest
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer

NEIGHBOURS = 5


def mentions(data: TaskData) -> dict[str, Answer]:
    """The mentions of training examples, one gazetteer per label."""
    annotated = [(e.text, gazetteer.located(e)) for e in data.train if isinstance(e, SpanExample)]
    learned = gazetteer.learn(annotated)
    known = {label: learned[label] for label in data.setting.labels if label in learned}
    return {example.id: gazetteer.find_all(example, known) for example in data.examples}


def components(data: TaskData) -> dict[str, Answer]:
    """Each line takes the label of most of its nearest training lines; with no label, it is no component."""
    training = lines.labelled(data.train, data.setting.labels)
    trim = lines.learn_trim(data.train)
    asked = [(e, line) for e in data.examples if isinstance(e, SpanExample) for line in lines.split(e.text)]
    neighbours, cosines = nearest([line.text for line in training], [line.text for _, line in asked], NEIGHBOURS)
    found: dict[str, list[tuple[str, int, int]]] = {example.id: [] for example in data.examples}
    for (example, line), row, near in zip(asked, neighbours, cosines, strict=True):
        votes = Counter(training[i].label for i, cosine in zip(row, near, strict=True) if cosine > 0)
        label = votes.most_common(1)[0][0] if votes else None  # of equal votes, the nearest line's
        if label:
            found[example.id].append((label, *lines.component(line, trim)))
    return {e.id: gazetteer.entities(e.text, found[e.id]) for e in data.examples if isinstance(e, SpanExample)}


def choices(data: TaskData) -> dict[str, Answer]:
    """The option that is most like its question; of equal ones the longest, then the first.

    Likeness is the cosine of character 3- to 5-grams within words. Nothing is learned from answers: this is what the
    wording of a question gives away.
    """
    questions = [example for example in data.examples if isinstance(example, ChoiceExample)]
    asked = [f"{question.context} {question.question}" for question in questions]
    options = [option for question in questions for option in question.options]
    likeness = iter(_cosines(asked, options, [len(question.options) for question in questions]))
    answers: dict[str, Answer] = {}
    for question in questions:
        ranked = [(-next(likeness), -len(option), i) for i, option in enumerate(question.options)]
        answers[question.id] = {"choice": LETTERS[min(ranked)[2]]}
    return answers


def _cosines(asked: list[str], options: list[str], numbers: list[int]) -> list[float]:
    """The cosine of each option to its question; question i has the next `numbers[i]` options."""
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), dtype=np.float32)
    if not any(map(vectorizer.build_analyzer(), asked + options)):
        return [0.0] * len(options)
    rows = vectorizer.fit_transform(asked + options)
    owners = np.repeat(np.arange(len(asked)), numbers)
    cosines = rows[len(asked) :].multiply(rows[owners]).sum(axis=1)
    return [round(float(cosine), 6) for cosine in np.asarray(cosines).ravel()]
