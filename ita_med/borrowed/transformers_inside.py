"""The insides of transformers: names of the files that its Trainer writes."""

from __future__ import annotations

import json
from pathlib import Path

from ita_med.borrowed import Borrowed, there

ARGUMENTS_FILE = Borrowed(
    "transformers",
    "transformers.trainer:TRAINING_ARGS_NAME",
    "a pickle of the training arguments, with folders of this machine, may lie beside the weights; "
    "delete it before you give them away",
)
STATE_FILE = Borrowed(
    "transformers",
    "transformers.trainer:TRAINER_STATE_NAME",
    "whether a checkpoint is whole cannot be seen, so a run that was stopped begins anew",
)
RANDOM_STATES = Borrowed(
    "transformers",
    "file rng_state*.pth of each process in a checkpoint",
    "a run that was stopped begins anew",
)
BORROWED = (ARGUMENTS_FILE, STATE_FILE, RANDOM_STATES)


def remove_arguments_file(folder: Path) -> None:
    """Remove the pickle of the training arguments, which holds paths of this machine, from a saved model."""
    if there(ARGUMENTS_FILE):
        from transformers.trainer import TRAINING_ARGS_NAME

        (folder / TRAINING_ARGS_NAME).unlink(missing_ok=True)


def is_whole(checkpoint: Path, processes: int) -> bool:
    """Whether the Trainer finished writing a checkpoint: its state comes last, after every process's random states."""
    if not there(STATE_FILE):
        return False
    from transformers.trainer import TRAINER_STATE_NAME

    try:
        json.loads((checkpoint / TRAINER_STATE_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return len(list(checkpoint.glob("rng_state*.pth"))) == processes
