"""The packages that train: whether they are installed, that they report to nobody, and a label they share."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from ita_med.borrowed.hub_inside import turn_telemetry_off
from ita_med.errors import ItaMedError

IGNORED = -100
"""The label of tokens that are not learned: torch's cross entropy leaves it out."""


def quiet() -> None:
    """TRL tells its makers of every trainer that starts unless it is told not to; a hospital does not want that."""
    turn_telemetry_off()
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def require_packages() -> None:
    """Raise an ItaMedError that names the first package of `ita-med[train]` that is not installed."""
    for module in ("torch", "trl", "peft", "accelerate"):
        if find_spec(module) is None:
            raise ItaMedError(f"training needs the package {module}: pip install 'ita-med[train]'")
