"""Fine-tuning and continual pre-training with TRL's SFTTrainer, from a recipe.

A run that was killed goes on from its last whole checkpoint, bit for bit as if nothing had happened.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ita_med.borrowed.transformers_inside import remove_arguments_file
from ita_med.training.backend.devices import has_gpu
from ita_med.training.backend.libraries import quiet
from ita_med.training.backend.trainer_settings import trainer_settings
from ita_med.training.models.lora import lora
from ita_med.training.recipe import Recipe
from ita_med.training.record import run_folder
from ita_med.training.record.outcome import TrainingOutcome

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset


def train(
    recipe: Recipe, dataset: Dataset | IterableDataset, tokenizer: Any, out: Path, *, max_steps: int | None = None
) -> TrainingOutcome:
    """Train from the last checkpoint in `out`, or from the start, and save the adapter or model and the tokenizer.

    dataset: `input_ids` and `labels`. max_steps: needed where the data set is streamed, whose length nobody knows.
    """
    from accelerate import PartialState

    trainer = make(recipe, dataset, tokenizer, out, max_steps=max_steps)
    args, model = trainer.args, trainer.model
    checkpoint = run_folder.last_checkpoint(out, args.world_size)
    PartialState().wait_for_everyone()
    if args.process_index == 0:
        run_folder.drop_broken(out, checkpoint)
    PartialState().wait_for_everyone()
    total = model.num_parameters()
    trainable = sum(int(p.numel()) for p in model.parameters() if p.requires_grad)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.save_model(str(out))
    if trainer.is_world_process_zero():
        remove_arguments_file(out)
        (out / "README.md").unlink(missing_ok=True)  # an empty card
        run_folder.public_base(recipe, out)
    log = trainer.state.log_history
    losses = [(int(entry["step"]), entry["loss"]) for entry in log if "loss" in entry]
    tokens = sum_of_legs([int(entry["num_tokens"]) for entry in log if "num_tokens" in entry])
    resumed = int(checkpoint.name.rpartition("-")[2]) if checkpoint else None
    base = total - trainable if recipe.lora else total
    return TrainingOutcome(base, trainable, trainer.state.global_step, tokens, losses, resumed, args.world_size)


def make(
    recipe: Recipe, dataset: Dataset | IterableDataset, tokenizer: Any, out: Path, *, max_steps: int | None = None
) -> Any:
    """The trainer of a recipe, a `ita_med.training.decoders.trl_trainer.Trainer`, with its model loaded."""
    quiet()
    from transformers import PrinterCallback
    from transformers.utils import logging
    from trl import SFTConfig

    from ita_med.training.decoders.trl_trainer import Trainer

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
    """Arguments of TRL's `SFTConfig` (1.16)."""
    t, gpu = recipe.train, has_gpu()
    packed = t.packing != "none"
    found = trainer_settings(recipe, out / run_folder.CHECKPOINTS, recipe.name) | {
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


def weights_dtype(recipe: Recipe, gpu: bool) -> str:
    """A frozen base may be kept in 16 bits; weights that are trained may not: small steps would be rounded away."""
    return recipe.model.dtype if gpu and recipe.lora else "float32"


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
