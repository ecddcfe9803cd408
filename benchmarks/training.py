"""Training speed: `ita-med train`'s trainer against plain TRL on the same rows and model, in one run.

    python benchmarks/training.py MODEL_FOLDER [MIRROR] [--layers N] [--rows N] [--rounds N]

MODEL_FOLDER: a causal language model with its tokenizer. --layers: only the first N layers of its configuration, with
random weights, so that a CPU is done in minutes; 0: the model as it is. The rows are the short extraction rows of the
tasks in TASKS, as many rows in all as --rows.

Four ways train one LoRA epoch over the same rows, in rounds that alternate; the median of each is taken:

    trl          plain SFTTrainer on prompt/completion rows, padded batches: what `trl sft` does
    trl packed   the same with packing=True, TRL's own packing
    ours         the recipe's trainer with train.packing=none
    ours packed  the recipe's trainer with train.packing=bfd

Only the optimiser steps are timed, not the loading, tokenising or packing. Useful tokens are those of the rows, padding
left out, the same number for all. On a GPU the model FLOPs utilisation is printed too: 6 x parameters x tokens, without
recomputation and attention, against the device's measured matrix product.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")

import torch
from datasets import Dataset
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from transformers.utils import logging as transformers_logging
from trl import SFTConfig, SFTTrainer

from ita_med.tasks.evaluation.chat_template import TEMPLATE_SETTINGS
from ita_med.training import recipe as recipes
from ita_med.training.backend.devices import matrix_speed
from ita_med.training.data import fine_tuning
from ita_med.training.data.prompt_rows import PromptRow
from ita_med.training.decoders import sft
from ita_med.training.models.lora import lora
from ita_med.training.models.size import size

TASKS = "data.tasks=[ner_e3c_disorder, arg_abstrct, re_clinkart]"


def shrunk(folder: Path, layers: int, out: Path) -> Path:
    """The folder, or a random model of its configuration with fewer layers."""
    if not layers:
        return folder
    config = AutoConfig.from_pretrained(folder, num_hidden_layers=layers)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(out)
    AutoTokenizer.from_pretrained(folder).save_pretrained(out)
    return out


def a_recipe(model: Path, packing: str, batch: int) -> Any:
    changes = [f"model.path={model}", f"train.packing={packing}", f"train.batch_size={batch}", "train.epochs=1", TASKS]
    changes += ["report_to=none", "data.max_length=1024", "train.logging_steps=1000", "train.save_steps=100000"]
    return recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"), changes)


def trainers(model: Path, rows: list[PromptRow], out: Path, batch: int) -> dict[str, Any]:
    """Way -> a function that makes its trainer anew."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokens = Dataset.from_list(list(fine_tuning.encode(rows, tokenizer, chat=True)))
    theirs = Dataset.from_list(
        [{k: row[k] for k in ("prompt", "completion")} | {"chat_template_kwargs": TEMPLATE_SETTINGS} for row in rows]
    )

    def plain(packing: bool) -> Any:
        recipe = a_recipe(model, "bfd" if packing else "none", batch)
        settings = sft.settings(recipe, out) | {"per_device_train_batch_size": batch, "gradient_accumulation_steps": 1}
        return SFTTrainer(str(model), SFTConfig(**settings), train_dataset=theirs, processing_class=tokenizer,
                          peft_config=lora(recipe))  # fmt: skip

    def ours(packing: str) -> Any:
        return sft.make(a_recipe(model, packing, batch), tokens, tokenizer, out)

    return {
        "trl": lambda: plain(False),
        "trl packed": lambda: plain(True),
        "ours": lambda: ours("none"),
        "ours packed": lambda: ours("bfd"),
    }


def seconds(make: Any) -> tuple[float, int]:
    """Time of one epoch, and its steps."""
    trainer = make()
    trainer.remove_callback(PrinterCallback)
    start = time.perf_counter()
    with contextlib.redirect_stdout(None):
        trainer.train()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, trainer.state.global_step


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("mirror", nargs="?")
    parser.add_argument("--layers", type=int, default=0 if torch.cuda.is_available() else 2)
    parser.add_argument("--rows", type=int, default=4096 if torch.cuda.is_available() else 32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers_logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        model = shrunk(args.model, args.layers, Path(place) / "model")
        rows = fine_tuning.prepare(a_recipe(model, "bfd", args.batch), args.mirror).rows[: args.rows]
        tokenizer = AutoTokenizer.from_pretrained(model)
        lengths = [len(row["input_ids"]) for row in fine_tuning.encode(rows, tokenizer, chat=True)]
        whole = size(a_recipe(model, "bfd", args.batch))
        print(f"{len(rows)} rows, {sum(lengths):,} tokens ({min(lengths)}-{max(lengths)} each); {whole.parameters:,} "
              f"parameters; {matrix_speed(True)[1]}")  # fmt: skip
        ways = trainers(model, rows, Path(place) / "out", args.batch)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(args.rounds):
            for way, make in list(ways.items())[:: 1 if number % 2 == 0 else -1]:
                spent, steps = seconds(make)
                times[way].append(spent)
                gc.collect()
                speed = sum(lengths) / spent
                print(f"round {number + 1}: {way:12} {spent:7.2f} s, {steps} steps, {speed:8,.0f} tokens/s", flush=True)
    median = {way: statistics.median(spent) for way, spent in times.items()}
    print()
    for way, spent in median.items():
        print(f"{way:12} {sum(lengths) / spent:8,.0f} useful tokens/s")
    print(f"\nours / trl                {median['trl'] / median['ours']:.2f}   (must be at least 1.0)")
    print(f"ours packed / trl         {median['trl'] / median['ours packed']:.2f}   (must be at least 1.3)")
    print(f"ours packed / trl packed  {median['trl packed'] / median['ours packed']:.2f}")
    print(f"ours packed / ours        {median['ours'] / median['ours packed']:.2f}   (what packing alone brings)")
    if torch.cuda.is_available():
        speed, device = matrix_speed(True, seconds=1.0)
        reached = 6 * whole.parameters * sum(lengths) / median["ours packed"]
        print(f"MFU {reached / speed:.0%} of {speed / 1e12:.0f} TFLOP/s ({device}, measured)")
    else:
        print("no GPU: MFU not measured")


if __name__ == "__main__":
    main()
