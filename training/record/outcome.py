"""What a training did: the part of the manifest that only the trainer knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class TrainingOutcome:
    """What a training did.

    Attributes:
        parameters: Of the model, an adapter apart.
        trainable: Those that were trained.
        steps: Optimiser steps.
        tokens: Tokens that the model read, over all processes.
        losses: (step, training loss) as logged.
        resumed_from: The step of the checkpoint from which the run went on, if any.
        processes: How many processes shared the work.
    """

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
