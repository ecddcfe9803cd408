"""A study: what is asked, from a YAML file or from options, and the runs that answer it."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ita_med import catalogue, settings
from ita_med.errors import ItaMedError
from ita_med.training import recipe as recipes
from ita_med.training.recipe import Recipe

ALL = "all"
METHODS = {
    "zero-shot": "zero-shot",
    "few-shot": "{k}-shot",
    "constrained": "zero-shot + CD",
    "both": "{k}-shot + CD",
    "ft": "FT",
    "cpt": "CPT",
    "cpt-few-shot": "CPT, {k}-shot",
    "cpt-ft": "CPT, FT",
}
"""Ways to adapt a model, in the order of the figure, as the paper's table calls them."""
OOD_OF = {
    "ita_med_ner_cardioccc": "ita_med_ner_drugtemist",
    "ita_med_re_e3c_projected": "ita_med_re_clinkart",
    "ita_med_crf_ecream": "ita_med_crf_dyspnea",
    "ita_med_qa_med_ita": "ita_med_qa_medmcqa",
    "ita_med_arg_abstrct_glaucoma": "ita_med_arg_abstrct",
    "ita_med_arg_abstrct_mixed": "ita_med_arg_abstrct",
}
"""Out-of-distribution task -> the in-distribution task that asks most nearly the same."""


@dataclass
class Prices:
    """What a reader pays; nothing is assumed. hour: € of an hour of the machine; million_input, million_output: € of a
    million tokens read and written by a model behind an API; example: € of annotating one training example; kwh: € of
    a kilowatt-hour, added where energy was measured."""

    small_hour: float = 0.0
    large_hour: float = 0.0
    large_million_input: float = 0.0
    large_million_output: float = 0.0
    example: float = 0.0
    kwh: float = 0.0


@dataclass
class Study:
    """kind: one of `KINDS`. recipes: names or YAML files; cpt: a recipe of continual pre-training (adaptation).
    changes: KEY=VALUE as of --set, for all of them. tasks: those evaluated; default: what the recipes train on, for ood
    also their out-of-distribution neighbours. sizes: training examples per task, "all" among them. methods: of
    `METHODS`. runs, large: submission folders made elsewhere. configs: "RUN=FOLDER", where a run's config.json and
    tokenizer lie. metric: "score" or another of the task's metrics, such as f1_macro."""

    kind: str
    recipes: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    cpt: str | None = None
    cpt_changes: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=lambda: ["25", "50", "100", "200", "300", ALL])
    seeds: list[str] = field(default_factory=lambda: ["0", "1", "2"])
    methods: list[str] = field(default_factory=list)
    shots: int = 4
    constrained: bool = False
    batch_size: str = "auto"
    limit: int | None = None
    metric: str = "score"
    runs: list[str] = field(default_factory=list)
    large: list[str] = field(default_factory=list)
    configs: list[str] = field(default_factory=list)
    prices: Prices = field(default_factory=Prices)


KINDS = ("learning-curve", "adaptation", "small-vs-large", "cost", "ood")


@dataclass(frozen=True)
class Training:
    """One model to train. after: the training whose result it starts from."""

    name: str
    recipe: str
    changes: tuple[str, ...] = ()
    after: str = ""


@dataclass(frozen=True)
class Cell:
    """One run to evaluate. recipe: names the model; training: whose result it is, "" for the model as it comes.

    size: training examples per task, "all", or "" where nothing was trained; constrained: "" or "schema".
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
class Plan:
    study: Study
    trainings: dict[str, Training]
    cells: list[Cell]


# ----- reading -------------------------------------------------------------------------------------------------------


def load(path: Path) -> Study:
    """A study from its YAML file; an ItaMedError names the key that is wrong."""
    if not path.is_file():
        raise ItaMedError(f"{path}: no such study file")
    return from_dict(settings.read_yaml(path), str(path))


def from_dict(raw: Any, where: str) -> Study:
    """A study from keys and values, strictly."""
    if isinstance(raw, dict):
        for key in ("sizes", "seeds"):  # numbers are welcome there
            if isinstance(raw.get(key), list):
                raw = raw | {key: [str(item) if type(item) is int else item for item in raw[key]]}
        if type(raw.get("batch_size")) is int:
            raw = raw | {"batch_size": str(raw["batch_size"])}
    study: Study = settings.read(Study, raw, where)
    check(study, where)
    return study


def check(study: Study, where: str = "study") -> None:
    """Raise ItaMedError for values that no study can have."""
    if study.kind not in KINDS:
        raise ItaMedError(f'{where}: kind is "{study.kind}", expected one of {", ".join(KINDS)}')
    for size in study.sizes:
        if size != ALL and not (size.isdecimal() and int(size) > 0):
            raise ItaMedError(f'{where}: size "{size}" is neither a number from 1 on nor "{ALL}"')
    for seed in study.seeds:
        if not seed.isdecimal() or int(seed) >= 2**32:
            raise ItaMedError(f'{where}: seed "{seed}" is no number from 0 on')
    for method in study.methods:
        if method not in METHODS:
            raise ItaMedError(f'{where}: method "{method}" is none of {", ".join(METHODS)}')
    for name, values in (("sizes", study.sizes), ("seeds", study.seeds), ("recipes", study.recipes)):
        if repeated := [value for value, n in Counter(values).items() if n > 1]:
            raise ItaMedError(f"{where}: {name} names {repeated[0]} twice")
    if not 1 <= study.shots <= 8:
        raise ItaMedError(f"{where}: shots is {study.shots}, expected 1 to 8")
    if not study.recipes and not study.runs and not study.large:
        raise ItaMedError(f"{where}: names neither recipes to train nor runs to read")
    if study.recipes and study.kind in ("learning-curve", "small-vs-large") and not (study.sizes and study.seeds):
        raise ItaMedError(f"{where}: needs at least one size and one seed")
    if study.kind == "adaptation" and len(study.recipes) > 1:
        raise ItaMedError(f"{where}: adaptation compares ways to adapt one model; name one recipe")
    if any(value < 0 or value != value for value in dataclasses.astuple(study.prices)):
        raise ItaMedError(f"{where}: a price is negative or no number")


# ----- the plan ------------------------------------------------------------------------------------------------------


def plan(study: Study, available: dict[str, int] | None = None) -> Plan:
    """All runs of a study in order.

    available: training examples by task; a size that is no smaller than the largest task is left out beside "all".
    """
    check(study)
    makers = {"learning-curve": _curve, "small-vs-large": _curve, "adaptation": _adaptation, "cost": _cost, "ood": _ood}
    made = Plan(study, {}, [])
    for name in study.recipes:
        recipe = recipe_of(name, study.changes)
        if recipe.method == "cpt":
            raise ItaMedError(f"{name} is continual pre-training, which answers no task; name it as cpt of adaptation")
        makers[study.kind](made, name, recipe, available or {})
    slugs = Counter(cell.name for cell in made.cells)
    if slugs and max(slugs.values()) > 1:
        raise ItaMedError(f"two recipes would both write runs/{slugs.most_common(1)[0][0]}; give one another name")
    return made


def recipe_of(name: str, changes: list[str] | tuple[str, ...]) -> Recipe:
    return recipes.load(recipes.find(name), list(changes))


def slug(recipe: str) -> str:
    """ "smollm2/smollm2-135m-instruct-ft" -> "smollm2-135m-instruct-ft", safe as the name of a folder."""
    return re.sub(
        r"[^A-Za-z0-9.-]+", "-", Path(recipe).stem if recipe.endswith((".yaml", ".yml")) else recipe.split("/")[-1]
    )


def trained_tasks(recipe: Recipe) -> list[str]:
    return [task.id for task in recipes.tasks(recipe)]


def _evaluated(study: Study, recipe: Recipe) -> tuple[str, ...]:
    from ita_med.tasks.evaluation.evaluate import expand

    if study.tasks:
        return tuple(expand(study.tasks)[0])
    return tuple(trained_tasks(recipe))


def _curve(made: Plan, name: str, recipe: Recipe, available: dict[str, int]) -> None:
    study, tasks = made.study, _evaluated(made.study, recipe)
    largest = max((available.get(task, 0) for task in trained_tasks(recipe)), default=0)
    for size in sorted(study.sizes, key=lambda s: (s == ALL, 0 if s == ALL else int(s))):
        if size != ALL and largest and int(size) >= largest and ALL in study.sizes:
            continue
        for seed in map(int, study.seeds):
            short = f"{slug(name)}_{'all' if size == ALL else f'n{size}'}_s{seed}"
            _trained(made, name, short, "FT" if recipe.method == "ft" else "encoder", tasks, size=size, seed=seed)


def _trained(
    made: Plan, recipe: str, short: str, method: str, tasks: tuple[str, ...], *, size: str = ALL, seed: int = 0,
    after: str = "",
) -> None:  # fmt: skip
    """A training and its evaluation, under one name."""
    study = made.study
    changes = [*study.changes, f"train.seed={seed}", f"data.examples={'null' if size == ALL else size}"]
    made.trainings[short] = Training(short, recipe, tuple(changes), after)
    constrained = "schema" if study.constrained and method != "encoder" else ""
    method += " + CD" if constrained else ""
    made.cells.append(Cell(short, method, recipe, tasks, short, constrained=constrained, size=size, seed=seed))


def _prompted(made: Plan, name: str, recipe: Recipe, method: str, tasks: tuple[str, ...], training: str = "") -> None:
    """A model asked as it is, or after continual pre-training."""
    study = made.study
    shots = study.shots if method in ("few-shot", "both", "cpt-few-shot") else 0
    constrained = "schema" if method in ("constrained", "both") else ""
    shown = METHODS[method].format(k=study.shots)
    made.cells.append(Cell(f"{slug(name)}_{method}", shown, name, tasks, training, shots, constrained))


def _adaptation(made: Plan, name: str, recipe: Recipe, available: dict[str, int]) -> None:
    study, tasks = made.study, _evaluated(made.study, recipe)
    chosen = study.methods or [m for m in METHODS if study.cpt or not m.startswith("cpt")]
    if recipe.method != "ft":
        raise ItaMedError(f"{name}: adaptation prompts and fine-tunes one decoder; an encoder cannot be prompted")
    if (needs := [m for m in chosen if m.startswith("cpt")]) and not study.cpt:
        raise ItaMedError(f"the method {needs[0]} needs a recipe of continual pre-training, cpt")
    pretrained = ""
    if study.cpt and any(m.startswith("cpt") for m in chosen):
        before = recipe_of(study.cpt, study.cpt_changes)
        if before.method != "cpt":
            raise ItaMedError(f"{study.cpt} is no recipe of continual pre-training")
        if before.model.id != recipe.model.id:
            raise ItaMedError(f"{study.cpt} adapts {before.model.id}, {name} another model, {recipe.model.id}")
        pretrained = slug(study.cpt)
        made.trainings[pretrained] = Training(pretrained, study.cpt, tuple(study.cpt_changes))
    for method in (m for m in METHODS if m in chosen):
        if method in ("ft", "cpt-ft"):
            for seed in map(int, study.seeds):
                after = pretrained if method == "cpt-ft" else ""
                _trained(made, name, f"{slug(name)}_{method}_s{seed}", METHODS[method], tasks, seed=seed, after=after)
        else:
            _prompted(made, name, recipe, method, tasks, pretrained if method.startswith("cpt") else "")


def _cost(made: Plan, name: str, recipe: Recipe, available: dict[str, int]) -> None:
    tasks = _evaluated(made.study, recipe)
    seed = int(made.study.seeds[0]) if made.study.seeds else 0
    if recipe.method == "ft":
        for method in made.study.methods or ["few-shot"]:
            if method not in ("ft", "cpt", "cpt-few-shot", "cpt-ft"):
                _prompted(made, name, recipe, method, tasks)
    short = "FT" if recipe.method == "ft" else "encoder"
    _trained(made, name, f"{slug(name)}_s{seed}", short, tasks, seed=seed)


def _ood(made: Plan, name: str, recipe: Recipe, available: dict[str, int]) -> None:
    study = made.study
    tasks = _evaluated(study, recipe)
    if not study.tasks:
        tasks += tuple(o for o, i in OOD_OF.items() if i in tasks and catalogue.task(o).status == "ready")
    if recipe.method == "ft":
        for method in study.methods or ["few-shot"]:
            if method not in ("ft", "cpt", "cpt-few-shot", "cpt-ft"):
                _prompted(made, name, recipe, method, tasks)
    for seed in map(int, study.seeds):
        _trained(made, name, f"{slug(name)}_s{seed}", "FT" if recipe.method == "ft" else "encoder", tasks, seed=seed)
