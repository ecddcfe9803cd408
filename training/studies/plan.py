"""The plan of a study: the models to train and the runs to evaluate."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.tasks.evaluation.evaluate import expand
from ita_med.training import recipe as recipes
from ita_med.training.recipe import Recipe
from ita_med.training.studies.study import ALL, METHODS, OOD_OF, Study, check


@dataclass(frozen=True)
class Training:
    """One model to train.

    Attributes:
        name: Of its folder.
        recipe: With the changes of the study, the seed and the number of examples.
        after: The training whose result it starts from, if any.
    """

    name: str
    recipe: Recipe
    after: str = ""


@dataclass(frozen=True)
class Cell:
    """One run to evaluate, as it is written into the manifest of its submission folder.

    Attributes:
        name: Of its folder.
        method: How tables and figures call it.
        recipe: Name of the recipe whose model is asked.
        tasks: Those that are evaluated.
        training: Name of the training whose result is asked, "" for the model as it comes.
        shots: Worked examples in the prompt.
        constrained: "schema" with constrained decoding, else "".
        size: Training examples per task, "all", or "" where nothing was trained.
        seed: Of the training.
    """

    name: str
    method: str
    recipe: str
    tasks: tuple[str, ...]
    training: str = ""
    shots: int = 0
    constrained: str = ""
    size: str = ""
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"tasks": list(self.tasks)}


@dataclass
class StudyPlan:
    """The runs that answer a study, and all that they need; recipes are read once, when the plan is made.

    Attributes:
        study: What is asked.
        recipes: Name -> the recipe with the changes of the study.
        trainings: Name -> the model to train.
        cells: The runs, in order.
    """

    study: Study
    recipes: dict[str, Recipe]
    trainings: dict[str, Training]
    cells: list[Cell]

    @property
    def tasks(self) -> list[str]:
        """All tasks that a run evaluates or a recipe trains on, in the order of the benchmark."""
        chosen = {task for cell in self.cells for task in cell.tasks}
        chosen |= {task for recipe in self.recipes.values() for task in trained_tasks(recipe)}
        return [task.id for task in catalogue.tasks(ready=True) if task.id in chosen]


def plan(study: Study) -> StudyPlan:
    """All runs of a study in order. Recipes are read here, each once."""
    check(study)
    makers = {"learning-curve": _curve, "small-vs-large": _curve, "adaptation": _adaptation, "cost": _cost, "ood": _ood}
    made = StudyPlan(study, {}, {}, [])
    for name in study.recipes:
        recipe = made.recipes[name] = recipes.load(recipes.find(name), study.changes)
        if recipe.method == "cpt":
            raise ItaMedError(f"{name} is continual pre-training, which answers no task; name it as cpt of adaptation")
        makers[study.kind](made, name, recipe)
    slugs = Counter(cell.name for cell in made.cells)
    if slugs and max(slugs.values()) > 1:
        raise ItaMedError(f"two recipes would both write runs/{slugs.most_common(1)[0][0]}; give one another name")
    return made


def without_oversized(made: StudyPlan, available: dict[str, int]) -> StudyPlan:
    """The plan without sizes that are no smaller than the largest task, where "all" is asked for too.

    available: training examples by task.
    """
    if ALL not in made.study.sizes:
        return made
    largest = {
        name: max((available.get(task, 0) for task in trained_tasks(recipe)), default=0)
        for name, recipe in made.recipes.items()
    }
    dropped = [cell for cell in made.cells if cell.size not in ("", ALL) and 0 < largest[cell.recipe] <= int(cell.size)]
    trainings = {name: training for name, training in made.trainings.items() if name not in {c.name for c in dropped}}
    return dataclasses.replace(made, trainings=trainings, cells=[c for c in made.cells if c not in dropped])


def slug(recipe: str) -> str:
    """ "smollm2/smollm2-135m-instruct-ft" -> "smollm2-135m-instruct-ft", safe as the name of a folder."""
    return re.sub(
        r"[^A-Za-z0-9.-]+", "-", Path(recipe).stem if recipe.endswith((".yaml", ".yml")) else recipe.split("/")[-1]
    )


def trained_tasks(recipe: Recipe) -> list[str]:
    """Ids of the tasks that a recipe trains on."""
    return [task.id for task in recipes.tasks(recipe)]


def _evaluated(study: Study, recipe: Recipe) -> tuple[str, ...]:
    """The tasks that the runs of a recipe evaluate, unless the kind of study adds some."""
    if study.tasks:
        return tuple(expand(study.tasks)[0])
    return tuple(trained_tasks(recipe))


def _method(recipe: Recipe) -> str:
    """What tables and figures call a training by the recipe."""
    return "FT" if recipe.method == "ft" else "encoder"


def _curve(made: StudyPlan, name: str, recipe: Recipe) -> None:
    study, tasks = made.study, _evaluated(made.study, recipe)
    for size in sorted(study.sizes, key=lambda s: (s == ALL, 0 if s == ALL else int(s))):
        for seed in map(int, study.seeds):
            short = f"{slug(name)}_{'all' if size == ALL else f'n{size}'}_s{seed}"
            _trained(made, name, recipe, short, _method(recipe), tasks, size=size, seed=seed)


def _trained(
    made: StudyPlan, name: str, recipe: Recipe, short: str, method: str, tasks: tuple[str, ...], *, size: str = ALL,
    seed: int = 0, after: str = "",
) -> None:  # fmt: skip
    """A training and its evaluation, under one name."""
    study = made.study
    own = dataclasses.replace(
        recipe,
        train=dataclasses.replace(recipe.train, seed=seed),
        data=dataclasses.replace(recipe.data, examples=None if size == ALL else int(size)),
    )
    made.trainings[short] = Training(short, own, after)
    constrained = "schema" if study.constrained and method != "encoder" else ""
    method += " + CD" if constrained else ""
    made.cells.append(Cell(short, method, name, tasks, short, constrained=constrained, size=size, seed=seed))


def _prompted(made: StudyPlan, name: str, method: str, tasks: tuple[str, ...], training: str = "") -> None:
    """A model asked as it is, or after continual pre-training."""
    study = made.study
    shots = study.shots if method in ("few-shot", "both", "cpt-few-shot") else 0
    constrained = "schema" if method in ("constrained", "both") else ""
    shown = METHODS[method].format(k=study.shots)
    made.cells.append(Cell(f"{slug(name)}_{method}", shown, name, tasks, training, shots, constrained))


def _adaptation(made: StudyPlan, name: str, recipe: Recipe) -> None:
    study, tasks = made.study, _evaluated(made.study, recipe)
    chosen = study.methods or [m for m in METHODS if study.cpt or not m.startswith("cpt")]
    if recipe.method != "ft":
        raise ItaMedError(f"{name}: adaptation prompts and fine-tunes one decoder; an encoder cannot be prompted")
    if (needs := [m for m in chosen if m.startswith("cpt")]) and not study.cpt:
        raise ItaMedError(f"the method {needs[0]} needs a recipe of continual pre-training, cpt")
    pretrained = ""
    if study.cpt and any(m.startswith("cpt") for m in chosen):
        before = recipes.load(recipes.find(study.cpt), study.cpt_changes)
        if before.method != "cpt":
            raise ItaMedError(f"{study.cpt} is no recipe of continual pre-training")
        if before.model.id != recipe.model.id:
            raise ItaMedError(f"{study.cpt} adapts {before.model.id}, {name} another model, {recipe.model.id}")
        pretrained = slug(study.cpt)
        made.trainings[pretrained] = Training(pretrained, before)
    for method in (m for m in METHODS if m in chosen):
        if method in ("ft", "cpt-ft"):
            for seed in map(int, study.seeds):
                after = pretrained if method == "cpt-ft" else ""
                short = f"{slug(name)}_{method}_s{seed}"
                _trained(made, name, recipe, short, METHODS[method], tasks, seed=seed, after=after)
        else:
            _prompted(made, name, method, tasks, pretrained if method.startswith("cpt") else "")


def _cost(made: StudyPlan, name: str, recipe: Recipe) -> None:
    tasks = _evaluated(made.study, recipe)
    seed = int(made.study.seeds[0]) if made.study.seeds else 0
    if recipe.method == "ft":
        for method in made.study.methods or ["few-shot"]:
            if method not in ("ft", "cpt", "cpt-few-shot", "cpt-ft"):
                _prompted(made, name, method, tasks)
    _trained(made, name, recipe, f"{slug(name)}_s{seed}", _method(recipe), tasks, seed=seed)


def _ood(made: StudyPlan, name: str, recipe: Recipe) -> None:
    study = made.study
    tasks = _evaluated(study, recipe)
    if not study.tasks:
        tasks += tuple(o for o, i in OOD_OF.items() if i in tasks and catalogue.task(o).status == "ready")
    if recipe.method == "ft":
        for method in study.methods or ["few-shot"]:
            if method not in ("ft", "cpt", "cpt-few-shot", "cpt-ft"):
                _prompted(made, name, method, tasks)
    for seed in map(int, study.seeds):
        _trained(made, name, recipe, f"{slug(name)}_s{seed}", _method(recipe), tasks, seed=seed)
