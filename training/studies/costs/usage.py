"""What a training and an evaluation took: tokens, operations, seconds, energy; kept with the runs of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ita_med.errors import MissingPackage
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.evaluation import prompt_requests
from ita_med.tasks.evaluation.chat_template import TEMPLATE_SETTINGS
from ita_med.training.backend.libraries import IGNORED
from ita_med.training.models import local_model
from ita_med.training.plan.training_plan import TrainingPlan
from ita_med.training.recipe import Recipe
from ita_med.training.studies.costs import flops
from ita_med.training.studies.costs.flops import Lengths, Shape

TARGETS = {f"{name}_proj": name for name in flops.MATRICES}

TOKENIZER_FILES = ("tokenizer*", "vocab*", "*.model", "spiece*")
"""What a tokenizer may be saved as."""


def shape(recipe: Recipe) -> Shape | None:
    """The model's shape where its configuration is on this machine."""
    path = local_model.file(recipe, "config.json")
    return None if path is None else flops.read_config(path, head=recipe.method != "encoder")


def adapter(recipe: Recipe) -> flops.Adapter | None:
    """The low-rank adapter as its operations are counted; None where all parameters are trained."""
    if recipe.lora is None:
        return None
    named = recipe.lora.targets
    on = tuple(TARGETS[name] for name in named if name in TARGETS) if isinstance(named, list) else flops.MATRICES
    return flops.Adapter(recipe.lora.r, on)


def training(made: TrainingPlan, manifest: dict[str, Any], joules: dict[str, float]) -> dict[str, Any]:
    """What a finished training took, as it is kept with the study.

    `flops` are counted from the rows; `flops_full` are those of training all parameters on the same tokens.

    Args:
        made: Its plan.
        manifest: Its manifest.
        joules: Energy by source.
    """
    recipe, estimate = made.recipe, made.estimate
    lengths = _row_lengths(made)
    passes = estimate.trained_tokens / estimate.tokens if estimate.tokens else 0
    found: dict[str, Any] = {
        "examples": {task: counts.get("taken", counts.get("rows")) for task, counts in manifest["data"].items()},
        "tasks": manifest.get("tasks", []),
        "parameters": manifest.get("parameters"),
        "trainable": manifest.get("trainable"),
        "passes": round(passes, 6),
        "tokens": round(lengths.total * passes),
        "seconds": manifest["seconds"] if manifest.get("resumed_from") is None else None,
        "joules": joules if manifest.get("resumed_from") is None else {},
        "hardware": manifest.get("hardware", {}),
        "flops": None,
        "flops_full": None,
    }
    if (model := shape(recipe)) is not None:
        seen, small = lengths.times(passes), adapter(recipe)
        scored = _answered(made) * passes if made.tokens else None
        checkpointing = recipe.train.gradient_checkpointing and bool(manifest.get("hardware", {}).get("accelerators"))
        found["shape"] = model.as_dict()
        found["flops"] = flops.training(model, seen, small, scored=scored, checkpointing=checkpointing)
        found["flops_full"] = flops.training(model, seen, scored=scored, checkpointing=checkpointing)
    return found


def _row_lengths(made: TrainingPlan) -> Lengths:
    """Token lengths of the sequences of one epoch."""
    if made.tokens:
        return Lengths.of(len(row["input_ids"]) for row in made.tokens)
    if made.encoders is not None and made.encoders.parts is not None:
        parts = [part for of_task in made.encoders.parts.values() for part in of_task]
        return Lengths.of(len(seq["input_ids"]) for part in parts for row in part.rows for seq in row.sequences)
    tokens, length = made.estimate.tokens, made.recipe.data.max_length
    return Lengths(tokens / length, tokens, float(tokens) * length)  # packed to sequences of max_length


def _answered(made: TrainingPlan) -> int:
    """Tokens of one epoch that have labels: the language-model head scores these alone."""
    return sum(label != IGNORED for row in made.tokens or [] for label in row["labels"])


def inference(
    recipe: Recipe, manifest: dict[str, Any], loaded: list[TaskData], tokenizer: Any, joules: dict[str, float]
) -> dict[str, Any]:
    """What a finished evaluation took: of each task documents, tokens read and written, operations where known."""
    asked, model = manifest["run"], shape(recipe)
    tasks: dict[str, Any] = {}
    for data in loaded:
        if recipe.method == "encoder":
            tasks[data.task.id] = read_once(data, tokenizer, model, asked["limit"])
            continue
        lengths = prompts(data, tokenizer, asked)
        speed = manifest["speed"][data.task.id]
        copies = speed["documents"] / speed["requests"] if speed.get("requests") else 1.0
        written = None if speed["generated_tokens"] is None else speed["generated_tokens"] * copies
        tasks[data.task.id] = counted = {
            "documents": int(lengths.n),
            "prompt_tokens": lengths.total,
            "prompt_tokens_squared": lengths.squares,
            "answer_tokens": written,
            "flops": None,
        }
        if model is not None and written is not None:
            counted["flops"] = flops.generation(model, lengths, written)
    found = {"tasks": tasks, "joules": joules}
    return found if model is None else found | {"shape": model.as_dict()}


def read_once(data: TaskData, tokenizer: Any, model: Shape | None, limit: int | None) -> dict[str, Any]:
    """What an encoder took for a task of mentions, whose texts it reads once (overlaps of windows are not counted).

    Of other tasks, in which every pair, item or option is read beside the text, tokens stay unknown.
    """
    examples = data.examples[:limit]
    found: dict[str, Any] = {"documents": len(examples), "prompt_tokens": None, "answer_tokens": 0, "flops": None}
    if data.family.example_schema == "spans" and tokenizer is not None:
        lengths = Lengths.of(
            len(ids) for ids in tokenizer([str(getattr(e, "text", "")) for e in examples], verbose=False)["input_ids"]
        )
        found |= {"prompt_tokens": lengths.total, "prompt_tokens_squared": lengths.squares}
        found["flops"] = None if model is None else flops.forward(model, lengths, scored=0)
    return found


def prompts(data: TaskData, tokenizer: Any, asked: dict[str, Any]) -> Lengths:
    """Token lengths of the prompts of a task, exactly as they were asked; without a tokenizer from their characters.

    asked: the block "run" of a manifest, of which apply_chat_template, num_fewshot and limit are read.
    """
    chat = bool(asked["apply_chat_template"])

    def render(turns: list[dict[str, str]]) -> str:
        if tokenizer is None:
            return "".join(turn["content"] for turn in turns)
        settings = {"tokenize": False, "add_generation_prompt": True, **TEMPLATE_SETTINGS}
        text: str = tokenizer.apply_chat_template(turns, **settings)
        return text

    made = prompt_requests.build(
        data, shots=asked["num_fewshot"], limit=asked["limit"], template=render if chat else None
    )
    texts = [request.prompt for request in made]
    if tokenizer is None:
        return Lengths.of(round(len(text) / local_model.CHARACTERS_PER_TOKEN) for text in texts)
    return Lengths.of(len(ids) for ids in tokenizer(texts, add_special_tokens=not chat)["input_ids"])


def load_tokenizer(place: str | Path, revision: str = "main") -> Any | None:
    """A tokenizer that is on this machine, or None: the folder of a configuration alone holds none.

    Raises:
        MissingPackage: There may be one, but transformers, which would read it, is not installed. Tokens would have to
            be guessed from characters, and the same folder would cost something else on another machine.
    """
    folder = Path(place)
    if folder.is_dir() and not any(next(folder.glob(name), None) for name in TOKENIZER_FILES):
        return None
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingPackage(f"counting the tokens of {place}", "train", error) from error
    try:
        return AutoTokenizer.from_pretrained(str(place), revision=revision, local_files_only=True)
    except (OSError, ValueError):
        return None
