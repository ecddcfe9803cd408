"""Data of fine-tuning: the rows of a recipe's training examples, mixed, and as tokens.

Rows are tokenised here and once, not by TRL: the prompt is cut exactly as it is when the model is evaluated, and no row
is ever shortened in silence. TRL takes rows with `input_ids` and `labels` as they are.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.tasks.evaluation.chat_template import TEMPLATE_SETTINGS
from ita_med.training.backend.libraries import IGNORED
from ita_med.training.data import examples
from ita_med.training.data.prompt_rows import PromptRow, mixture, rows
from ita_med.training.recipe import Recipe

BATCH = 1000


@dataclass
class TrainingRows:
    """The mixture that is learned.

    Attributes:
        rows: Prompts and completions of all tasks, in the order of training.
        counts: Task -> what was there, left out, taken and drawn.
        facts: Those of `examples.TrainingExamples`.
    """

    rows: list[PromptRow]
    counts: dict[str, dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """sha256 of the rows in their order."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(f"{row['task']}\0{row['id']}\0{row['prompt']}\0{row['completion']}\0".encode())
        return digest.hexdigest()


def prepare(recipe: Recipe, mirror: str | None = None, *, strict: bool = False) -> TrainingRows:
    """The rows of a recipe's training examples, mixed; for the arguments see `examples.find`."""
    found = examples.find(recipe, mirror, strict=strict)
    by_task = {data.task.id: list(rows(data, chat=recipe.model.chat)) for data in found.tasks}
    mixed = mixture(by_task, cap=recipe.data.cap_per_task, temperature=recipe.data.temperature, seed=recipe.train.seed)
    drawn = Counter(row["task"] for row in mixed)
    for name, of_task in found.counts.items():
        of_task["drawn"] = drawn[name]
    return TrainingRows(mixed, found.counts, found.facts)


# ----- tokens --------------------------------------------------------------------------------------------------------

Tokens = dict[str, list[int]]


def encode(made: Iterable[PromptRow], tokenizer: Any, *, chat: bool) -> Iterator[Tokens]:
    """{"input_ids", "labels"} of each row, whatever its length; only the answer and what ends it have labels."""
    waiting = list(made)
    for batch in (waiting[start : start + BATCH] for start in range(0, len(waiting), BATCH)):
        texts = [_chat_texts(row, tokenizer) if chat else _plain_texts(row, tokenizer) for row in batch]
        prompts = tokenizer([prompt for prompt, _ in texts], add_special_tokens=not chat)["input_ids"]
        answers = tokenizer([answer for _, answer in texts], add_special_tokens=False)["input_ids"]
        for prompt, answer in zip(_without_end(prompts, tokenizer), answers, strict=True):
            yield {"input_ids": prompt + answer, "labels": [IGNORED] * len(prompt) + answer}


def _plain_texts(row: PromptRow, tokenizer: Any) -> tuple[str, str]:
    return row["prompt"], row["completion"] + tokenizer.eos_token


def _chat_texts(row: PromptRow, tokenizer: Any) -> tuple[str, str]:
    """The question as the harness renders it, and the rest of the conversation: the answer and the end of the turn."""
    settings = {"tokenize": False, **TEMPLATE_SETTINGS}
    prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, **settings)
    whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], **settings)
    if not whole.startswith(prompt):
        raise ItaMedError(
            f"{tokenizer.name_or_path}: its chat template writes a question otherwise once it is answered, so that "
            "training and evaluation would differ; set model.chat=false"
        )
    return prompt, whole[len(prompt) :]


def _without_end(prompts: list[list[int]], tokenizer: Any) -> Iterator[list[int]]:
    """Some tokenizers end every text; a prompt goes on."""
    for ids in prompts:
        yield ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def fitting(prepared: TrainingRows, tokenizer: Any, *, chat: bool, max_length: int) -> list[Tokens]:
    """The rows as tokens, without those that are longer than max_length; both are counted in `prepared.counts`.

    A row that the mixture repeats is tokenised once.
    """
    if chat and tokenizer.chat_template is None:
        raise ItaMedError(f"{tokenizer.name_or_path} has no chat template; set model.chat=false")
    distinct = {(row["task"], row["id"]): row for row in prepared.rows}
    encoded = dict(zip(distinct, encode(distinct.values(), tokenizer, chat=chat), strict=True))
    kept = []
    for counts in prepared.counts.values():
        counts |= {"too_long": 0, "rows": 0, "tokens": 0, "trained_tokens": 0}
    for row in prepared.rows:
        tokens, counts = encoded[row["task"], row["id"]], prepared.counts[row["task"]]
        if len(tokens["input_ids"]) > max_length:
            counts["too_long"] += 1
            continue
        kept.append(tokens)
        counts["rows"] += 1
        counts["tokens"] += len(tokens["input_ids"])
        counts["trained_tokens"] += sum(label != IGNORED for label in tokens["labels"])
    if not kept:
        raise ItaMedError(f"all {len(prepared.rows)} rows are longer than data.max_length={max_length} tokens")
    return kept


def characters(row: PromptRow) -> int:
    """Length of a row, for estimates without a tokenizer."""
    parts = (row["prompt"], row["completion"])
    return sum(len(part) if isinstance(part, str) else sum(len(turn["content"]) for turn in part) for part in parts)
