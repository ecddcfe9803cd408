"""The insides of huggingface_hub: a constant that is set, and the notes that it leaves beside downloaded files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ita_med.borrowed import Borrowed, there, warn

TELEMETRY = Borrowed(
    "huggingface_hub",
    "huggingface_hub.constants:HF_HUB_DISABLE_TELEMETRY",
    "TRL may tell its makers of each trainer that starts; set HF_HUB_DISABLE_TELEMETRY=1 before the program starts",
)
NOTES = Borrowed(
    "huggingface_hub",
    "files .cache/huggingface/download/**/*.metadata beside a download, whose first line is the commit",
    "the manifest of a mirror cannot say from which commit its files are",
)
BORROWED = (TELEMETRY, NOTES)


def turn_telemetry_off() -> None:
    """Tell huggingface_hub, through which TRL reports, to report nothing.

    It reads the variable when it is imported; where that has happened already, its constant is set too.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None and there(TELEMETRY):
        constants.HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]


def noted_commits(folder: Path) -> dict[str, str]:
    """Sub-folder of `folder` -> commit, as huggingface_hub noted it beside the files that it downloaded there."""
    notes = sorted(folder.glob("*/.cache/huggingface/download/**/*.metadata"))
    if not notes and any(folder.glob("*/.cache/huggingface")):
        warn(NOTES)
    return {note.relative_to(folder).parts[0]: note.read_text("utf-8").split("\n", 1)[0] for note in notes}
