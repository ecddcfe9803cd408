"""Relations: the mentions that a tagger of the same task finds, and a class for every pair of them.

The pair's mentions are marked in the text with their kind: "la @ * EVENT * creatinina @ era # ^ RML ^ 2,1 mg/dl #".
Source: typed entity markers, Zhou & Chen 2022 (arXiv 2102.01373); two encoders rather than one, Zhong & Chen 2021.

Candidates are the ordered pairs of kinds that training relations join. The classifier learns from gold mentions. Of
several relations of one pair the first is learned.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from ita_med.errors import ItaMedError
from ita_med.schema import RelationExample, Span
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer
from ita_med.training.encoders import tagging
from ita_med.training.encoders.heads import EncoderRow, LoadedPart, Part, infer_windows, pooled_scores
from ita_med.training.encoders.text import windows

NONE = "none"
HEAD, TAIL = ("@", "*"), ("#", "^")


def parts(
    data: TaskData, tokenizer: Any, *, max_length: int, overlap: int, negatives: int | None, seed: int
) -> list[Part]:
    """A tagger for all mentions of the task, and the classifier. negatives: pairs without a relation that are learned
    for each pair with one, drawn by the seed; None: all."""
    if tokenizer(" ".join(HEAD))["input_ids"] == tokenizer(" ".join(TAIL))["input_ids"]:
        raise ItaMedError(f"the tokenizer knows none of the marks {' '.join(HEAD + TAIL)}, which relations need")
    examples = [example for example in data.train if isinstance(example, RelationExample)]
    kinds = sorted({span.label for example in examples for span in example.spans})
    tagger = tagging.part(examples, kinds, tokenizer, max_length=max_length, overlap=overlap)
    joined = sorted({(e.spans[r.head].label, e.spans[r.tail].label) for e in examples for r in e.relations})
    labels = [NONE, *data.setting.labels]
    related: list[EncoderRow] = []
    others: list[EncoderRow] = []
    counts = {"gold": 0, "expressed": 0}
    for example in examples:
        known: dict[tuple[int, int], str] = {}
        for relation in example.relations:
            counts["gold"] += 1
            if (relation.head, relation.tail) not in known:
                known[relation.head, relation.tail] = relation.label
                counts["expressed"] += relation.head != relation.tail
        for head, tail in candidates(example.spans, joined):
            label = labels.index(known.get((head, tail), NONE))
            text = marked(example.text, example.spans[head], example.spans[tail])
            read = windows(tokenizer, text, max_length=max_length, overlap=overlap)
            row = EncoderRow([w.inputs for w in read], np.array([label]), [len(read)])
            (related if label else others).append(row)
    if negatives is not None and len(others) > negatives * len(related):
        others = random.Random(seed).sample(others, negatives * len(related))
    facts = {"joined": [list(pair) for pair in joined], "max_length": max_length, "overlap": overlap}
    return [tagger, Part("pairs", "classes", labels, related + others, facts, counts)]


def candidates(spans: list[Span], joined: list[tuple[str, str]]) -> Iterator[tuple[int, int]]:
    """Numbers of the mentions of each pair that may be related."""
    for head, first in enumerate(spans):
        for tail, second in enumerate(spans):
            if head != tail and (first.label, second.label) in joined:
                yield head, tail


def marked(text: str, head: Span, tail: Span) -> str:
    """The text with both mentions marked, whether they overlap or not."""
    marks = []
    for span, (outer, inner) in ((head, HEAD), (tail, TAIL)):
        marks.append((span.start, 1, -span.end, f"{outer} {inner} {span.label} {inner} "))
        marks.append((span.end, 0, -span.start, f" {outer}"))
    found, at = [], 0
    for place, _, _, mark in sorted(marks):
        found += [text[at:place], mark]
        at = place
    return "".join([*found, text[at:]])


def answers(tagger: LoadedPart, classifier: LoadedPart, data: TaskData) -> dict[str, Answer]:
    """The relations between the mentions that the tagger finds."""
    joined = [(head, tail) for head, tail in classifier.facts["joined"]]
    texts = [example.text for example in data.examples if isinstance(example, RelationExample)]
    found: dict[str, Answer] = {example.id: {"relations": []} for example in data.examples}
    asked, read = [], []
    for example, text, spans in zip(data.examples, texts, tagging.tag(tagger, texts), strict=True):
        for head, tail in candidates(spans, joined):
            asked.append((example.id, spans[head].text, spans[tail].text))
            read.append(windows(classifier.tokenizer, marked(text, spans[head], spans[tail]), **classifier.lengths))
    for (name, head_text, tail_text), scores in zip(asked, infer_windows(classifier, read), strict=True):
        label = classifier.labels[int(pooled_scores(scores).argmax())]
        if label != NONE:
            found[name]["relations"].append({"head": head_text, "label": label, "tail": tail_text})
    return found
