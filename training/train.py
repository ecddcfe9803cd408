"""One run from its recipe to its manifest."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.training import recipe as recipes
from ita_med.training.backend.devices import is_first, world_size
from ita_med.training.backend.libraries import quiet, require_packages
from ita_med.training.data import corpora, fine_tuning
from ita_med.training.decoders import sft
from ita_med.training.encoders import masked_lm, train_tasks
from ita_med.training.models import scratch
from ita_med.training.plan import preflight
from ita_med.training.plan.training_plan import TrainingPlan, plan
from ita_med.training.recipe import Recipe
from ita_med.training.record import manifest, run_folder
from ita_med.training.record.outcome import TrainingOutcome


def train(
    recipe: Recipe, out: Path, mirror: str | None = None, *, strict: bool = False, merge: bool = False
) -> dict[str, Any]:
    """Train by a recipe, or continue a run that was stopped.

    Args:
        recipe: What is trained.
        out: The folder of the run: a new one, or that of a stopped run of the same recipe on the same data.
        mirror: Folder of raw files, or "embedded".
        strict: A training example that repeats an evaluated text, or a corpus that was not compared, is an error.
        merge: Also write OUT/merged, the base with the adapter in it.

    Returns:
        The manifest; {} in all processes but the first.
    """
    started = time.time()
    if merge and recipe.lora is None:
        raise ItaMedError("--merge is for recipes with lora; without it the result is a whole model")
    recipes.tasks(recipe)
    quiet()
    require_packages()
    preflight.model(recipe)
    made = plan(recipe, mirror, strict=strict)
    mark = run_folder.fingerprint(recipe, made.fingerprint)
    if (done := run_folder.open_run(out, mark)) is not None:
        return done
    if (warning := preflight.room(recipe, made.estimate, out)) and is_first():
        print(f"ita-med: {recipe.name}: {warning}", file=sys.stderr)
    tokenizer = None if recipe.model.scratch else _tokenizer(recipe)
    if is_first():
        run_folder.start(out, recipe, mark)
    if recipe.model.scratch:
        assert made.corpora is not None
        recipe = _from_scratch(recipe, made.corpora, out)
        tokenizer = _tokenizer(recipe)
    outcome, parts = _train(recipe, made, tokenizer, out)
    if not is_first():
        return {}
    if merge:
        sft.merge(recipe, out)
    # reasons hold paths of this machine: of a table of reasons the names alone are kept
    facts = {key: sorted(value) if isinstance(value, dict) else value for key, value in made.facts.items()}
    written = manifest.manifest(recipe, mark, made.counts, facts, outcome, started)
    if parts:
        written["parts"] = parts
    run_folder.finish(out, written)
    return written


def _tokenizer(recipe: Recipe) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(recipe.model.place, revision=recipe.model.revision)
    except (OSError, ValueError) as error:
        raise ItaMedError(f"the tokenizer of {recipe.model.id} cannot be loaded: {error}") from error


def _from_scratch(recipe: Recipe, found: corpora.Corpora, out: Path) -> Recipe:
    """The recipe with the untrained model as its model; of several processes the first one makes it."""
    folder = out / run_folder.SCRATCH
    if world_size() > 1:
        from accelerate import PartialState

        with PartialState().main_process_first():
            if not folder.is_dir():
                scratch.make(recipe, corpora.texts(found), folder)
    elif not folder.is_dir():
        scratch.make(recipe, corpora.texts(found), folder)
    return dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, path=str(folder)))


def _train(recipe: Recipe, made: TrainingPlan, tokenizer: Any, out: Path) -> tuple[TrainingOutcome, dict[str, Any]]:
    """What was done, and for encoders the facts of each part."""
    if made.encoders is not None:
        return train_tasks.train(recipe, made.encoders, tokenizer, out)
    if recipe.method == "mlm":
        assert made.corpora is not None
        return masked_lm.train(recipe, masked_lm.dataset(recipe, made.corpora, tokenizer), tokenizer, out), {}
    return sft.train(recipe, _dataset(made, tokenizer), tokenizer, out, max_steps=_max_steps(made)), {}


def _dataset(made: TrainingPlan, tokenizer: Any) -> Any:
    if made.corpora is not None:
        return corpora.dataset(made.recipe, made.corpora, tokenizer)
    from datasets import Dataset

    assert made.rows is not None
    if made.tokens is None:  # the tokenizer was not on this machine when the run was planned
        recipe = made.recipe
        made.tokens = fine_tuning.fitting(
            made.rows, tokenizer, chat=recipe.model.chat, max_length=recipe.data.max_length
        )
    return Dataset.from_list(made.tokens)


def _max_steps(made: TrainingPlan) -> int | None:
    return made.estimate.steps if made.corpora is not None and made.recipe.data.streaming else None
