"""The folder of a run: what is trained there, whether it may be continued, and manifest.json when it is done.

While a run is unfinished the folder holds run.json (what is being trained) and checkpoints/; manifest.json is written
last, so a folder that has one is whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import orjson

from ita_med.borrowed.transformers_inside import is_whole
from ita_med.errors import ItaMedError
from ita_med.files import write_json
from ita_med.training.recipe import Recipe

log = logging.getLogger("ita_med")
STARTED, FINISHED, CHECKPOINTS = "run.json", "manifest.json", "checkpoints"
SCRATCH = "scratch"
"""The untrained model of a run from scratch, until the run is finished."""
MADE_BY = ("name", "method", "fingerprint", "base", "tasks", "corpora", "licences")
"""What the manifest of a run says of the run before it."""
ADAPTER_CONFIG = "adapter_config.json"


def as_run(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a dictionary, without the folders of this machine."""
    values = dataclasses.asdict(recipe)
    values["model"].pop("path")
    values["model"]["id"] = recipe.model.id if recipe.model.after else recipe.model.public_name
    values["model"]["after"] = recipe.model.after and Path(recipe.model.after).name
    values["data"]["corpora"] = [Path(name).name for name in recipe.data.corpora]
    if recipe.data.replay:
        values["data"]["replay"]["corpora"] = [Path(name).name for name in recipe.data.replay.corpora]
    return values


def fingerprint(recipe: Recipe, data: str) -> str:
    """sha256 of the recipe, of the data's own fingerprint and of the model that is trained.

    A run may only be continued with what it was begun with.
    """
    values = as_run(recipe) | {"report_to": "", "data_fingerprint": data, "base": base(recipe)}
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()


def base(recipe: Recipe) -> dict[str, Any]:
    """The model that is trained: public name, revision, and the run that made it if it is one of ours."""
    if recipe.model.scratch is not None:
        return {"model": recipe.model.id, "revision": "", "from_scratch": True}
    folder = Path(recipe.model.after or recipe.model.place)
    found: dict[str, Any] = {"model": recipe.model.public_name, "revision": recipe.model.revision}
    if (folder / FINISHED).is_file():
        made = json.loads((folder / FINISHED).read_text("utf-8"))
        found["made_by"] = {key: made.get(key) for key in MADE_BY}
    elif not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache

        path = try_to_load_from_cache(recipe.model.id, "config.json", revision=recipe.model.revision)
        if isinstance(path, str):
            found["revision"] = Path(path).parent.name
    return found


def open_run(out: Path, mark: str) -> dict[str, Any] | None:
    """Look whether a run can be written to `out`, or is there already.

    Args:
        out: The folder of the run.
        mark: `fingerprint` of what is to be trained.

    Returns:
        The manifest if the same run is finished there; None if there is something to train.

    Raises:
        ItaMedError: The folder holds another run, or something else.
    """
    if out.exists() and not out.is_dir():
        raise ItaMedError(f"{out} is a file; --out names a folder")
    for name in (FINISHED, STARTED):
        if (out / name).is_file():
            try:
                found: dict[str, Any] = json.loads((out / name).read_text("utf-8"))
            except ValueError as error:
                raise ItaMedError(f"{out / name} is damaged ({error}); name another folder") from error
            if found.get("fingerprint") != mark:
                kind = "finished" if name == FINISHED else "unfinished"
                raise ItaMedError(f"{out} holds a {kind} run with another recipe or other data; name another folder")
            return found if name == FINISHED else None
    if out.is_dir() and any(out.iterdir()):
        raise ItaMedError(f"{out} is not empty and holds no run of ita-med train; name another folder")
    return None


def start(out: Path, recipe: Recipe, mark: str) -> None:
    """Make the folder with run.json, unless a run that was stopped left it there."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / STARTED).is_file():
        write_json(out / STARTED, {"fingerprint": mark, "recipe": as_run(recipe)})


def last_checkpoint(out: Path, processes: int) -> Path | None:
    """The newest whole checkpoint; one that was being written when the run was killed is not whole.

    Where there are checkpoints and none is whole, a warning says so: the run begins anew.
    """
    found = sorted((out / CHECKPOINTS).glob("checkpoint-*"), key=step, reverse=True)
    for path in found:
        if is_whole(path, processes):
            return path
    if found:
        log.warning("%s: none of %d checkpoints is whole; the run begins anew", out / CHECKPOINTS, len(found))
    return None


def drop_broken(out: Path, last: Path | None) -> None:
    """Remove checkpoints that are not whole."""
    for path in (out / CHECKPOINTS).glob("checkpoint-*"):
        if last is None or step(path) > step(last):
            shutil.rmtree(path)


def step(path: Path) -> int:
    """The step of a checkpoint's folder, -1 for another."""
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def finish(out: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest and remove what only an unfinished run needs."""
    write_json(out / FINISHED, manifest)
    for name in (CHECKPOINTS, SCRATCH):
        shutil.rmtree(out / name, ignore_errors=True)
    (out / STARTED).unlink(missing_ok=True)


def public_base(recipe: Recipe, out: Path) -> None:
    """PEFT writes down where the base was loaded from; others need its public name."""
    path = out / ADAPTER_CONFIG
    if path.is_file():
        values = json.loads(path.read_text("utf-8"))
        values["base_model_name_or_path"] = recipe.model.public_name
        if isinstance(modules := values.get("target_modules"), list):
            values["target_modules"] = sorted(modules)  # PEFT keeps a set: its order changes from run to run
        path.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
