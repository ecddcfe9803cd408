"""What `ita-med eval` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Run:
    """The options of `ita-med eval`; written to the manifest as they are.

    Attributes:
        model: lm-eval's type of model, or "baseline".
        model_args: as for lm-eval, "a=1,b=x".
        num_fewshot: shots in front of each document.
        limit: only so many documents of each task are asked; None: all.
        constrained: "", or one of `ita_med.tasks.decoding.grammar.KINDS`.
    """

    model: str
    model_args: str = ""
    num_fewshot: int = 0
    apply_chat_template: bool = False
    limit: int | None = None
    batch_size: str = "auto"
    device: str | None = None
    seed: int = 0
    constrained: str = ""
