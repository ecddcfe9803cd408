"""Masked-language pre-training of an encoder on built corpora, further or from scratch.

The tokens of all documents, each closed by the separator, are laid end to end and cut into sequences: nothing is lost,
and none is padded but the last of every thousand documents (the "full sentences" of RoBERTa, Liu et al. 2019). Of
`train.mask` of the tokens 80 % are masked, 10 % replaced and 10 % left (Devlin et al. 2019), anew in every pass. What
is masked follows from the seed, the pass and the sequence alone, so that a resumed run masks the same.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ita_med.borrowed.transformers_inside import remove_arguments_file
from ita_med.errors import ItaMedError
from ita_med.training.backend.libraries import IGNORED, quiet
from ita_med.training.data.corpora import Corpora, records
from ita_med.training.encoders import train_part
from ita_med.training.recipe import Recipe
from ita_med.training.record import run_folder
from ita_med.training.record.outcome import TrainingOutcome

if TYPE_CHECKING:
    import torch
    from datasets import Dataset


def dataset(recipe: Recipe, corpora: Corpora, tokenizer: Any) -> Dataset:
    """{"input_ids"} per sequence, of at most `data.max_length` tokens with the special ones."""
    if tokenizer.mask_token_id is None or tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise ItaMedError(
            f"{recipe.model.id} is no masked language model: its tokenizer has no mask, start or separator"
        )
    texts = records(corpora)
    return texts.map(_Sequences(tokenizer, recipe.data.max_length), batched=True, remove_columns=texts.column_names)


class _Sequences:
    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self.tokenizer, self.inner = tokenizer, max_length - 2

    def __call__(self, batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        start, end = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        found = self.tokenizer(batch["text"], add_special_tokens=False, verbose=False)["input_ids"]
        joined = [token for ids in found for token in (*ids, end)][:-1]
        return {"input_ids": [[start, *piece, end] for piece in self._pieces(joined)]}

    def _pieces(self, joined: list[int]) -> Iterator[list[int]]:
        return (joined[at : at + self.inner] for at in range(0, len(joined), self.inner))


class Masks:
    """Sequences -> a batch with masked tokens. epoch: the pass, kept up to date by the trainer."""

    def __init__(self, tokenizer: Any, share: float, seed: int) -> None:
        self.pad, self.mask = tokenizer.pad_token_id, tokenizer.mask_token_id
        self.ordinary = np.array(sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids)))
        self.special = np.array(tokenizer.all_special_ids)
        self.share, self.seed, self.epoch = share, seed, 0

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        import torch

        longest = max(len(row["input_ids"]) for row in rows)
        ids = np.full((len(rows), longest), self.pad)
        labels = np.full_like(ids, IGNORED)
        seen = np.zeros_like(ids)
        for n, row in enumerate(rows):
            own = np.array(row["input_ids"])
            seen[n, : len(own)] = 1
            ids[n, : len(own)], labels[n, : len(own)] = self.masked(own)
        return {name: torch.from_numpy(values) for name, values in
                (("input_ids", ids), ("attention_mask", seen), ("labels", labels))}  # fmt: skip

    def masked(self, own: Any) -> tuple[Any, Any]:
        """A sequence as the model reads it, and what it should have read."""
        rng = np.random.default_rng([self.seed, self.epoch, zlib.crc32(own.astype(np.int32).tobytes())])
        places = np.flatnonzero(~np.isin(own, self.special))
        drawn = rng.permutation(places)[: max(round(self.share * len(places)), min(len(places), 1))]
        read, labels = own.copy(), np.full_like(own, IGNORED)
        labels[drawn] = own[drawn]
        how = rng.random(len(drawn))
        read[drawn[how < 0.8]] = self.mask
        random = drawn[(how >= 0.8) & (how < 0.9)]
        read[random] = rng.choice(self.ordinary, len(random))
        return read, labels


def train(recipe: Recipe, sequences: Dataset, tokenizer: Any, out: Path) -> TrainingOutcome:
    """Train from the last checkpoint in `out`, or from the start, and save the model and its tokenizer there."""
    quiet()
    import transformers
    from accelerate import PartialState
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    args = transformers.TrainingArguments(**train_part.settings(recipe, out, recipe.name))
    checkpoint = run_folder.last_checkpoint(out, args.world_size)
    PartialState().wait_for_everyone()
    if args.process_index == 0:
        run_folder.drop_broken(out, checkpoint)
    PartialState().wait_for_everyone()
    transformers.set_seed(recipe.train.seed)
    try:
        model: Any = transformers.AutoModelForMaskedLM.from_pretrained(
            recipe.model.place, revision=recipe.model.revision, attn_implementation=recipe.model.attention,
            dtype="float32",
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise ItaMedError(f"{recipe.model.id} cannot be loaded as a masked language model: {error}") from error
    train_part.check_length(recipe, model.config)
    masks = Masks(tokenizer, recipe.train.mask, recipe.train.seed)

    class Passes(transformers.TrainerCallback):
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            masks.epoch = int(state.epoch + 1e-6)

    trainer = transformers.Trainer(
        model=model, args=args, train_dataset=sequences, data_collator=masks, processing_class=tokenizer,
        callbacks=[Passes()],
    )  # fmt: skip
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.save_model(str(out))
    if trainer.is_world_process_zero():
        remove_arguments_file(out)
    losses = [(int(entry["step"]), entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    tokens = round(float(trainer.state.epoch or 0) * sum(map(len, sequences["input_ids"])))
    resumed = run_folder.step(checkpoint) if checkpoint else None
    size = model.num_parameters()
    return TrainingOutcome(size, size, trainer.state.global_step, tokens, losses, resumed, args.world_size)
