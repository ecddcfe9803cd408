"""A recipe in the words of transformers' trainers, TRL's among them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ita_med.training.backend.devices import computes_in_16_bits, has_gpu
from ita_med.training.recipe import Recipe


def trainer_settings(recipe: Recipe, checkpoints: Path, run_name: str) -> dict[str, Any]:
    """Arguments of transformers' `TrainingArguments`; `checkpoints` is the folder that these are written to."""
    t, gpu = recipe.train, has_gpu()
    return {
        "output_dir": str(checkpoints),
        "learning_rate": t.learning_rate,
        "lr_scheduler_type": t.schedule,
        "warmup_steps": t.warmup,
        "num_train_epochs": t.epochs,
        "max_steps": t.max_steps or -1,
        "per_device_train_batch_size": t.batch_size,
        "gradient_accumulation_steps": t.gradient_accumulation,
        "weight_decay": t.weight_decay,
        "max_grad_norm": t.max_grad_norm,
        "bf16": computes_in_16_bits(recipe),
        "use_cpu": not gpu,
        "dataloader_pin_memory": gpu,
        "seed": t.seed,
        "data_seed": t.seed,
        "save_steps": t.save_steps,
        "save_total_limit": 2,
        "logging_steps": t.logging_steps,
        "logging_first_step": True,
        "disable_tqdm": not sys.stderr.isatty(),
        "report_to": tracker(recipe),
        "run_name": run_name,
        "project": "ita-med",
    }


def tracker(recipe: Recipe) -> str | list[str]:
    """trackio, which keeps its records on this machine, only where it is installed."""
    if recipe.report_to == "none" or (recipe.report_to == "trackio" and find_spec("trackio") is None):
        return "none"
    return recipe.report_to
