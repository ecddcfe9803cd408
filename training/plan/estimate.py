"""How large a run will be, before anything is downloaded or written: steps, memory, disk, time.

The formulas are explained in docs/training.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ita_med.training.backend.devices import GIB, computes_in_16_bits, has_gpu, matrix_speed
from ita_med.training.models import local_model
from ita_med.training.models.size import ModelSize, size
from ita_med.training.recipe import Recipe

UTILISATION = 0.4
"""Share of the device's matrix speed that training reaches."""
BYTES_FROM_NAME = 4
CHECKPOINTS = 3
"""Two are kept, and the third is being written."""


@dataclass
class Estimate:
    """The size of a run.

    Attributes:
        size: The model.
        tokens: Tokens of one pass over the data.
        tokens_counted: Whether a tokenizer counted them; else they are estimated from characters.
        steps: Optimiser steps of the whole run.
        trained_tokens: Tokens that the model reads in the whole run.
        memory: GiB of one process by what holds it.
        disk_gib: GiB with the checkpoints.
        flops: Floating-point operations of the whole run.
        seconds: Time of the whole run; None where the speed of the device is not known.
        device: The name of the device.
    """

    size: ModelSize
    tokens: int
    tokens_counted: bool
    steps: int
    trained_tokens: int
    memory: dict[str, float]
    disk_gib: float
    flops: float
    seconds: float | None
    device: str

    @property
    def memory_gib(self) -> float:
        return sum(self.memory.values())

    @property
    def least_gib(self) -> float:
        """What is needed whatever the batch: the part of the estimate that is certain."""
        return self.memory["weights"] + self.memory["gradients and optimiser"]


def estimate(
    recipe: Recipe, tokens: int, *, counted: bool, rows: int | None, models: int = 1, processes: int = 1
) -> Estimate:
    """The size of a run of a recipe.

    Args:
        recipe: What is trained.
        tokens: Tokens of one pass over the data.
        counted: Whether a tokenizer counted them.
        rows: Examples of one pass, None where documents are packed.
        models: How many models the run leaves: encoders are one for each part of a task.
        processes: How many processes share the work.
    """
    t, model = recipe.train, size(recipe)
    sequences = rows if rows is not None and t.packing == "none" else max(1, -(-tokens // recipe.data.max_length))
    per_pass = max(1, -(-sequences // (t.batch_size * t.gradient_accumulation * processes)))
    steps = t.max_steps or max(1, math.ceil(t.epochs * per_pass))
    trained = int(tokens * steps / per_pass)
    flops = 6 * model.parameters * trained
    speed, device = matrix_speed(computes_in_16_bits(recipe))
    disk = CHECKPOINTS * 12 * model.trainable + 4 * model.trainable
    if local_model.file(recipe, "config.json") is None:
        disk += BYTES_FROM_NAME * model.parameters
    disk += 4 * model.parameters * max(models - 1, 0)
    return Estimate(
        model, tokens, counted, steps, trained, memory(recipe, model), disk / GIB, flops,
        flops / (speed * UTILISATION * processes) if speed else None, device,
    )  # fmt: skip


def memory(recipe: Recipe, model: ModelSize) -> dict[str, float]:
    """GiB by what holds it, for one process that shares nothing with others."""
    small = recipe.lora is not None and recipe.model.dtype == "bfloat16" and has_gpu()
    one_by_one = recipe.train.packing != "none" and not has_gpu()
    in_batch = recipe.data.max_length * (1 if one_by_one else recipe.train.batch_size)
    per_token = 34 * model.hidden * (1 if has_gpu() else 2)
    stored = 2 * model.hidden * model.layers * (1 if has_gpu() else 2)
    checkpointing = recipe.train.gradient_checkpointing and has_gpu()
    activations = in_batch * (stored + per_token if checkpointing else per_token * model.layers)
    logits = 0 if has_gpu() else 2 * 4 * in_batch * model.vocabulary
    return {
        "weights": model.parameters * (2 if small else 4) / GIB,
        "gradients and optimiser": model.trainable * 12 / GIB + (model.trainable * 4 / GIB if recipe.lora else 0),
        "activations": activations / GIB,
        "logits": logits / GIB,
    }
