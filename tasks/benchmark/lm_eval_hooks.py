"""What the YAML files of `lm_eval/` call: the documents of a task, and its metrics as lm-eval aggregations.

Prompts are made once, as columns: lm-eval compiles a Jinja template for every document and shot otherwise.
`process_results` hands the same row of counts to every metric; an aggregation sums the rows and bootstraps them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from lm_eval.api.samplers import ContextSampler

from ita_med import catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark import lm_eval_files
from ita_med.tasks.benchmark.task_data import TaskData, available, load
from ita_med.tasks.scoring import metrics

log = logging.getLogger("ita_med")
TaskAndData = tuple[str, str]
"""(task, provenance of its data)."""
CountedAnswer = tuple[TaskAndData, str, tuple[float, ...]]
"""(key, cluster, counts)."""
_loaded: dict[TaskAndData, TaskData] = {}


def documents(ita_med_task: str = "", mirror: str | None = None, **_: Any) -> dict[str, Any]:
    """`custom_dataset`: the evaluated documents ("test") and the few-shot examples ("shots").

    `--metadata '{"mirror": "DIR"}'` names a mirror; else as in `ita_med.tasks.benchmark.task_data.load`.
    """
    try:
        data = load(ita_med_task, mirror)
    except ItaMedError as error:
        runnable = ",".join(data.task.id for data in available((t.id for t in catalogue.tasks(ready=True)), mirror)[0])
        others = f"These can: --tasks {runnable}" if runnable else "No task of the benchmark can"
        raise type(error)(
            f"{ita_med_task} cannot run: {error}. {others}; ita-med eval leaves out what is missing"
        ) from None
    told = any(known.source == sources.EMBEDDED for known in _loaded.values())
    _loaded[data.task.id, data.provenance] = data
    if data.source == sources.EMBEDDED and not told:
        log.warning("SYNTHETIC SAMPLE DATA, not the real datasets: set ITA_MED_MIRROR, or run ita-med data pull")
    return {"test": to_dataset(data, data.examples), "shots": to_dataset(data, data.shots)}


def remember(loaded: list[TaskData]) -> None:
    """Data that are loaded already, for models that look at a document's task (the floors)."""
    _loaded.update({(data.task.id, data.provenance): data for data in loaded})


class FixedShots(ContextSampler):
    """The first k of the task's shots, in their order; all of them where a task has fewer (MED-ITA has five)."""

    told = False

    def sample(self, n: int, eval_doc: Any = None, df: Any = None, **_: Any) -> Any:
        """The first n shots; called by lm-eval for each document."""
        shots = list(self.df)
        if n > len(shots) and not self.told:
            task = shots[0]["task"] if shots else "the task"
            log.warning("%s has %d shots, %d were asked for: all are taken", task, len(shots), n)
            self.told = True
        return shots[:n]


def to_dataset(data: TaskData, examples: list[Any]) -> Any:
    """Rows of id, prompt, target and instruction; the example itself stays behind, out of lm-eval's logs."""
    from datasets import Dataset, Features, Value

    instruction = data.instruction() + "\n\n"  # lm-eval puts nothing between the description and the first turn
    rows = {
        "id": [example.id for example in examples],
        "task": [data.task.id] * len(examples),
        "data": [data.provenance] * len(examples),
        "instruction": [instruction] * len(examples),
        "prompt": [data.prompt(example) for example in examples],
        "target": [data.target(example) for example in examples],
    }
    return Dataset.from_dict(rows, features=Features({name: Value("string") for name in rows}))


def task_data_of(doc: dict[str, Any]) -> TaskData:
    """The task and data that a document of `documents` belongs to."""
    key = doc["task"], doc["data"]
    if key not in _loaded:
        data = load(doc["task"])
        if data.provenance != doc["data"]:
            raise ItaMedError(f"{doc['task']}: the document is from {doc['data']}, the data here are {data.provenance}")
        _loaded[key] = data
    return _loaded[key]


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, Any]:
    """The counts of one answer, once per metric; "score" before "score_stderr", as lm-eval needs it."""
    data = task_data_of(doc)
    example = data.by_id[doc["id"]]
    answer = data.parse(results[0], example)
    counts = tuple(data.count(example, answer))
    counted: CountedAnswer = ((doc["task"], doc["data"]), example.doc_id or example.id, counts)
    values: dict[str, Any] = {}
    for name in data.family.metrics(data.setting):
        values[name] = counted
        values[f"{name}_stderr"] = counted
    return values | {"synthetic_data": float(data.source == sources.EMBEDDED)}


def choices(doc: dict[str, Any]) -> list[str]:
    """`doc_to_choice`: the possible answers to a document, or a shot, as a model should write them."""
    data = task_data_of(doc)
    example = data.by_id.get(doc["id"]) or next(shot for shot in data.shots if shot.id == doc["id"])
    return [data.render(answer) for answer in data.family.alternatives(example)]


def right_choice(doc: dict[str, Any]) -> int:
    """`doc_to_target`: which of `choices` is right."""
    return choices(doc).index(doc["target"])


def process_choices(doc: dict[str, Any], results: list[tuple[float, bool]]) -> dict[str, Any]:
    """The counts of the likeliest answer; of two that are as likely, the first."""
    likelihoods = [likelihood for likelihood, _ in results]
    return process_results(doc, [choices(doc)[likelihoods.index(max(likelihoods))]])


def _value(name: str, rows: list[CountedAnswer]) -> float:
    """The metric over all answers."""
    return _evaluate(name, rows, resamples=2)[0][name]


def _stderr(name: str, rows: list[CountedAnswer]) -> float:
    """The bootstrap error of the metric."""
    return _evaluate(name, rows, resamples=metrics.RESAMPLES)[1][name]


def _evaluate(name: str, rows: list[CountedAnswer], resamples: int) -> tuple[dict[str, float], dict[str, float]]:
    metric = _loaded[rows[0][0]].metrics[name]
    counts = np.array([row[2] for row in rows])
    return metrics.evaluate({name: metric}, counts, [row[1] for row in rows], resamples=resamples)


@cache
def _metric_names() -> set[str]:
    return {name for task in catalogue.tasks(ready=True) for name in lm_eval_files.metric_names(task)}


def __getattr__(name: str) -> Callable[[list[CountedAnswer]], float]:
    """The aggregations `METRIC` and `METRIC_stderr` of every metric.

    lm-eval imports each aggregation that a YAML names by its dotted path, and Python asks a module for what it does
    not find in it here. So a metric is written once, in its family, and not again as two names of this module.
    """
    metric = name.removesuffix("_stderr")
    if metric not in _metric_names():
        raise AttributeError(f"module {__name__} has no attribute {name}, and no family has such a metric")
    return partial(_value if metric == name else _stderr, metric)
