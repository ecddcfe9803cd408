"""The folder of a study: what is in it, which runs are finished, and what each run depends on.

OUT/study.json holds the study, OUT/trained/NAME a model, OUT/runs/NAME the submission folder of one run, whose manifest
has a block "study": the cell of the plan that it is, and what training and evaluating took. A run is finished when
that block is there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

import orjson

from ita_med import sources
from ita_med.errors import ItaMedError
from ita_med.files import whole_folder
from ita_med.tasks.benchmark.task_data import TaskData, available
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.training.recipe import Recipe
from ita_med.training.record import run_folder
from ita_med.training.studies.plan import Cell, StudyPlan, Training, plan, without_oversized
from ita_med.training.studies.study import Study, from_dict
from ita_med.version import BENCHMARK_VERSION

STUDY, RUNS, TRAINED, COSTS = "study.json", "runs", "trained", "study_costs.json"


@dataclasses.dataclass
class OpenStudy:
    """A study in its folder, with the data that it evaluates.

    Attributes:
        plan: The runs on the data that are here.
        out: The folder.
        mirror: Folder of raw files, or "embedded".
        data: Task -> its data.
        left_out: Task -> why its data are not here.
    """

    plan: StudyPlan
    out: Path
    mirror: str | None
    data: dict[str, TaskData]
    left_out: dict[str, str]

    @property
    def study(self) -> Study:
        return self.plan.study


def open_study(study: Study, out: Path, mirror: str | None) -> OpenStudy:
    """The plan of a study on the data that are here; the folder is read, and nothing is written.

    Raises:
        ItaMedError: The folder holds something else, or the data of a task that was named are not here.
    """
    known = stored(out, required=False)
    if known is not None and known.kind != study.kind:
        raise ItaMedError(f"{out} holds a study of kind {known.kind}; name another folder")
    if known is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ItaMedError(f"{out} is not empty and holds no study; name a new folder")
    mirror = sources.or_sample(mirror)
    made = plan(study)
    loaded, why = available(made.tasks, mirror)
    if why and (study.tasks or not loaded):
        raise ItaMedError(next(iter(why.values())))
    data = {d.task.id: d for d in loaded}
    made = without_oversized(made, {task: len(d.train) for task, d in data.items()})
    made.cells = [dataclasses.replace(cell, tasks=tuple(t for t in cell.tasks if t in data)) for cell in made.cells]
    if empty := [cell.name for cell in made.cells if not cell.tasks]:
        raise ItaMedError(f"run {empty[0]}: no data for any of its tasks ({next(iter(why.values()))})")
    evaluated = {task for cell in made.cells for task in cell.tasks}
    return OpenStudy(made, out, mirror, {task: d for task, d in data.items() if task in evaluated}, why)


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
    return from_dict(raw, str(path))


def finished(opened: OpenStudy, cell: Cell) -> bool:
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


def mark(opened: OpenStudy, cell: Cell) -> str:
    """sha256 of all that a run depends on: its recipes, how its model is asked, the data."""
    chain, name = [], cell.training
    while name:
        training = opened.plan.trainings[name]
        chain.append(run_folder.as_run(training.recipe))
        name = training.after
    model = run_folder.as_run(opened.plan.recipes[cell.recipe])["model"]
    asked = dataclasses.asdict(asked_of(opened, cell)) | {"model_args": "", "batch_size": "", "device": None}
    data = {task: opened.data[task].fingerprint for task in cell.tasks}
    values = [BENCHMARK_VERSION, cell.as_dict(), chain, model, asked, data]
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()


def asked_of(opened: OpenStudy, cell: Cell) -> Run:
    """How `ita-med eval` is asked for this run."""
    recipe = opened.plan.recipes[cell.recipe]
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


def recipe_for(opened: OpenStudy, training: Training) -> Recipe:
    """The recipe of a training, on the model that it starts from."""
    if not training.after:
        return training.recipe
    path = str(base(opened, opened.plan.trainings[training.after]))
    return dataclasses.replace(training.recipe, model=dataclasses.replace(training.recipe.model, path=path))


def base(opened: OpenStudy, training: Training) -> Path:
    """The folder of a model that another training starts from: a whole one, adapters of pre-training are merged."""
    folder = opened.out / TRAINED / training.name
    return folder / "merged" if training.recipe.lora is not None else folder


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
