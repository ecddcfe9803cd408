"""What would stop a run, found before anything is downloaded: too little memory or disk, a model that cannot be had."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ita_med.errors import ItaMedError
from ita_med.training.backend.devices import free_disk, free_memory, world_size
from ita_med.training.models import local_model
from ita_med.training.plan.estimate import Estimate
from ita_med.training.recipe import Recipe
from ita_med.training.record import run_folder


def room(recipe: Recipe, estimate: Estimate, out: Path) -> str:
    """Check that memory and disk suffice.

    Several processes may share the model (FSDP, ZeRO): then only the disk is looked at.

    Returns:
        A warning where the batches may not fit into memory (what they need is an estimate, and no reason to refuse),
        else "".

    Raises:
        ItaMedError: Weights, gradients and optimiser do not fit into memory, or the checkpoints not on the disk.
    """
    free, warning = free_memory(), ""
    if free is not None and world_size() == 1:
        if estimate.least_gib > free:
            raise ItaMedError(
                f"{recipe.name} needs {estimate.least_gib:.1f} GiB of memory for the model alone, {free:.1f} are free; "
                "use lora, a smaller model, or share it among devices with --accelerate fsdp2"
            )
        if estimate.memory_gib > free:
            warning = (
                f"about {estimate.memory_gib:.1f} GiB of memory are needed, {free:.1f} are free; "
                "if it fails, lower train.batch_size (and raise train.gradient_accumulation) or data.max_length"
            )
    left = free_disk(out)
    if estimate.disk_gib > left:
        raise ItaMedError(
            f"{recipe.name} needs about {estimate.disk_gib:.1f} GiB of disk, {left:.1f} are free below {out.parent}"
        )
    return warning


def model(recipe: Recipe) -> None:
    """Check that the model is here, or that the Hub would give it to this user; nothing is downloaded."""
    if recipe.model.scratch is not None:
        return
    name, path = recipe.model.id, Path(recipe.model.place)
    if recipe.model.after:
        _after(recipe, Path(recipe.model.after))
    if path.is_dir():
        if not (path / "config.json").is_file():
            hint = "; it is an adapter: train on merged/" if (path / "adapter_config.json").is_file() else ""
            raise ItaMedError(f"{path} holds no model (config.json is missing){hint}")
        return
    if recipe.model.path:
        raise ItaMedError(f"model.path={recipe.model.path} is no folder")
    if local_model.file(recipe, "config.json") is not None:
        return
    from huggingface_hub import auth_check, constants, model_info
    from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if constants.HF_HUB_OFFLINE:
        raise ItaMedError(f"{name} is not on this machine and HF_HUB_OFFLINE is set; name its folder as model.path")
    try:
        auth_check(name)
        model_info(name, revision=recipe.model.revision)
    except RevisionNotFoundError as error:
        raise ItaMedError(f'{name} has no revision "{recipe.model.revision}" (model.revision)') from error
    except GatedRepoError as error:
        raise ItaMedError(
            f'{name} is gated: accept its terms at {constants.ENDPOINT}/{name}, then "hf auth login"'
        ) from error
    except RepositoryNotFoundError as error:
        raise ItaMedError(f"{name} does not exist on the Hub, or is private and your token may not see it") from error
    except (HTTPError, OSError) as error:
        raise ItaMedError(f"the Hub cannot be asked for {name} ({error}); name a folder as model.path") from error


def _after(recipe: Recipe, folder: Path) -> None:
    """Check that the run a recipe continues from is finished, and that it began with the same model."""
    if not (folder / run_folder.FINISHED).is_file():
        raise ItaMedError(f"model.after={folder} holds no finished run of ita-med train")
    made = json.loads((folder / run_folder.FINISHED).read_text("utf-8"))
    while "made_by" in made["base"]:
        made = made["base"]["made_by"]
    own = dataclasses.replace(recipe.model, after=None).public_name  # not the id where a folder of that name lies
    if made["base"]["model"] not in (recipe.model.id, own):
        raise ItaMedError(
            f"model.after={folder} began with {made['base']['model']}, {recipe.name} with {recipe.model.id}"
        )
