"""Multiple-choice questions: one score for each option read together with the question, the best option wins.

As `AutoModelForMultipleChoice` does it, with any number of options. A question that is longer than the encoder is read
in windows, and an option scores what it scores in its best one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ita_med.schema import LETTERS, ChoiceExample
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.families.family import Answer
from ita_med.training.encoders.heads import EncoderRow, LoadedPart, Part, infer_windows, pooled_scores
from ita_med.training.encoders.text import Window, shortened, windows

BATCH = 64
"""Questions that are read at once when predicting."""


def part(data: TaskData, tokenizer: Any, *, max_length: int, overlap: int) -> Part:
    facts = {"max_length": max_length, "overlap": overlap}
    rows = []
    for example in data.train:
        assert isinstance(example, ChoiceExample)
        read = _options(tokenizer, example, facts)
        sequences = [window.inputs for option in read for window in option]
        rows.append(EncoderRow(sequences, np.array([example.answer]), [len(option) for option in read]))
    return Part("choice", "classes", ["score"], rows, facts, {"gold": len(rows), "expressed": len(rows)})


def _options(tokenizer: Any, example: ChoiceExample, facts: dict[str, Any]) -> list[list[Window]]:
    """Per option the windows of its question; of an option at most half a window is read."""
    question = f"{example.context}\n{example.question}" if example.context else example.question
    found = []
    for option in example.options:
        option, _ = shortened(tokenizer, option, facts["max_length"] // 2)
        found.append(
            windows(tokenizer, question, option, other_first=False, max_length=facts["max_length"],
                    overlap=facts["overlap"])
        )  # fmt: skip
    return found


def answers(loaded: LoadedPart, data: TaskData) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for at in range(0, len(data.examples), BATCH):
        asked, read = [], []
        for example in data.examples[at : at + BATCH]:
            assert isinstance(example, ChoiceExample)
            options = _options(loaded.tokenizer, example, loaded.facts)
            asked.append((example.id, len(options)))
            read += options
        scores = iter(infer_windows(loaded, read))
        for name, options_ in asked:
            best = [float(pooled_scores(next(scores))[0]) for _ in range(options_)]
            found[name] = {"choice": LETTERS[int(np.argmax(best))]}
    return found
