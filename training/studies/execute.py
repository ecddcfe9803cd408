"""The runs of a study, one after the other: train what is not trained yet, evaluate what is not evaluated yet.

OUT/study.json holds the study, OUT/trained/NAME a model, OUT/runs/NAME the submission folder of one run, whose manifest
has a block "study": the cell of the plan that it is, and what training and evaluating took. A run is finished when
that block is there; the same command goes on after a stop.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from ita_med import catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.files import whole_folder, write_json
from ita_med.tasks.benchmark.task_data import TaskData, available
from ita_med.tasks.evaluation import answer_log
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.evaluate import evaluate
from ita_med.training import run as trainings
from ita_med.training import runs
from ita_med.training.recipe import Recipe
from ita_med.training.studies import measured
from ita_med.training.studies import study as studies
from ita_med.training.studies.energy import Meter
from ita_med.training.studies.study import Cell, Plan, Study, Training
from ita_med.version import BENCHMARK_VERSION

STUDY, RUNS, TRAINED, COSTS = "study.json", "runs", "trained", "study_costs.json"
KEPT = ("manifest.json", COSTS)


@dataclasses.dataclass
class Opened:
    """A study with the data that it evaluates. left_out: task -> why its data are not there."""

    study: Study
    plan: Plan
    out: Path
    mirror: str | None
    data: dict[str, TaskData]
    left_out: dict[str, str]


def open_study(study: Study, out: Path, mirror: str | None) -> Opened:
    """The plan on the data that are there; a folder of another study is refused."""
    known = stored(out, required=False)
    if known is not None and known.kind != study.kind:
        raise ItaMedError(f"{out} holds a study of kind {known.kind}; name another folder")
    if known is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ItaMedError(f"{out} is not empty and holds no study; name a new folder")
    mirror = sources.or_sample(mirror)
    wanted = _tasks(study)
    loaded, why = available(wanted, mirror)
    if why and (study.tasks or not loaded):
        raise ItaMedError(next(iter(why.values())))
    data = {d.task.id: d for d in loaded}
    made = studies.plan(study, {task: len(d.train) for task, d in data.items()})
    made.cells = [dataclasses.replace(cell, tasks=tuple(t for t in cell.tasks if t in data)) for cell in made.cells]
    if empty := [cell.name for cell in made.cells if not cell.tasks]:
        raise ItaMedError(f"run {empty[0]}: no data for any of its tasks ({next(iter(why.values()))})")
    evaluated = {task for cell in made.cells for task in cell.tasks}
    return Opened(study, made, out, mirror, {task: d for task, d in data.items() if task in evaluated}, why)


def _tasks(study: Study) -> list[str]:
    """All tasks that any cell evaluates or trains on, in benchmark order."""
    chosen = {task for cell in studies.plan(study).cells for task in cell.tasks}
    for name in study.recipes:
        chosen |= set(studies.trained_tasks(studies.recipe_of(name, study.changes)))
    return [task.id for task in catalogue.tasks(ready=True) if task.id in chosen]


def stored(out: Path, *, required: bool = True) -> Study | None:
    """The study of a folder."""
    path = out / STUDY
    if not path.is_file():
        if required:
            raise ItaMedError(f"{out} holds no study: {STUDY} is missing")
        return None
    try:
        raw = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ItaMedError(f"{path} is not JSON ({error})") from error
    return studies.from_dict(raw, str(path))


# ----- one run -------------------------------------------------------------------------------------------------------


def execute(opened: Opened, *, drop_weights: bool = False) -> None:
    """Everything that is not done yet, in order. drop_weights: a model is deleted once its runs are finished."""
    out, plan = opened.out, opened.plan
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / STUDY, dataclasses.asdict(opened.study))
    _bring_in(opened)
    todo = [cell for cell in plan.cells if not finished(opened, cell)]
    for task, why in opened.left_out.items():
        _say(f"{task} left out: {why}")
    started = time.monotonic()
    for n, cell in enumerate(todo):
        left = f", about {(time.monotonic() - started) / n * (len(todo) - n) / 60:.0f} minutes left" if n else ""
        _say(f"run {len(plan.cells) - len(todo) + n + 1} of {len(plan.cells)}: {cell.name}{left}")
        run_cell(opened, cell)
        if drop_weights and cell.training:
            _drop(opened, plan.trainings[cell.training])


def _say(text: str) -> None:
    print(f"ita-med: {text}", file=sys.stderr, flush=True)


def recipe_for(opened: Opened, training: Training) -> Recipe:
    """The recipe with the study's changes, on the model that it starts from."""
    recipe = studies.recipe_of(training.recipe, training.changes)
    if training.after:
        recipe.model.path = str(base(opened, opened.plan.trainings[training.after]))
    return recipe


def base(opened: Opened, training: Training) -> Path:
    """A whole model: adapters of pre-training are merged."""
    folder = opened.out / TRAINED / training.name
    return folder / "merged" if recipe_for(opened, training).lora is not None else folder


def mark(opened: Opened, cell: Cell) -> str:
    """Of all that a run depends on: its recipes, how it is asked, the data."""
    chain, name = [], cell.training
    while name:
        training = opened.plan.trainings[name]
        chain.append(runs.as_run(studies.recipe_of(training.recipe, training.changes)))
        name = training.after
    model = runs.as_run(studies.recipe_of(cell.recipe, opened.study.changes))["model"]
    asked = dataclasses.asdict(_asked(opened, cell)) | {"model_args": "", "batch_size": "", "device": None}
    data = {task: opened.data[task].fingerprint for task in cell.tasks}
    values = [BENCHMARK_VERSION, cell.as_dict(), chain, model, asked, data]
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()


def finished(opened: Opened, cell: Cell) -> bool:
    """Whether the run is done; an ItaMedError if its folder holds another one."""
    block = _block(opened.out / RUNS / cell.name)
    if block is None:
        return False
    if block.get("mark") != mark(opened, cell):
        folder = opened.out / RUNS / cell.name
        raise ItaMedError(f"{folder} holds a run with another recipe, other settings or other data; name another OUT")
    return True


def _block(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = orjson.loads((folder / "manifest.json").read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError as error:
        raise ItaMedError(
            f"{folder / 'manifest.json'} is not JSON ({error}); delete {folder} to run it again"
        ) from error
    block = manifest.get("study") if isinstance(manifest, dict) else None
    return block if isinstance(block, dict) else None


def run_cell(opened: Opened, cell: Cell) -> None:
    """Train and evaluate; the block in the manifest comes last."""
    taken = _train(opened, opened.plan.trainings[cell.training]) if cell.training else None
    folder = opened.out / RUNS / cell.name
    fresh, meter = not folder.exists(), Meter()
    if not (folder / "manifest.json").is_file() or (folder / answer_log.FOLDER).is_dir():
        _answer(opened, cell, folder)
    _free()
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    recipe = studies.recipe_of(cell.recipe, opened.study.changes)
    tokenizer = measured.load_tokenizer(recipe.model.place, recipe.model.revision)
    loaded = [opened.data[task] for task in cell.tasks if task in manifest["speed"]]
    joules = meter.joules() if fresh else {}
    block = {
        "kind": opened.study.kind,
        "mark": mark(opened, cell),
        "cell": cell.as_dict(),
        "training": taken,
        "inference": measured.inference(recipe, manifest, loaded, tokenizer, joules),
    }
    write_json(folder / "manifest.json", _named(manifest, recipe, cell) | {"study": block})


def _answer(opened: Opened, cell: Cell, folder: Path) -> None:
    """As `ita-med eval` does; encoders as `ita-med predict` does."""
    recipe = studies.recipe_of(cell.recipe, opened.study.changes)
    if recipe.method == "encoder":
        from ita_med.training.encoders.predict import predict

        batch = int(opened.study.batch_size) if opened.study.batch_size.isdecimal() else 32
        trained, tasks = opened.out / TRAINED / cell.training, _answerable(opened, cell)
        predict(trained, folder, tasks, opened.mirror, limit=opened.study.limit, batch_size=batch)
        return
    evaluate(_asked(opened, cell), list(cell.tasks), folder, opened.mirror)


def _answerable(opened: Opened, cell: Cell) -> list[str]:
    """The tasks whose labels an encoder of the run knows; the others, out of distribution, are said."""
    from ita_med.training.encoders import parts

    made = orjson.loads((opened.out / TRAINED / cell.training / runs.FINISHED).read_bytes())["parts"]
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
        method += f" seed={cell.seed}" if cell.size == studies.ALL else f" n={cell.size} seed={cell.seed}"
    return manifest | {"model": recipe.model.public_name, "method": method}


def _asked(opened: Opened, cell: Cell) -> Run:
    """How `ita-med eval` is asked for this run."""
    recipe = studies.recipe_of(cell.recipe, opened.study.changes)
    arguments = [f"dtype={recipe.model.dtype}"]
    if not cell.training:
        arguments += [f"pretrained={recipe.model.place}", f"revision={recipe.model.revision}"]
    else:
        training = opened.plan.trainings[cell.training]
        trained, own = opened.out / TRAINED / training.name, recipe_for(opened, training)
        if own.method == "cpt":
            arguments.append(f"pretrained={base(opened, training)}")
        elif own.lora is None:
            arguments.append(f"pretrained={trained}")
        else:
            arguments += [f"pretrained={own.model.place}", f"peft={trained}"]
            arguments += [] if own.model.path else [f"revision={own.model.revision}"]
    if any("," in argument for argument in arguments):
        raise ItaMedError(f"a comma in a path cannot be given to lm-eval: {next(a for a in arguments if ',' in a)}")
    study = opened.study
    return Run(
        "hf", ",".join(arguments), cell.shots, recipe.model.chat, study.limit, study.batch_size,
        device=_device(), seed=cell.seed, constrained=cell.constrained,
    )  # fmt: skip


def _device() -> str:
    """Named, as lm-eval takes a GPU for granted once accelerate has been at work in the same process."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _train(opened: Opened, training: Training) -> dict[str, Any]:
    """What the training took; it is run, or gone on with, unless it is done."""
    if training.after:
        _train(opened, opened.plan.trainings[training.after])
    folder = opened.out / TRAINED / training.name
    if (folder / COSTS).is_file():
        found: dict[str, Any] = orjson.loads((folder / COSTS).read_bytes())
        return found
    recipe = recipe_for(opened, training)
    (opened.out / TRAINED).mkdir(exist_ok=True)
    merge = recipe.lora is not None and recipe.method == "cpt"
    meter = Meter()
    manifest = trainings.train(recipe, folder, opened.mirror, merge=merge)
    joules = meter.joules()
    _free()
    taken = measured.training(trainings.plan(recipe, opened.mirror), manifest, joules)
    write_json(folder / COSTS, taken)
    return taken


def _drop(opened: Opened, training: Training) -> None:
    """Delete the weights of a model that nothing needs any more; its manifest stays."""
    needed = {t.after for t in opened.plan.trainings.values()}
    needed |= {cell.training for cell in opened.plan.cells if not finished(opened, cell)}
    folder = opened.out / TRAINED / training.name
    if training.name in needed:
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in KEPT:
            path.unlink()


def _bring_in(opened: Opened) -> None:
    """Copy the submission folders made elsewhere into OUT/runs, so that OUT is all that a report needs."""
    for kind, names in (("run", opened.study.runs), ("large", opened.study.large)):
        for name in names:
            bring_in(Path(name), opened.out, kind)


def bring_in(source: Path, out: Path, kind: str) -> Path:
    """One folder, whole or not at all; predictions, results and manifest, nothing else."""
    files = [source / "manifest.json", source / "results.json", *sorted((source / "predictions").glob("*.jsonl"))]
    if missing := [path.name for path in files[:2] if not path.is_file()]:
        raise ItaMedError(f"{source} is no run of ita-med eval: {missing[0]} is missing")
    target = out / RUNS / (source.name if kind == "run" else f"{kind}_{source.name}")
    if target.is_dir():
        if (target / "results.json").read_bytes() != files[1].read_bytes():
            raise ItaMedError(f"{target} holds another run than {source}; give one of them another name")
        return target
    with whole_folder(target) as partial:
        for path in files:
            place = partial / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    return target


def _free() -> None:
    """Give back the memory of a model that is done with."""
    gc.collect()
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()
