"""Data of encoders: for each task the training examples of a recipe, made into rows of its parts."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.training.data import examples
from ita_med.training.data.examples import TrainingExamples
from ita_med.training.data.prompt_rows import subset
from ita_med.training.encoders import parts
from ita_med.training.encoders.heads import Part
from ita_med.training.recipe import Recipe


@dataclasses.dataclass
class EncoderData:
    """What a run of encoders learns from.

    Attributes:
        examples: The training examples of its tasks.
        parts: Task -> its parts; None where the tokenizer is not here.
    """

    examples: TrainingExamples
    parts: dict[str, list[Part]] | None = None

    @property
    def fingerprint(self) -> str:
        """sha256 of the training examples with their answers."""
        digest = hashlib.sha256()
        for of_task in self.examples.tasks:
            for example in of_task.train:
                answer = of_task.target(example)
                digest.update(f"{of_task.task.id}\0{example.id}\0{of_task.prompt(example)}\0{answer}\0".encode())
        return digest.hexdigest()


def prepare(recipe: Recipe, mirror: str | None, tokenizer: Any, *, strict: bool = False) -> EncoderData:
    """The parts of all tasks whose data are here, made where there is a tokenizer, and counted.

    For the other arguments see `ita_med.training.data.examples.find`.
    """
    found = EncoderData(examples.find(recipe, mirror, strict=strict))
    for n, of_task in enumerate(found.examples.tasks):
        taken = subset(of_task.train, recipe.data.cap_per_task, seed=f"{recipe.train.seed} cap {of_task.task.id}")
        found.examples.tasks[n] = dataclasses.replace(of_task, train=taken)
        found.examples.counts[of_task.task.id] |= {"drawn": len(taken)}
    if tokenizer is not None:
        encode(recipe, found, tokenizer)
    return found


def encode(recipe: Recipe, found: EncoderData, tokenizer: Any) -> None:
    """Make the parts and count their rows and tokens."""
    if not getattr(tokenizer, "is_fast", False) or tokenizer.cls_token_id is None or tokenizer.pad_token_id is None:
        raise ItaMedError(
            f"{recipe.model.id} is no encoder: its tokenizer has no offsets, no start, or no padding token"
        )
    found.parts = {}
    for of_task in found.examples.tasks:
        made = parts.of(recipe, of_task, tokenizer)
        found.parts[of_task.task.id] = made
        of_parts = {
            part.name: {"rows": len(part.rows), "tokens": sum(row.tokens for row in part.rows), **part.counts}
            for part in made
        }
        found.examples.counts[of_task.task.id] |= {
            "too_long": 0,
            "rows": sum(counts["rows"] for counts in of_parts.values()),
            "tokens": sum(counts["tokens"] for counts in of_parts.values()),
            "parts": of_parts,
        }
    if not any(found.parts.values()):
        raise ItaMedError(f"{recipe.name}: its training examples hold nothing to learn")
