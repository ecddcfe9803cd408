"""What a run says of its model to the leaderboard: the object `declared` of manifest.json.

Size, type and training data are read off the model; what nobody can read off it (`licence`, `open_weights`) is null
until --declare says it, which also overrules the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ita_med import catalogue
from ita_med.errors import ItaMedError

MODEL_TYPES = ("decoder", "chat", "encoder", "other")
MANIFEST = "manifest.json"
"""Written by `ita-med train` beside the weights, or above them where they lie in merged/."""
Declared = dict[str, Any]


def stated(pairs: Iterable[str]) -> Declared:
    """KEY=VALUE texts of --declare; an ItaMedError says what is wrong with one."""
    found: Declared = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        try:
            found[key] = _value(key, value)
        except (ValueError, ItaMedError) as error:
            if not equals or key not in KEYS:
                raise ItaMedError(f'--declare "{pair}": expected one of {", ".join(f"{k}=…" for k in KEYS)}') from error
            raise ItaMedError(f'--declare "{pair}": {error}') from error
    return found


KEYS = ("licence", "model_type", "open_weights", "parameters", "trained_on")


def _value(key: str, value: str) -> Any:
    if key not in KEYS or not value:
        raise ValueError("no value")
    if key == "parameters":
        millions = float(value)
        if not 0 < millions < 1e9:
            raise ValueError("expected millions of parameters")
        return millions
    if key == "open_weights":
        if value not in ("true", "false"):
            raise ValueError("expected true or false")
        return value == "true"
    if key == "model_type" and value not in MODEL_TYPES:
        raise ValueError(f"expected one of {', '.join(MODEL_TYPES)}")
    if key == "trained_on":
        return sorted({catalogue.task(name.strip()).id for name in value.split(",")})
    return value


def declared(lm: Any, given: dict[str, Any], *, chat: bool, floor: bool, by_hand: Declared) -> Declared:
    """The object `declared` of the manifest.

    Args:
        lm: the lm-eval model.
        given: its arguments.
        chat: whether the prompts were made with its chat template.
        floor: whether it is one of the baselines.
        by_hand: what `stated` made of --declare; it overrules the rest.
    """
    folders = [given.get("pretrained"), given.get("peft"), given.get("lora_local_path")]
    return {
        "parameters": _millions(lm),
        "model_type": "other" if floor else "chat" if chat else "decoder",
        "licence": None,
        "open_weights": None,
        "trained_on": sorted({task for folder in folders for task in _trained_on(folder)}),
    } | by_hand


def _millions(lm: Any) -> float | None:
    """Parameters of a transformers model, an adapter's among them; None for models that are elsewhere."""
    parameters = getattr(getattr(lm, "model", None), "parameters", None)
    return round(sum(p.numel() for p in parameters()) / 1e6, 3) if callable(parameters) else None


def _trained_on(folder: Any) -> set[str]:
    """The tasks on which a run of `ita-med train`, and the runs that it began from, trained the weights in a folder."""
    if not isinstance(folder, str) or not Path(folder).is_dir():
        return set()
    for place in (Path(folder), Path(folder).resolve().parent):
        try:
            made = json.loads((place / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        found: set[str] = set()
        while isinstance(made, dict):
            tasks = made.get("tasks")
            found |= {task for task in tasks if isinstance(task, str)} if isinstance(tasks, list) else set()
            base = made.get("base")
            made = base.get("made_by") if isinstance(base, dict) else None
        return found & {task.id for task in catalogue.tasks()}
    return set()
