"""The floor "knn" for relations: words that were related in training examples, linked to a neighbour.

The settings marked (cv) gave the best F1 in five folds over the documents of the E3C training split.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from ita_med.schema import RelationExample
from ita_med.tasks.baselines import gazetteer
from ita_med.tasks.baselines.gazetteer import Gazetteer
from ita_med.tasks.baselines.majority import most_frequent
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer

MIN_SHARE_MEASURES = 0.2  # (cv) results and exams are rare: a loose gazetteer finds more than it spoils
MIN_SHARE_EVENTS = 0.5  # (cv)
_SENTENCE_END = re.compile(r"(?<=[.;!?])\s+(?=[A-ZÀ-Ý])|\n")
Triple = tuple[str, str, str]
"""(head, label, tail), as they stand in the text."""
Linker = Callable[[str], list[Triple]]
"""From a sentence to its relations."""


def relations(data: TaskData) -> dict[str, Answer]:
    """Results linked to exams where the task has a single relation, else events linked one after the other."""
    train = [example for example in data.train if isinstance(example, RelationExample)]
    labels = data.setting.labels
    link = measures(train, labels[0]) if data.setting.one_label else events(train, labels)
    answers: dict[str, Answer] = {}
    for example in data.examples:
        assert isinstance(example, RelationExample)
        found = [triple for sentence in sentences(example.text) for triple in link(sentence)]
        answers[example.id] = {"relations": [{"head": h, "label": label, "tail": t} for h, label, t in found]}
    return answers


def sentences(text: str) -> Iterator[str]:
    """A text cut after sentence ends that a capital letter follows, and at line ends."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        yield text[start : match.start()]
        start = match.end()
    yield text[start:]


def measures(train: list[RelationExample], label: str) -> Linker:
    """Each result is linked to the nearest exam on its left, or else on its right.

    Results are found by shape ("38,5 °C" by "37,9 °C") among all training mentions of the heads' kinds, exams among
    the words that were tails of a relation.
    """
    kinds = {e.spans[r.head].label for e in train for r in e.relations}
    results, exams = [], []
    for e in train:
        tails = {r.tail for r in e.relations}
        results.append((e.text, [("", s.start, s.end) for s in e.spans if s.label in kinds]))
        exams.append((e.text, [("", s.start, s.end) for i, s in enumerate(e.spans) if i in tails]))
    by_shape: Gazetteer = gazetteer.learn(results, read=gazetteer.shapes, min_share=MIN_SHARE_MEASURES).get("", {})
    by_word: Gazetteer = gazetteer.learn(exams, min_share=MIN_SHARE_MEASURES).get("", {})

    def link(sentence: str) -> list[Triple]:
        places = gazetteer.find(sentence, by_word)
        found = []
        for start, end in gazetteer.find(sentence, by_shape, gazetteer.shapes):
            left = [place for place in places if place[1] <= start]
            right = [place for place in places if place[0] >= end]
            for a, b in left[-1:] or right[:1]:
                found.append((sentence[start:end], label, sentence[a:b]))
        return found

    return link


def events(train: list[RelationExample], labels: list[str]) -> Linker:
    """Each related word is linked to the next one in its sentence.

    The label and the direction are those that the two words had most often in training, else those of the most
    frequent label. Words are learned from documents with relations only: most have none, whatever they tell.
    """
    annotated, pairs, directions = [], [], []
    for e in train:
        known = [r for r in e.relations if r.label in labels]
        if known:
            related = {r.head for r in known} | {r.tail for r in known}
            annotated.append((e.text, [("", e.spans[i].start, e.spans[i].end) for i in sorted(related)]))
        for r in known:
            head, tail = e.spans[r.head], e.spans[r.tail]
            pairs.append((gazetteer.key(head.text), r.label, gazetteer.key(tail.text)))
            directions.append((r.label, head.start < tail.start))
    words: Gazetteer = gazetteer.learn(annotated, min_share=MIN_SHARE_EVENTS).get("", {})
    seen = Counter(pairs)
    usual = most_frequent(label for label, _ in directions)
    forward = most_frequent(ahead for label, ahead in directions if label == usual)

    def relation(first: str, second: str) -> Triple | None:
        a, b = gazetteer.key(first), gazetteer.key(second)
        known = [
            (seen[x, name, y], (h, name, t))
            for name in labels
            for x, y, h, t in ((a, b, first, second), (b, a, second, first))
        ]
        number, best = max(known, key=lambda found: found[0])
        if number:
            return best
        if usual is None:
            return None
        return (first, usual, second) if forward else (second, usual, first)

    def link(sentence: str) -> list[Triple]:
        found = [sentence[start:end] for start, end in gazetteer.find(sentence, words)]
        linked = (relation(first, second) for first, second in pairwise(found))
        return [triple for triple in linked if triple]

    return link
