"""The training examples of a recipe: those of its tasks whose data are here, without what repeats an evaluated text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ita_med import catalogue, sources
from ita_med.errors import DataError, ItaMedError
from ita_med.tasks.benchmark.task_data import TaskData, available
from ita_med.training import recipe as recipes
from ita_med.training.data import leak_filter
from ita_med.training.data.prompt_rows import subset
from ita_med.training.recipe import Recipe


@dataclass
class TrainingExamples:
    """What a recipe trains on.

    Attributes:
        tasks: Its tasks, each with only those training examples that it takes.
        counts: Task -> how many examples were there, were left out and are taken; its licence.
        missing: Task -> why its data are not here.
        not_guarded: Evaluated task -> why nothing could be compared with it.
    """

    tasks: list[TaskData]
    counts: dict[str, dict[str, Any]]
    missing: dict[str, str]
    not_guarded: dict[str, str]

    @property
    def synthetic(self) -> bool:
        return any(data.source == sources.EMBEDDED for data in self.tasks)

    @property
    def facts(self) -> dict[str, Any]:
        """What a manifest says of the data beside the counts."""
        return {"missing": self.missing, "not_guarded": self.not_guarded, "synthetic": self.synthetic}


def find(recipe: Recipe, mirror: str | None = None, *, strict: bool = False) -> TrainingExamples:
    """The training examples of a recipe: `data.examples` per task of those that repeat no evaluated text.

    Args:
        recipe: Its `data.tasks`, `data.examples` and `train.seed` are read.
        mirror: Folder of raw files, or "embedded".
        strict: An example that repeats an evaluated text is an error; else it is left out and counted.
    """
    wanted = [task.id for task in recipes.tasks(recipe)]
    loaded, missing = available([task.id for task in catalogue.tasks(ready=True)], mirror)
    chosen = [data for data in loaded if data.task.id in wanted and data.train]
    if not chosen:
        why = "; ".join(missing[name] for name in wanted if name in missing) or "no training split"
        raise ItaMedError(f"{recipe.name}: no data for any of its tasks ({why})")
    evaluated = leak_filter.Evaluated.of(loaded)
    tasks, counts = [], {}
    for data in chosen:
        leaks = leak_filter.find(data, evaluated)
        if strict and leaks.kinds:
            raise DataError(_refusal(data, leaks))
        clean = [example for example in data.train if example.id not in leaks.kinds]
        taken = subset(clean, recipe.data.examples, seed=f"{recipe.train.seed} {data.task.id}")
        tasks.append(replace(data, train=taken))
        counts[data.task.id] = _counts(data, leaks) | {"taken": len(taken)}
    if not any(data.train for data in tasks):
        raise ItaMedError(f"{recipe.name}: every training row repeats an evaluated text")
    return TrainingExamples(
        tasks,
        counts,
        {name: why for name, why in missing.items() if name in wanted},
        {name: why for name, why in missing.items() if name not in wanted},
    )


def _refusal(data: TaskData, leaks: leak_filter.Leaks) -> str:
    first, kind = next(iter(leaks.kinds.items()))
    return (
        f"{data.task.id}: {len(leaks.kinds)} of {len(data.train)} training examples repeat an evaluated text, "
        f'the first is "{first}" ({kind}); without --strict they are left out'
    )


def _counts(data: TaskData, leaks: leak_filter.Leaks) -> dict[str, Any]:
    entry = catalogue.dataset(data.task.dataset)
    return {
        "dataset": entry.id,
        "licence": entry.licence,
        "commercial": entry.commercial,
        "data": data.provenance,
        "examples": len(data.train),
        "leaking": leaks.counts(),
    }
