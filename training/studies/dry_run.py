"""What `ita-med study … --dry-run` prints: the runs, and what they will take; nothing is written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ita_med.printing import aligned
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.training.backend.devices import matrix_speed
from ita_med.training.models import local_model
from ita_med.training.plan.estimate import UTILISATION, Estimate
from ita_med.training.plan.training_plan import plan
from ita_med.training.studies import study_folder
from ita_med.training.studies.costs import flops, usage
from ita_med.training.studies.plan import Cell, Training
from ita_med.training.studies.study_folder import OpenStudy

DECODING = 0.1
"""Share of the training speed that writing token by token reaches: a rough guess, until a run was measured."""


@dataclass
class ExpectedRun:
    """What one run will take.

    Attributes:
        cell: The run.
        state: "to do", "begun" or "finished".
        trained: Tokens that training reads.
        read: Tokens of the prompts.
        written: Tokens of the answers.
        train_seconds: None where nothing is known.
        answer_seconds: None where nothing is known.
    """

    cell: Cell
    state: str
    trained: int = 0
    read: int = 0
    written: int = 0
    train_seconds: float | None = 0.0
    answer_seconds: float | None = None


def expect(opened: OpenStudy) -> list[ExpectedRun]:
    """Every run of the plan.

    Trainings that differ in their seed only are planned once; finished runs tell how long the others will take.
    """
    sizes: dict[str, Estimate] = {}
    asked: dict[tuple[Any, ...], tuple[int, int, float | None]] = {}
    known = _measured(opened)
    found = []
    for cell in opened.plan.cells:
        done = study_folder.finished(opened, cell)
        folders = [opened.out / study_folder.RUNS / cell.name]
        folders += [opened.out / study_folder.TRAINED / cell.training] if cell.training else []
        begun = any(folder.is_dir() for folder in folders)
        made = ExpectedRun(cell, "finished" if done else "begun" if begun else "to do")
        if cell.training:
            estimate = _training(opened, opened.plan.trainings[cell.training], sizes)
            made.trained, made.train_seconds = estimate.trained_tokens, estimate.seconds
        key = (cell.recipe, cell.shots, cell.tasks)
        if key not in asked:
            asked[key] = _asking(opened, cell)
        made.read, made.written, made.answer_seconds = asked[key]
        made.answer_seconds = known.get((cell.method, cell.recipe), made.answer_seconds)
        found.append(made)
    return found


def _training(opened: OpenStudy, training: Training, sizes: dict[str, Estimate]) -> Estimate:
    """The size of a training, planned once for all seeds.

    Until the model that it starts from has been made, the model of the recipe stands for it: it has the same size.
    """
    if training.after and not study_folder.base(opened, opened.plan.trainings[training.after]).is_dir():
        recipe = training.recipe
    else:
        recipe = study_folder.recipe_for(opened, training)
    key = repr(dataclasses.replace(training.recipe, train=dataclasses.replace(training.recipe.train, seed=0)))
    if key not in sizes:
        sizes[key] = plan(recipe, opened.mirror).estimate
    return sizes[key]


def _asking(opened: OpenStudy, cell: Cell) -> tuple[int, int, float | None]:
    """Tokens read and written (as long as the right answers), and seconds by the counted operations."""
    recipe = opened.plan.recipes[cell.recipe]
    tokenizer = local_model.tokenizer(recipe)
    shape = usage.shape(recipe)
    read = written = 0.0
    work = 0.0
    for task in cell.tasks:
        data = opened.data[task]
        if recipe.method == "encoder":
            counted = usage.read_once(data, tokenizer, shape, opened.study.limit)
            read, work = read + (counted["prompt_tokens"] or 0), work + (counted["flops"] or 0)
            continue
        asked = {"apply_chat_template": recipe.model.chat, "num_fewshot": cell.shots, "limit": opened.study.limit}
        lengths, answers = usage.prompts(data, tokenizer, asked), _answers(data, opened.study.limit, tokenizer)
        read, written = read + lengths.total, written + answers
        if shape is not None:
            work += flops.forward(shape, lengths, scored=lengths.n)
            work += (flops.generation(shape, lengths, answers) - flops.forward(shape, lengths, scored=0)) / DECODING
    seconds = None
    if shape is not None:
        seconds = work / (matrix_speed(recipe.model.dtype != "float32")[0] * UTILISATION)
    return round(read), round(written), seconds


def _answers(data: TaskData, limit: int | None, tokenizer: Any) -> float:
    """Tokens of the right answers of a task."""
    texts = [data.target(example) for example in data.examples[:limit]]
    if tokenizer is None or not texts:
        return sum(map(len, texts)) / local_model.CHARACTERS_PER_TOKEN
    return float(sum(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]))


def _measured(opened: OpenStudy) -> dict[tuple[str, str], float]:
    """(method, recipe) -> mean wall seconds of finished evaluations."""
    import orjson

    seconds: dict[tuple[str, str], list[float]] = {}
    for cell in opened.plan.cells:
        if study_folder.finished(opened, cell):
            manifest = orjson.loads((opened.out / study_folder.RUNS / cell.name / "manifest.json").read_bytes())
            seconds.setdefault((cell.method, cell.recipe), []).append(float(manifest["seconds"]))
    return {key: sum(found) / len(found) for key, found in seconds.items()}


def lines(opened: OpenStudy, expected: list[ExpectedRun]) -> list[str]:
    """The table of runs and its sums."""
    table = [["run", "method", "state", "trained tokens", "prompt tokens", "answer tokens", "training", "evaluation"]]
    for e in expected:
        tokens = [f"{n:,}" for n in (e.trained, e.read, e.written)]
        table.append([e.cell.name, e.cell.method, e.state, *tokens, _time(e.train_seconds), _time(e.answer_seconds)])
    todo = [e for e in expected if e.state != "finished"]
    names = {e.cell.training for e in todo if e.cell.training}
    times = [e.train_seconds for e in todo] + [e.answer_seconds for e in todo]
    total = sum(t for t in times if t is not None)
    unknown = " and more, as some are not known" if any(t is None for t in times) else ""
    tasks = sorted({task for e in expected for task in e.cell.tasks})
    found = [
        f"{opened.study.kind}: {len(expected)} runs, {len(todo)} to do, {len(names)} trainings",
        *aligned(table, left=3),
        "",
    ]
    found.append(f"to do: {sum(e.trained for e in todo):,} tokens trained, {sum(e.read for e in todo):,} read, "
                 f"about {sum(e.written for e in todo):,} written; about {_time(total)}{unknown}")  # fmt: skip
    found.append(
        "times: operations at 0.4 of the measured matrix speed, writing at a tenth of that; measured runs replace it"
    )
    found.append(f"evaluated: {', '.join(tasks)}")
    found += [f"left out: {task}: {why}" for task, why in opened.left_out.items()]
    if any(data.source == "embedded" for data in opened.data.values()):
        found.append("SYNTHETIC SAMPLE: no real data")
    return found


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
