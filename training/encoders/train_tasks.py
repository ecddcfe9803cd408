"""A run of encoders: for each task its parts, one after the other, in OUT/TASK/PART.

A run that was stopped goes on: parts that are done are kept, the one that was being trained goes on from its last whole
checkpoint.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ita_med.training.backend.devices import is_first, world_size
from ita_med.training.encoders import train_part
from ita_med.training.encoders.prepare import EncoderData, encode
from ita_med.training.recipe import Recipe
from ita_med.training.record import run_folder
from ita_med.training.record.outcome import TrainingOutcome


def train(recipe: Recipe, found: EncoderData, tokenizer: Any, out: Path) -> tuple[TrainingOutcome, dict[str, Any]]:
    """Train all parts; returns the sum of what was done, and task -> part -> its facts."""
    if found.parts is None:
        encode(recipe, found, tokenizer)
    assert found.parts is not None
    trained: dict[str, dict[str, dict[str, Any]]] = {}
    size = {of_task.task.id: -len(of_task.train) for of_task in found.examples.tasks}
    for task in sorted(found.parts, key=lambda name: size[name]):  # predicting prefers the encoder that saw the most
        for part in found.parts[task]:
            if sys.stderr.isatty() and is_first():
                print(f"{task}: {part.name}, {len(part.rows):,} rows", file=sys.stderr)
            work = out / run_folder.CHECKPOINTS / task / part.name
            trained.setdefault(task, {})[part.name] = train_part.train(
                recipe, part, tokenizer, out / task / part.name, work
            )
    done = [facts for of_task in trained.values() for facts in of_task.values()]
    largest = max(facts["parameters"] for facts in done)
    outcome = TrainingOutcome(largest, largest, sum(f["steps"] for f in done), sum(f["tokens"] for f in done))
    outcome.processes = world_size()
    ends = [(f["loss"]["first"], f["loss"]["last"]) for f in done if f["loss"]["log"]]
    if ends:
        first, last = (round(sum(values) / len(values), 6) for values in zip(*ends, strict=True))
        outcome.losses = [(0, first), (outcome.steps, last)]
    resumed = [facts["resumed_from"] for facts in done if facts["resumed_from"]]
    outcome.resumed_from = resumed[-1] if resumed else None
    return outcome, trained
