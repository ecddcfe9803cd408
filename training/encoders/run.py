"""A run of encoders: for each task its parts, one after the other, in OUT/TASK/PART.

A run that was stopped goes on: parts that are done are kept, the one that was being trained goes on from its last whole
checkpoint.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.training import data, estimate, runs, sft
from ita_med.training.encoders import fit, parts
from ita_med.training.encoders.rows import Part
from ita_med.training.estimate import Estimate
from ita_med.training.recipe import Recipe
from ita_med.training.rows import subset

CHARACTERS = 1.5
"""Characters read per character of the training texts, where no tokenizer tells: items, options, marks, overlaps."""


@dataclasses.dataclass
class Encoders:
    """What a run trains. parts: task -> its parts, None where the tokenizer is not here."""

    material: data.Material
    parts: dict[str, list[Part]] | None = None

    @property
    def fingerprint(self) -> str:
        """sha256 of the training examples with their answers."""
        digest = hashlib.sha256()
        for of_task in self.material.tasks:
            for example in of_task.train:
                answer = of_task.target(example)
                digest.update(f"{of_task.task.id}\0{example.id}\0{of_task.prompt(example)}\0{answer}\0".encode())
        return digest.hexdigest()


def prepare(recipe: Recipe, mirror: str | None, tokenizer: Any, *, strict: bool = False) -> tuple[Encoders, Estimate]:
    """The parts of all tasks whose data are there, and how large the run is; counts are added to those of the tasks."""
    found = Encoders(data.material(recipe, mirror, strict=strict))
    for n, of_task in enumerate(found.material.tasks):
        taken = subset(of_task.train, recipe.data.cap_per_task, seed=f"{recipe.train.seed} cap {of_task.task.id}")
        found.material.tasks[n] = dataclasses.replace(of_task, train=taken)
        found.material.counts[of_task.task.id] |= {"drawn": len(taken)}
    if tokenizer is not None:
        encode(recipe, found, tokenizer)
    return found, _estimate(recipe, found, tokenizer)


def encode(recipe: Recipe, found: Encoders, tokenizer: Any) -> None:
    """Make the parts and count their rows and tokens."""
    if not getattr(tokenizer, "is_fast", False) or tokenizer.cls_token_id is None or tokenizer.pad_token_id is None:
        raise ItaMedError(
            f"{recipe.model.id} is no encoder: its tokenizer has no offsets, no start, or no padding token"
        )
    found.parts = {}
    for of_task in found.material.tasks:
        made = parts.of(recipe, of_task, tokenizer)
        found.parts[of_task.task.id] = made
        of_parts = {
            part.name: {"rows": len(part.rows), "tokens": sum(row.tokens for row in part.rows), **part.counts}
            for part in made
        }
        found.material.counts[of_task.task.id] |= {
            "too_long": 0,
            "rows": sum(counts["rows"] for counts in of_parts.values()),
            "tokens": sum(counts["tokens"] for counts in of_parts.values()),
            "parts": of_parts,
        }
    if not any(found.parts.values()):
        raise ItaMedError(f"{recipe.name}: its training examples hold nothing to learn")


def _estimate(recipe: Recipe, found: Encoders, tokenizer: Any) -> Estimate:
    counts = found.material.counts.values()
    processes = estimate.world_size()
    if found.parts is not None:
        tokens, rows = sum(c["tokens"] for c in counts), sum(c["rows"] for c in counts)
        number = sum(map(len, found.parts.values()))
    else:
        tokens = round(CHARACTERS * sum(map(_characters, found.material.tasks)) / estimate.CHARACTERS_PER_TOKEN)
        rows, number = sum(c["drawn"] for c in counts), len(found.material.tasks)
    one = estimate.estimate(recipe, tokens, counted=tokenizer is not None, rows=rows, processes=processes)
    return dataclasses.replace(one, disk_gib=one.disk_gib + 4 * one.size.parameters * max(number - 1, 0) / estimate.GIB)


def _characters(of_task: TaskData) -> int:
    return sum(len(of_task.prompt(example)) for example in of_task.train)


def train(recipe: Recipe, found: Encoders, tokenizer: Any, out: Path) -> tuple[sft.Result, dict[str, Any]]:
    """Train all parts; the sum of what was done, and task -> part -> its facts."""
    if found.parts is None:
        encode(recipe, found, tokenizer)
    assert found.parts is not None
    trained: dict[str, dict[str, dict[str, Any]]] = {}
    size = {of_task.task.id: -len(of_task.train) for of_task in found.material.tasks}
    for task in sorted(found.parts, key=lambda name: size[name]):  # predicting prefers the encoder that saw the most
        for part in found.parts[task]:
            if sys.stderr.isatty() and estimate.is_first():
                print(f"{task}: {part.name}, {len(part.rows):,} rows", file=sys.stderr)
            work = out / runs.CHECKPOINTS / task / part.name
            trained.setdefault(task, {})[part.name] = fit.train(recipe, part, tokenizer, out / task / part.name, work)
    done = [facts for of_task in trained.values() for facts in of_task.values()]
    largest = max(facts["parameters"] for facts in done)
    result = sft.Result(largest, largest, sum(f["steps"] for f in done), sum(f["tokens"] for f in done))
    result.processes = estimate.world_size()
    ends = [(f["loss"]["first"], f["loss"]["last"]) for f in done if f["loss"]["log"]]
    if ends:
        first, last = (round(sum(values) / len(values), 6) for values in zip(*ends, strict=True))
        result.losses = [(0, first), (result.steps, last)]
    resumed = [facts["resumed_from"] for facts in done if facts["resumed_from"]]
    result.resumed_from = resumed[-1] if resumed else None
    return result, trained
