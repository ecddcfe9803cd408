"""transformers' Trainer for a head of ours; a module of its own, since transformers takes seconds to import."""

from __future__ import annotations

from typing import Any

from transformers import Trainer, TrainingArguments

from ita_med.training.encoders.heads import TARGETS, loss


class OneDevice(TrainingArguments):
    """Arguments of a process that uses one device at most: several devices are several processes, since the rows of
    our batches cannot be cut anywhere, as `torch.nn.DataParallel` would."""

    @property
    def n_gpu(self) -> int:
        return min(int(super().n_gpu), 1)


class HeadTrainer(Trainer):
    """Trains a model with the loss of a head (`ita_med.training.encoders.heads.HEADS`)."""

    def __init__(self, *args: Any, head: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.head = head
        self.model_accepts_loss_kwargs = False  # the loss below is a mean; it is divided among accumulated batches

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        targets = {name: inputs[name] for name in (*TARGETS, "attention_mask") if name in inputs}
        outputs = model(**{name: value for name, value in inputs.items() if name not in TARGETS})
        value = loss(self.head, outputs, targets)
        return (value, outputs) if return_outputs else value
