"""Fine-tuning and continual pre-training with TRL's SFTTrainer, from a recipe.

A run that was killed goes on from its last whole checkpoint, bit for bit as if nothing had happened.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ita_med.borrowed.hub_inside import turn_telemetry_off
from ita_med.borrowed.transformers_inside import remove_arguments_file
from ita_med.errors import ItaMedError
from ita_med.training import runs
from ita_med.training.estimate import computes_in_16_bits, has_gpu
from ita_med.training.recipe import Recipe

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

ADAPTER_CONFIG = "adapter_config.json"


@dataclass
class Result:
    """losses: (step, training loss) as logged; tokens: read by the model, over all processes."""

    parameters: int
    trainable: int
    steps: int
    tokens: int
    losses: list[tuple[int, float]] = field(default_factory=list)
    resumed_from: int | None = None
    processes: int = 1

    def as_dict(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in ("parameters", "trainable", "steps", "tokens", "processes")}
        log = [[step, round(loss, 4)] for step, loss in self.losses]
        first, last = (log[0][1], log[-1][1]) if log else (None, None)
        return values | {
            "resumed_from": self.resumed_from,
            "loss": {"first": first, "last": last, "log": log},
        }


def quiet() -> None:
    """TRL tells its makers of every trainer that starts unless it is told not to; a hospital does not want that."""
    turn_telemetry_off()
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def require_packages() -> None:
    for module in ("torch", "trl", "peft", "accelerate"):
        if find_spec(module) is None:
            raise ItaMedError(f"training needs the package {module}: pip install 'ita-med[train]'")


def train(
    recipe: Recipe, dataset: Dataset | IterableDataset, tokenizer: Any, out: Path, *, max_steps: int | None = None
) -> Result:
    """Train from the last checkpoint in `out`, or from the start, and save the adapter or model and the tokenizer.

    dataset: `input_ids` and `labels`. max_steps: needed where the data set is streamed, whose length nobody knows.
    """
    from accelerate import PartialState

    trainer = make(recipe, dataset, tokenizer, out, max_steps=max_steps)
    args, model = trainer.args, trainer.model
    checkpoint = runs.last_checkpoint(out, args.world_size)
    PartialState().wait_for_everyone()
    if args.process_index == 0:
        runs.drop_broken(out, checkpoint)
    PartialState().wait_for_everyone()
    total = model.num_parameters()
    trainable = sum(int(p.numel()) for p in model.parameters() if p.requires_grad)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.save_model(str(out))
    if trainer.is_world_process_zero():
        remove_arguments_file(out)
        (out / "README.md").unlink(missing_ok=True)  # an empty card
        public_base(recipe, out)
    log = trainer.state.log_history
    losses = [(int(entry["step"]), entry["loss"]) for entry in log if "loss" in entry]
    tokens = sum_of_legs([int(entry["num_tokens"]) for entry in log if "num_tokens" in entry])
    resumed = int(checkpoint.name.rpartition("-")[2]) if checkpoint else None
    base = total - trainable if recipe.lora else total
    return Result(base, trainable, trainer.state.global_step, tokens, losses, resumed, args.world_size)


def make(
    recipe: Recipe, dataset: Dataset | IterableDataset, tokenizer: Any, out: Path, *, max_steps: int | None = None
) -> Any:
    """The trainer of a recipe, a `ita_med.training.trainer.Trainer`, with its model loaded."""
    quiet()
    from transformers import PrinterCallback
    from transformers.utils import logging
    from trl import SFTConfig

    from ita_med.training.trainer import Trainer

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    trainer = Trainer(
        model=recipe.model.place,
        args=SFTConfig(**settings(recipe, out, max_steps=max_steps)),
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=lora(recipe),
        rows=recipe.train.packing != "none" and "flash" not in recipe.model.attention,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def sum_of_legs(counts: list[int]) -> int:
    """TRL counts tokens from 0 again after a resumption: the sum of what each leg counted last."""
    return sum(n for n, following in zip(counts, [*counts[1:], -1], strict=False) if following < n)


def settings(recipe: Recipe, out: Path, *, max_steps: int | None = None) -> dict[str, Any]:
    """The recipe in TRL's words (1.16)."""
    t, gpu = recipe.train, has_gpu()
    packed = t.packing != "none"
    found = trainer_settings(recipe, out, recipe.name) | {
        "max_steps": t.max_steps or max_steps or -1,
        "packing": packed,
        **({"packing_strategy": t.packing} if packed else {}),
        "max_length": recipe.data.max_length,
        "activation_checkpointing": t.gradient_checkpointing and gpu,  # TRL's own default is on
        "ddp_find_unused_parameters": False,  # all that is trained is used; looking for more costs a pass per step
        "model_init_kwargs": {
            "dtype": weights_dtype(recipe, gpu),
            "attn_implementation": recipe.model.attention,
            "revision": recipe.model.revision,
        },
    }
    if packed and not gpu:
        # a CPU is as fast with one packed row as with many, in a fraction of the memory; the loss is the same mean
        found["per_device_train_batch_size"] = 1
        found["gradient_accumulation_steps"] *= t.batch_size
    return found


def trainer_settings(recipe: Recipe, folder: Path, run_name: str) -> dict[str, Any]:
    """The recipe in the words of transformers' TrainingArguments; checkpoints go to `folder`."""
    t, gpu = recipe.train, has_gpu()
    return {
        "output_dir": str(folder / runs.CHECKPOINTS),
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


def weights_dtype(recipe: Recipe, gpu: bool) -> str:
    """A frozen base may be kept in 16 bits; weights that are trained may not: small steps would be rounded away."""
    return recipe.model.dtype if gpu and recipe.lora else "float32"


def tracker(recipe: Recipe) -> str | list[str]:
    """trackio, which keeps its records on this machine, only where it is installed."""
    if recipe.report_to == "none" or (recipe.report_to == "trackio" and find_spec("trackio") is None):
        return "none"
    return recipe.report_to


def lora(recipe: Recipe) -> Any:
    """PEFT's configuration, or None where all parameters are trained."""
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


def public_base(recipe: Recipe, out: Path) -> None:
    """PEFT writes down where the base was loaded from; others need its public name."""
    path = out / ADAPTER_CONFIG
    if path.is_file():
        values = json.loads(path.read_text("utf-8"))
        values["base_model_name_or_path"] = recipe.model.public_name
        if isinstance(modules := values.get("target_modules"), list):
            values["target_modules"] = sorted(modules)  # PEFT keeps a set: its order changes from run to run
        path.write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def merge(recipe: Recipe, out: Path) -> None:
    """Write the base with the adapter in it to OUT/merged, a model that needs no PEFT."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = recipe.model.dtype
    base = AutoModelForCausalLM.from_pretrained(recipe.model.place, revision=recipe.model.revision, dtype=dtype)
    merged = PeftModel.from_pretrained(base, str(out)).merge_and_unload()
    partial = out / ".merged"
    shutil.rmtree(partial, ignore_errors=True)
    merged.save_pretrained(partial)
    AutoTokenizer.from_pretrained(out).save_pretrained(partial)
    shutil.rmtree(out / "merged", ignore_errors=True)
    partial.rename(out / "merged")
