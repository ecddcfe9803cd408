"""The plan of a run that is not started: its data, read and counted, and its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.training.backend.devices import world_size
from ita_med.training.backend.libraries import quiet, require_packages
from ita_med.training.data import corpora, fine_tuning
from ita_med.training.data.corpora import Corpora
from ita_med.training.data.fine_tuning import Tokens, TrainingRows
from ita_med.training.encoders import prepare as encoders
from ita_med.training.encoders.prepare import EncoderData
from ita_med.training.models import local_model
from ita_med.training.models.local_model import CHARACTERS_PER_TOKEN
from ita_med.training.plan.estimate import Estimate, estimate
from ita_med.training.recipe import Recipe

ENCODER_CHARACTERS = 1.5
"""Characters read per character of the training texts, where no tokenizer tells: items, options, marks, overlaps."""


@dataclass
class TrainingPlan:
    """What a run would do, of data that were read but with nothing written.

    Attributes:
        recipe: What is trained.
        counts: Task or corpus -> what is there, left out and taken.
        facts: What else is known of the data, by key.
        fingerprint: Of the data.
        estimate: The size of the run.
        rows: Prompts and completions (fine-tuning).
        tokens: The rows as tokens, where the tokenizer is here (fine-tuning).
        corpora: Texts (pre-training).
        encoders: Parts of tasks (encoders).
    """

    recipe: Recipe
    counts: dict[str, dict[str, Any]]
    facts: dict[str, Any]
    fingerprint: str
    estimate: Estimate
    rows: TrainingRows | None = None
    tokens: list[Tokens] | None = None
    corpora: Corpora | None = None
    encoders: EncoderData | None = None


def plan(recipe: Recipe, mirror: str | None = None, *, strict: bool = False, tokenizer: Any = None) -> TrainingPlan:
    """Read the data of a recipe and estimate the run; nothing is written.

    Args:
        recipe: What is to be trained.
        mirror: Folder of raw files, or "embedded".
        strict: A training example that repeats an evaluated text, or a corpus that was not compared, is an error.
        tokenizer: The model's tokenizer; default: the one that is on this machine, if any.
    """
    quiet()
    require_packages()
    if recipe.method == "encoder":
        return _of_encoders(recipe, mirror, tokenizer or local_model.tokenizer(recipe), strict)
    if recipe.data.corpora:
        return _of_corpora(recipe, tokenizer, strict)
    return _of_rows(recipe, mirror, tokenizer, strict)


def _of_encoders(recipe: Recipe, mirror: str | None, tokenizer: Any, strict: bool) -> TrainingPlan:
    made = encoders.prepare(recipe, mirror, tokenizer, strict=strict)
    counts = made.examples.counts.values()
    if made.parts is not None:
        tokens, rows = sum(c["tokens"] for c in counts), sum(c["rows"] for c in counts)
        models = sum(map(len, made.parts.values()))
    else:
        tokens = round(ENCODER_CHARACTERS * sum(map(_characters, made.examples.tasks)) / CHARACTERS_PER_TOKEN)
        rows, models = sum(c["drawn"] for c in counts), len(made.examples.tasks)
    size = estimate(recipe, tokens, counted=tokenizer is not None, rows=rows, models=models, processes=world_size())
    examples = made.examples
    return TrainingPlan(recipe, examples.counts, examples.facts, made.fingerprint, size, encoders=made)


def _characters(of_task: TaskData) -> int:
    """Length of the prompts of a task's training examples."""
    return sum(len(of_task.prompt(example)) for example in of_task.train)


def _of_corpora(recipe: Recipe, tokenizer: Any, strict: bool) -> TrainingPlan:
    found = corpora.prepare(recipe, strict=strict)
    tokenizer = tokenizer or local_model.tokenizer(recipe)
    if tokenizer and recipe.method == "cpt":
        corpora.document_end(recipe, tokenizer)
    rate = corpora.tokens_per_character(found, tokenizer) if tokenizer else 1 / CHARACTERS_PER_TOKEN
    size = estimate(recipe, round(rate * found.characters), counted=False, rows=None, processes=world_size())
    facts: dict[str, Any] = {"synthetic": found.synthetic}
    return TrainingPlan(recipe, found.counts, facts, found.fingerprint, size, corpora=found)


def _of_rows(recipe: Recipe, mirror: str | None, tokenizer: Any, strict: bool) -> TrainingPlan:
    made = fine_tuning.prepare(recipe, mirror, strict=strict)
    tokenizer = tokenizer or local_model.tokenizer(recipe)
    encoded = None
    if tokenizer:
        encoded = fine_tuning.fitting(made, tokenizer, chat=recipe.model.chat, max_length=recipe.data.max_length)
        total, rows = sum(counts["tokens"] for counts in made.counts.values()), len(encoded)
    else:
        total = round(sum(map(fine_tuning.characters, made.rows)) / CHARACTERS_PER_TOKEN)
        rows = len(made.rows)
    size = estimate(recipe, total, counted=tokenizer is not None, rows=rows, processes=world_size())
    return TrainingPlan(recipe, made.counts, made.facts, made.fingerprint, size, rows=made, tokens=encoded)
