"""The low-rank adapter of a recipe."""

from __future__ import annotations

from typing import Any

from ita_med.training.recipe import Recipe


def lora(recipe: Recipe) -> Any:
    """PEFT's `LoraConfig` of a recipe, or None where all parameters are trained."""
    if recipe.lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora.r,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=recipe.lora.targets,
        task_type="CAUSAL_LM",
    )
