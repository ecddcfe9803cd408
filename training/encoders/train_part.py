"""Train one part with transformers' Trainer, from its last whole checkpoint or from the start, and save it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import orjson

from ita_med.borrowed.transformers_inside import remove_arguments_file
from ita_med.errors import ItaMedError
from ita_med.files import write_json
from ita_med.training.backend.libraries import quiet
from ita_med.training.backend.trainer_settings import trainer_settings
from ita_med.training.encoders.heads import HEADS, BatchCollator, LoadedPart, Part
from ita_med.training.recipe import Recipe
from ita_med.training.record import run_folder

FACTS = "part.json"
"""In the folder of a part: what predicting must know, how it was trained, and its loss."""


def train(recipe: Recipe, part: Part, tokenizer: Any, out: Path, work: Path) -> dict[str, Any]:
    """The facts of the trained part; `out` appears whole when it is done, checkpoints lie in `work` until then.

    A part that is there already is left as it is.
    """
    if (out / FACTS).is_file():
        found: dict[str, Any] = orjson.loads((out / FACTS).read_bytes())
        return found
    quiet()
    from accelerate import PartialState
    from transformers import PrinterCallback, set_seed
    from transformers.utils import logging

    from ita_med.training.encoders.head_trainer import HeadTrainer, OneDevice

    logging.set_verbosity_error()  # a new head is what is wanted here
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    args = OneDevice(**settings(recipe, work, f"{recipe.name} {out.parent.name} {part.name}"))
    checkpoint = run_folder.last_checkpoint(work, args.world_size)
    PartialState().wait_for_everyone()
    if args.process_index == 0:
        run_folder.drop_broken(work, checkpoint)
    PartialState().wait_for_everyone()
    set_seed(recipe.train.seed)

    model = _new(recipe, part)
    trainer = HeadTrainer(
        model=model, args=args, train_dataset=part.rows, data_collator=BatchCollator(tokenizer, part.head),
        processing_class=tokenizer, head=part.head,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    losses = [(int(entry["step"]), entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    passes = float(trainer.state.epoch or 0)
    facts = {
        **part.facts,
        "name": part.name,
        "head": part.head,
        "labels_of_head": part.labels,
        "parameters": model.num_parameters(),
        "rows": len(part.rows),
        "tokens": round(passes * sum(row.tokens for row in part.rows)),
        "steps": trainer.state.global_step,
        "resumed_from": run_folder.step(checkpoint) if checkpoint else None,
        "loss": {"first": losses[0][1] if losses else None, "last": losses[-1][1] if losses else None,
                 "log": [list(entry) for entry in losses]},
    }  # fmt: skip
    partial = out.with_name(f".{out.name}")
    trainer.save_model(str(partial))
    if trainer.is_world_process_zero():
        remove_arguments_file(partial)
        write_json(partial / FACTS, facts)
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
        shutil.rmtree(work, ignore_errors=True)
    PartialState().wait_for_everyone()
    return facts


def settings(recipe: Recipe, work: Path, run_name: str) -> dict[str, Any]:
    """The recipe in the words of transformers' Trainer, which keeps the columns that our collators read."""
    return trainer_settings(recipe, work / run_folder.CHECKPOINTS, run_name) | {"remove_unused_columns": False}


def _new(recipe: Recipe, part: Part) -> Any:
    """The recipe's encoder with a new head."""
    import transformers

    labels = {"id2label": dict(enumerate(part.labels)), "label2id": {name: n for n, name in enumerate(part.labels)}}
    try:
        model = getattr(transformers, HEADS[part.head]).from_pretrained(
            recipe.model.place,
            revision=recipe.model.revision,
            attn_implementation=recipe.model.attention,
            dtype="float32",
            **(labels if part.labels else {}),
        )
    except (OSError, ValueError) as error:
        raise ItaMedError(f"{recipe.model.id} cannot be loaded as an encoder: {error}") from error
    check_length(recipe, model.config)
    return model


def check_length(recipe: Recipe, config: Any) -> None:
    """No sequence is longer than the positions that the model has; RoBERTa's kind counts from behind its padding."""
    longest = getattr(config, "max_position_embeddings", None)
    if longest and "roberta" in config.model_type:
        longest -= config.pad_token_id + 1
    if longest and recipe.data.max_length > longest:
        raise ItaMedError(
            f"data.max_length={recipe.data.max_length} is more than the {longest} tokens that {recipe.model.id} reads"
        )


def load(folder: Path, device: str | None = None, batch_size: int = 32) -> LoadedPart:
    """A part that was trained."""
    import torch
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        facts = orjson.loads((folder / FACTS).read_bytes())
        model = getattr(transformers, HEADS[facts["head"]]).from_pretrained(folder, dtype="float32")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ItaMedError(f"{folder} holds no trained part of an encoder ({error})") from error
    model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval()
    return LoadedPart(model, tokenizer, facts["labels_of_head"], facts, batch_size)
