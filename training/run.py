"""One run from its recipe to its manifest, and the plan of a run that is not started."""

from __future__ import annotations

import dataclasses
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.training import checks, corpora, data, mlm, runs, scratch, sft
from ita_med.training import estimate as estimates
from ita_med.training import recipe as recipes
from ita_med.training.encoders import run as encoders
from ita_med.training.estimate import Estimate
from ita_med.training.recipe import Recipe


@dataclass
class Plan:
    """counts: per task or corpus; tokens: the rows as tokens, where the tokenizer is here (fine-tuning)."""

    recipe: Recipe
    counts: dict[str, dict[str, Any]]
    facts: dict[str, Any]
    fingerprint: str
    estimate: Estimate
    prepared: data.Prepared | None = None
    corpora: corpora.Corpora | None = None
    tokens: list[data.Tokens] | None = None
    encoders: encoders.Encoders | None = None


def plan(recipe: Recipe, mirror: str | None = None, *, strict: bool = False, tokenizer: Any = None) -> Plan:
    """The data and the size of a run; reads what is here and writes nothing."""
    sft.quiet()
    sft.require_packages()
    processes = estimates.world_size()
    if recipe.method == "encoder":
        made, size = encoders.prepare(recipe, mirror, tokenizer or estimates.tokenizer(recipe), strict=strict)
        return Plan(recipe, made.material.counts, made.material.facts, made.fingerprint, size, encoders=made)
    if recipe.data.corpora:
        found = corpora.prepare(recipe, strict=strict)
        tokenizer = tokenizer or estimates.tokenizer(recipe)
        if tokenizer and recipe.method == "cpt":
            corpora.document_end(recipe, tokenizer)
        rate = corpora.tokens_per_character(found, tokenizer) if tokenizer else 1 / estimates.CHARACTERS_PER_TOKEN
        size = estimates.estimate(recipe, round(rate * found.characters), counted=False, rows=None, processes=processes)
        facts: dict[str, Any] = {"synthetic": found.synthetic}
        return Plan(recipe, found.counts, facts, found.fingerprint, size, corpora=found)
    prepared = data.prepare(recipe, mirror, strict=strict)
    mark = prepared.fingerprint
    tokenizer = tokenizer or estimates.tokenizer(recipe)
    encoded = None
    if tokenizer:
        encoded = data.fitting(prepared, tokenizer, chat=recipe.model.chat, max_length=recipe.data.max_length)
        total, rows = sum(counts["tokens"] for counts in prepared.counts.values()), len(encoded)
    else:
        total = round(sum(map(data.characters, prepared.rows)) / estimates.CHARACTERS_PER_TOKEN)
        rows = len(prepared.rows)
    size = estimates.estimate(recipe, total, counted=tokenizer is not None, rows=rows, processes=processes)
    return Plan(recipe, prepared.counts, prepared.facts, mark, size, prepared, tokens=encoded)


def train(
    recipe: Recipe, out: Path, mirror: str | None = None, *, strict: bool = False, merge: bool = False
) -> dict[str, Any]:
    """Train, or go on with a run that was stopped, and return its manifest."""
    started = time.time()
    if merge and recipe.lora is None:
        raise ItaMedError("--merge is for recipes with lora; without it the result is a whole model")
    recipes.tasks(recipe)
    sft.quiet()
    sft.require_packages()
    checks.model(recipe)
    made = plan(recipe, mirror, strict=strict)
    mark = runs.fingerprint(recipe, made.fingerprint)
    if (done := runs.open_run(out, mark)) is not None:
        return done
    if (warning := checks.room(recipe, made.estimate, out)) and estimates.is_first():
        print(f"ita-med: {recipe.name}: {warning}", file=sys.stderr)
    tokenizer = None if recipe.model.scratch else _tokenizer(recipe)
    if estimates.is_first():
        runs.start(out, recipe, mark)
    if recipe.model.scratch:
        assert made.corpora is not None
        recipe = _from_scratch(recipe, made.corpora, out)
        tokenizer = _tokenizer(recipe)
    result, parts = _train(recipe, made, tokenizer, out)
    if not estimates.is_first():
        return {}
    if merge:
        sft.merge(recipe, out)
    facts = {key: sorted(value) if isinstance(value, dict) else value for key, value in made.facts.items()}
    manifest = runs.manifest(recipe, mark, made.counts, facts, result, started)  # reasons hold paths: names only
    if parts:
        manifest["parts"] = parts
    runs.finish(out, manifest)
    return manifest


def _tokenizer(recipe: Recipe) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(recipe.model.place, revision=recipe.model.revision)
    except (OSError, ValueError) as error:
        raise ItaMedError(f"the tokenizer of {recipe.model.id} cannot be loaded: {error}") from error


def _from_scratch(recipe: Recipe, found: corpora.Corpora, out: Path) -> Recipe:
    """The recipe with the untrained model as its model; of several processes the first one makes it."""
    folder = out / runs.SCRATCH
    if estimates.world_size() > 1:
        from accelerate import PartialState

        with PartialState().main_process_first():
            if not folder.is_dir():
                scratch.make(recipe, corpora.texts(found), folder)
    elif not folder.is_dir():
        scratch.make(recipe, corpora.texts(found), folder)
    return dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, path=str(folder)))


def _train(recipe: Recipe, made: Plan, tokenizer: Any, out: Path) -> tuple[sft.Result, dict[str, Any]]:
    """What was done, and for encoders the facts of each part."""
    if made.encoders is not None:
        return encoders.train(recipe, made.encoders, tokenizer, out)
    if recipe.method == "mlm":
        assert made.corpora is not None
        return mlm.train(recipe, mlm.dataset(recipe, made.corpora, tokenizer), tokenizer, out), {}
    return sft.train(recipe, _dataset(made, tokenizer), tokenizer, out, max_steps=_max_steps(made)), {}


def _dataset(made: Plan, tokenizer: Any) -> Any:
    if made.corpora is not None:
        return corpora.dataset(made.recipe, made.corpora, tokenizer)
    from datasets import Dataset

    assert made.prepared is not None
    if made.tokens is None:  # the tokenizer was not on this machine when the run was planned
        recipe = made.recipe
        made.tokens = data.fitting(made.prepared, tokenizer, chat=recipe.model.chat, max_length=recipe.data.max_length)
    return Dataset.from_list(made.tokens)


def _max_steps(made: Plan) -> int | None:
    return made.estimate.steps if made.corpora is not None and made.recipe.data.streaming else None
