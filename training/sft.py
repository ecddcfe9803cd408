"""Fine-tuning and continual pre-training with TRL's SFTTrainer, from a recipe.

The output folder holds the adapter or the model, the tokenizer, checkpoints while it runs, and manifest.json. A run
that was killed goes on from its last checkpoint, bit for bit as if nothing had happened.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ita_med.errors import ItaMedError
from ita_med.training.recipe import Recipe

if TYPE_CHECKING:
    from datasets import Dataset

LLAMA_DATE = "26 Jul 2024"
"""Llama-3.2's template writes today's date into every prompt unless it is told one."""
TEMPLATE_ARGUMENTS = {"date_string": LLAMA_DATE, "enable_thinking": False}
"""Templates ignore what they do not know."""


def train(recipe: Recipe, dataset: Dataset, out: Path) -> dict[str, Any]:
    """Train and save into `out`; returns TRL's metrics. Needs `ita-med[train]`."""
    _quiet()
    from transformers import AutoTokenizer, set_seed
    from transformers.trainer_utils import get_last_checkpoint
    from trl import SFTConfig, SFTTrainer

    set_seed(recipe.train.seed)
    tokenizer = AutoTokenizer.from_pretrained(recipe.model.id, revision=recipe.model.revision)
    if recipe.method == "ft" and recipe.model.chat:
        if tokenizer.chat_template is None:
            raise ItaMedError(f"{recipe.model.id} has no chat template; set model.chat=false")
        dataset = dataset.map(lambda row: {"chat_template_kwargs": TEMPLATE_ARGUMENTS})
    trainer = SFTTrainer(
        model=recipe.model.id,
        args=SFTConfig(**settings(recipe, out)),
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=_lora(recipe),
    )
    checkpoint = get_last_checkpoint(str(out)) if out.is_dir() else None
    result = trainer.train(resume_from_checkpoint=checkpoint)
    trainer.save_model(str(out))
    metrics: dict[str, Any] = dict(result.metrics)
    return metrics


def _quiet() -> None:
    """TRL reports every start of a trainer to its makers unless it is told not to; a hospital does not want that."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def settings(recipe: Recipe, out: Path) -> dict[str, Any]:
    """The recipe in TRL's words (1.16)."""
    import torch

    t = recipe.train
    packed = t.packing != "none"
    return {
        "output_dir": str(out),
        "learning_rate": t.learning_rate,
        "lr_scheduler_type": t.schedule,
        "warmup_steps": t.warmup,
        "num_train_epochs": t.epochs,
        "max_steps": t.max_steps or -1,
        "per_device_train_batch_size": t.batch_size,
        "gradient_accumulation_steps": t.gradient_accumulation,
        "weight_decay": t.weight_decay,
        "max_grad_norm": t.max_grad_norm,
        "packing": packed,
        **({"packing_strategy": t.packing} if packed else {}),
        "max_length": recipe.data.max_length,
        "activation_checkpointing": t.gradient_checkpointing and torch.cuda.is_available(),
        "gradient_checkpointing": t.gradient_checkpointing and torch.cuda.is_available(),
        "bf16": recipe.model.dtype == "bfloat16" and torch.cuda.is_available(),
        "use_cpu": not torch.cuda.is_available(),
        "seed": t.seed,
        "data_seed": t.seed,
        "save_steps": t.save_steps,
        "save_total_limit": 2,
        "logging_steps": t.logging_steps,
        "report_to": recipe.report_to if recipe.report_to != "none" else [],
        "run_name": recipe.name,
        "model_init_kwargs": {
            "dtype": recipe.model.dtype if torch.cuda.is_available() else "float32",
            "attn_implementation": recipe.model.attention,
            "revision": recipe.model.revision,
        },
    }


def _lora(recipe: Recipe) -> Any:
    from peft import LoraConfig

    if recipe.lora is None:
        return None
    values = dataclasses.asdict(recipe.lora)
    return LoraConfig(
        r=values["r"],
        lora_alpha=values["alpha"],
        lora_dropout=values["dropout"],
        target_modules=values["targets"],
        task_type="CAUSAL_LM",
    )
