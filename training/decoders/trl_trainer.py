"""TRL's trainer, with two of its ways changed.

Packed rows of a batch stay rows. TRL lays them end to end, which only flash attention does not pay for: any other
attention would hold every token of the batch against every other. Rows side by side need (rows, length, length) of the
mask instead of (rows x length) squared, and documents are still apart: transformers reads the borders from position_ids
where there is neither a mask nor a cache.

On a CPU only those positions are scored that are trained. TRL 1.16 does so on GPUs alone, since compilers of other
devices want constant shapes; but of an extraction row nine tenths are prompt, and the head is most of a CPU's work.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from trl import SFTTrainer

from ita_med.borrowed.trl_inside import only_labelled_positions
from ita_med.training.backend.libraries import IGNORED

Batch = dict[str, torch.Tensor]


@dataclass
class PackedRows:
    """Rows of packed documents as a batch: input_ids, labels and position_ids, each (rows, longest row)."""

    pad_token_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> Batch:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        lengths = [row.get("seq_lengths") or [len(row["input_ids"])] for row in rows]
        places = [torch.cat([torch.arange(length) for length in of_row]) for of_row in lengths]
        labels = [torch.tensor(row["labels"]) for row in rows]
        for of_row, at in zip(labels, places, strict=True):
            of_row[at == 0] = IGNORED  # nothing before a document tells its first token
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.pad_token_id),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            "position_ids": pad_sequence(places, batch_first=True, padding_value=0),  # each a document of its own
        }


class Trainer(SFTTrainer):
    """rows: the data set is packed, and packed rows of a batch stay rows; False with flash attention."""

    def __init__(self, *args: Any, rows: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if rows:
            tokenizer: Any = self.processing_class
            self.data_collator = PackedRows(int(tokenizer.pad_token_id))

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        with only_labelled_positions() if self.args.device.type == "cpu" else nullcontext():
            if not isinstance(self.data_collator, PackedRows):
                return super().compute_loss(model, inputs, *args, **kwargs)

            # TRL counts the tokens of the mask; the model must not see one, since it reads the borders of the
            # documents from position_ids only where there is none.
            def without_mask(*, attention_mask: torch.Tensor, **rest: Any) -> Any:
                return model(**rest)

            padding = (inputs["input_ids"] == self.data_collator.pad_token_id) & (inputs["position_ids"] == 0)
            return super().compute_loss(without_mask, {**inputs, "attention_mask": ~padding}, *args, **kwargs)
