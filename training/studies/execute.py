"""The runs of a study, one after the other: train what is not trained yet, evaluate what is not evaluated yet.

The same command goes on after a stop, in the middle of a training or of an evaluation if it was stopped there.
"""

from __future__ import annotations

import dataclasses
import gc
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from ita_med.errors import ItaMedError
from ita_med.files import write_json
from ita_med.tasks.evaluation import answer_log
from ita_med.tasks.evaluation.evaluate import evaluate
from ita_med.training.encoders import parts
from ita_med.training.encoders.predict import predict
from ita_med.training.plan.training_plan import plan
from ita_med.training.recipe import Recipe
from ita_med.training.record import run_folder
from ita_med.training.studies import study_folder
from ita_med.training.studies.costs import usage
from ita_med.training.studies.costs.energy import Meter
from ita_med.training.studies.plan import Cell, Training
from ita_med.training.studies.study import ALL
from ita_med.training.studies.study_folder import OpenStudy
from ita_med.training.train import train

KEPT = ("manifest.json", study_folder.COSTS)


def execute(opened: OpenStudy, *, drop_weights: bool = False) -> None:
    """Train and evaluate what is not done yet, in order.

    Args:
        opened: The study.
        drop_weights: Delete each model once its runs are finished.
    """
    out, cells = opened.out, opened.plan.cells
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / study_folder.STUDY, dataclasses.asdict(opened.study))
    _bring_in(opened)
    todo = [cell for cell in cells if not study_folder.finished(opened, cell)]
    for task, why in opened.left_out.items():
        _say(f"{task} left out: {why}")
    started = time.monotonic()
    for n, cell in enumerate(todo):
        left = f", about {(time.monotonic() - started) / n * (len(todo) - n) / 60:.0f} minutes left" if n else ""
        _say(f"run {len(cells) - len(todo) + n + 1} of {len(cells)}: {cell.name}{left}")
        run_cell(opened, cell)
        if drop_weights and cell.training:
            _drop(opened, opened.plan.trainings[cell.training])


def _say(text: str) -> None:
    print(f"ita-med: {text}", file=sys.stderr, flush=True)


def run_cell(opened: OpenStudy, cell: Cell) -> None:
    """Train the model of a run and evaluate it; the block in the manifest is written last."""
    taken = _train(opened, opened.plan.trainings[cell.training]) if cell.training else None
    folder = opened.out / study_folder.RUNS / cell.name
    fresh, meter = not folder.exists(), Meter()
    if not (folder / "manifest.json").is_file() or (folder / answer_log.FOLDER).is_dir():
        _answer(opened, cell, folder)
    _free()
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    recipe = opened.plan.recipes[cell.recipe]
    tokenizer = usage.load_tokenizer(recipe.model.place, recipe.model.revision)
    loaded = [opened.data[task] for task in cell.tasks if task in manifest["speed"]]
    joules = meter.joules() if fresh else {}
    block = {
        "kind": opened.study.kind,
        "mark": study_folder.mark(opened, cell),
        "cell": cell.as_dict(),
        "training": taken,
        "inference": usage.inference(recipe, manifest, loaded, tokenizer, joules),
    }
    write_json(folder / "manifest.json", _named(manifest, recipe, cell) | {"study": block})


def _answer(opened: OpenStudy, cell: Cell, folder: Path) -> None:
    """As `ita-med eval` does; encoders as `ita-med predict` does."""
    recipe = opened.plan.recipes[cell.recipe]
    if recipe.method == "encoder":
        batch = int(opened.study.batch_size) if opened.study.batch_size.isdecimal() else 32
        trained, tasks = opened.out / study_folder.TRAINED / cell.training, _answerable(opened, cell)
        predict(trained, folder, tasks, opened.mirror, limit=opened.study.limit, batch_size=batch)
        return
    evaluate(study_folder.asked_of(opened, cell), list(cell.tasks), folder, opened.mirror)


def _answerable(opened: OpenStudy, cell: Cell) -> list[str]:
    """The tasks whose labels an encoder of the run knows; the others, out of distribution, are said."""
    made = orjson.loads((opened.out / study_folder.TRAINED / cell.training / run_folder.FINISHED).read_bytes())["parts"]
    known = [task for task in cell.tasks if parts.teacher(opened.data[task], made)]
    for task in cell.tasks:
        if task not in known:
            _say(f"{cell.name}: no encoder has the labels of {task}")
    if not known:
        raise ItaMedError(f"{cell.name}: no encoder has the labels of any of its tasks")
    return known


def _named(manifest: dict[str, Any], recipe: Recipe, cell: Cell) -> dict[str, Any]:
    """The manifest under the model's public name, and the method as the study calls it."""
    method = cell.method
    if cell.size:
        method += f" seed={cell.seed}" if cell.size == ALL else f" n={cell.size} seed={cell.seed}"
    return manifest | {"model": recipe.model.public_name, "method": method}


def _train(opened: OpenStudy, training: Training) -> dict[str, Any]:
    """What the training took; it is run, or gone on with, unless it is done."""
    if training.after:
        _train(opened, opened.plan.trainings[training.after])
    folder = opened.out / study_folder.TRAINED / training.name
    if (folder / study_folder.COSTS).is_file():
        found: dict[str, Any] = orjson.loads((folder / study_folder.COSTS).read_bytes())
        return found
    recipe = study_folder.recipe_for(opened, training)
    (opened.out / study_folder.TRAINED).mkdir(exist_ok=True)
    merge = recipe.lora is not None and recipe.method == "cpt"
    meter = Meter()
    manifest = train(recipe, folder, opened.mirror, merge=merge)
    joules = meter.joules()
    _free()
    taken = usage.training(plan(recipe, opened.mirror), manifest, joules)
    write_json(folder / study_folder.COSTS, taken)
    return taken


def _drop(opened: OpenStudy, training: Training) -> None:
    """Delete the weights of a model that nothing needs any more; its manifest stays."""
    needed = {t.after for t in opened.plan.trainings.values()}
    needed |= {cell.training for cell in opened.plan.cells if not study_folder.finished(opened, cell)}
    folder = opened.out / study_folder.TRAINED / training.name
    if training.name in needed:
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in KEPT:
            path.unlink()


def _bring_in(opened: OpenStudy) -> None:
    """Copy the submission folders made elsewhere into OUT/runs, so that OUT is all that a report needs."""
    for kind, names in (("run", opened.study.runs), ("large", opened.study.large)):
        for name in names:
            study_folder.bring_in(Path(name), opened.out, kind)


def _free() -> None:
    """Give back the memory of a model that is done with."""
    gc.collect()
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()
