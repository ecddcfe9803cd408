"""TRL's trainer, with two of its ways changed.

Packed rows of a batch stay rows. TRL lays them end to end, which only flash attention does not pay for: any other
attention would hold every token of the batch against every other. Rows side by side need (rows, length, length) of the
mask instead of (rows x length) squared, and documents are still apart: transformers reads the borders from position_ids
where there is neither a mask nor a cache.

On a CPU only those positions are scored that are trained. TRL 1.16 does so on GPUs alone, since compilers of other
devices want constant shapes; but of an extraction row nine tenths are prompt, and the head is most of a CPU's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from trl import SFTTrainer
from trl.kernels import chunked_logprob
from trl.trainer import utils
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from ita_med.training.backend.libraries import IGNORED

Batch = dict[str, torch.Tensor]


@dataclass
class PackedRows:
    """Rows of packed documents as a batch: input_ids, labels and position_ids, each (rows, longest row)."""

    pad_token_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> Batch:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        lengths = [row.get("seq_lengths") or [len(row["input_ids"])] for row in rows]
        places = DataCollatorForLanguageModeling.get_position_ids_from_packed_seq_lengths(lengths)
        labels = [torch.tensor(row["labels"]) for row in rows]
        for of_row, at in zip(labels, places, strict=True):
            of_row[at == 0] = IGNORED  # nothing before a document tells its first token
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.pad_token_id),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            "position_ids": pad_sequence(places, batch_first=True, padding_value=0),  # each a document of its own
        }


class Trainer(SFTTrainer):
    """rows: packed rows of a batch stay rows; False with flash attention."""

    def __init__(self, *args: Any, rows: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pad_token_id = int(self._tokenizer.pad_token_id)
        if rows and self.padding_free:
            self.data_collator = PackedRows(self.pad_token_id)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        if "attention_mask" not in inputs and "cu_seq_lens_q" not in inputs:  # TRL counted the width of the batch
            padding = (inputs["input_ids"] == self.pad_token_id) & (inputs["position_ids"] == 0)
            more = (~padding).sum() - inputs["position_ids"].size(1)
            self._total_train_tokens += self.accelerator.gather_for_metrics(more).sum().item()
            self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return loss


def score_only_what_is_trained() -> None:
    """Have TRL's fused head leave out positions without a label on a CPU too, as it does on a GPU."""
    if hasattr(utils, "_use_triton"):  # there, only the fused head asks for it
        utils._use_triton = lambda device: device.type == "cpu" or chunked_logprob._use_triton(device)
