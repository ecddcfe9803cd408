"""A task with its data: evaluated examples, few-shot examples, prompts, and the scores of answers."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ita_med import catalogue, checksums, sources
from ita_med.dataset_builders import build
from ita_med.errors import ItaMedError
from ita_med.schema import Example
from ita_med.tasks.families.family import Answer, Family, FamilyMetric
from ita_med.tasks.families.json_schema import Schema
from ita_med.tasks.families.registry import family_of
from ita_med.tasks.scoring.metrics import Array, evaluate
from ita_med.version import BENCHMARK_VERSION

MAX_SHOTS = 8
SHOTS_SEED = 0


@dataclass
class Scores:
    """The scores of one system on one task.

    Attributes:
        n: evaluated examples.
        metrics, stderr: values and bootstrap errors by the metric's name, "score" being the headline.
        ids: the evaluated examples.
        counts: (examples, columns) in the order of `ids`.
        clusters: the document of each example.
        missing, unknown, duplicate: ids without an answer, ids that the task does not have, ids that came twice.
        source, fingerprint: of the gold data, as in `TaskData`.
    """

    task: str
    n: int
    metrics: dict[str, float]
    stderr: dict[str, float]
    ids: list[str]
    counts: Array
    clusters: list[str]
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    duplicate: list[str] = field(default_factory=list)
    source: str = ""
    fingerprint: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The scores as results.json holds them."""
        return {
            "task": self.task,
            "benchmark_version": BENCHMARK_VERSION,
            "data": self.source,
            "score": self.metrics["score"],
            "metrics": self.metrics,
            "stderr": self.stderr,
            "n": self.n,
            "missing": self.missing,
            "unknown": self.unknown,
            "duplicate": self.duplicate,
            "parse_failure": self.metrics["parse_failure"],
        }


@dataclass
class TaskData:
    """A task of the catalogue with its examples.

    Attributes:
        examples: what is evaluated.
        train: all fully annotated training examples; the baselines learn from them.
        source: "mirror", "cache", or "embedded" (synthetic).
        fingerprint: of the raw files that were read; equal fingerprints mean equal data.
    """

    task: catalogue.Task
    examples: list[Example]
    train: list[Example]
    source: str
    fingerprint: str = ""

    @property
    def provenance(self) -> str:
        """ "mirror:1f00ba47c0de": where the data came from, and which data they are."""
        return f"{self.source}:{self.fingerprint}"

    @cached_property
    def family(self) -> Family[Any, Any]:
        return family_of(self.task)

    @cached_property
    def setting(self) -> Any:
        """What the family's functions need to know of the task; see `Family.setting`."""
        return self.family.setting(self.task, self.examples)

    @property
    def texts_withheld(self) -> bool:
        """Whether the task's texts may not be passed on: any licence but one that clearly allows it, or a gate."""
        dataset = catalogue.dataset(self.task.dataset)
        return not dataset.commercial or dataset.access != "open"

    @cached_property
    def by_id(self) -> dict[str, Example]:
        """The evaluated examples by id."""
        return {example.id: example for example in self.examples}

    @cached_property
    def clusters(self) -> list[str]:
        """The document of each example, or the example itself where upstream names no documents."""
        return [example.doc_id or example.id for example in self.examples]

    @cached_property
    def shots(self) -> list[Example]:
        """Up to `MAX_SHOTS` training examples, drawn once for all documents; k-shot prompts take the first k."""
        return draw_shots(self)

    @cached_property
    def metrics(self) -> dict[str, FamilyMetric]:
        """All metrics of the task by name: those of the family, then those of single labels."""
        return self.family.metrics(self.setting) | self.family.label_metrics(self.setting)

    def instruction(self) -> str:
        """What is asked, in front of all examples."""
        return self.family.instruction(self.setting)

    def prompt(self, example: Example) -> str:
        """One example as the model reads it."""
        return self.family.prompt(self.setting, example)

    def schema(self, example: Example) -> Schema:
        """The JSON schema of the answers to this example, for constrained decoding."""
        return self.family.schema(self.setting, example)

    def gold(self, example: Example) -> Answer:
        """The right answer in canonical form."""
        return self.family.gold(self.setting, example)

    def render(self, answer: Answer) -> str:
        """An answer in canonical form as a model should write it."""
        return self.family.render(self.setting, answer)

    def target(self, example: Example) -> str:
        """The right answer as a model should write it."""
        return self.render(self.gold(example))

    def parse(self, raw: str, example: Example) -> Answer | None:
        """The answer that a model wrote, in canonical form; None where there is none."""
        return self.family.parse(self.setting, raw, example)

    def is_answer(self, value: Any) -> bool:
        """Whether a decoded JSON value is an answer in canonical form."""
        return self.family.is_answer(value)

    def redact(self, example: Example, answer: Answer | None) -> Any:
        """The answer without the document's text (see `ita_med.tasks.families.redaction`); None stays None."""
        return None if answer is None else self.family.redact(self.setting, example, answer)

    def count(self, example: Example, answer: Answer | None) -> list[float]:
        """One row of counts; the family's `metrics` describes the columns."""
        return self.family.count(self.setting, example, answer)

    def headline(self, counts: Array) -> Array:
        """Numerator and denominator (…, 2) of the score, from counts (…, columns)."""
        return self.family.headline(self.setting, counts)

    def score(self, answers: dict[str, Answer | None]) -> Scores:
        """Score answers by example id; an absent answer counts as wrong and as missing."""
        counts = np.array([self.count(e, answers.get(e.id)) for e in self.examples], dtype=float)
        values, errors = evaluate(self.metrics, counts, self.clusters)
        missing = [e.id for e in self.examples if e.id not in answers]
        unknown = [i for i in answers if i not in self.by_id]
        ids = [e.id for e in self.examples]
        return Scores(
            self.task.id, len(ids), values, errors, ids, counts, self.clusters, missing, unknown,
            source=self.source, fingerprint=self.fingerprint,
        )  # fmt: skip


def load(name: str, mirror: str | None = None) -> TaskData:
    """A task and its data from the mirror, the cache or the network.

    Where neither a mirror is named nor anything was ever pulled, the embedded synthetic sample is used, for all
    tasks alike: real and synthetic data never meet in one run.
    """
    task = catalogue.task(name)
    if task.status != "ready":
        raise ItaMedError(f"{task.id}: planned, not built yet")
    mirror = sources.or_sample(mirror)
    files = build.open_files(task.dataset, mirror)
    shot_config, shot_split = task.shots.split("/")
    views = {
        (config, split): group
        for config, split, group in build.examples(task.dataset, sorted({task.config, shot_config}), files=files)
    }
    if (task.config, task.eval_split) not in views:
        there = ", ".join(sorted(split for config, split in views if config == task.config))
        raise ItaMedError(f'{task.id}: {task.dataset}/{task.config} has no split "{task.eval_split}", only {there}')
    train = [e for e in views.get((shot_config, shot_split), []) if not e.meta.get("not_annotated")]
    fingerprint = checksums.folder_digest(files.seen, "")[:12]
    return TaskData(task, views[task.config, task.eval_split], train, files.kind, fingerprint)


def draw_shots(data: TaskData) -> list[Example]:
    """Up to `MAX_SHOTS` training examples, the same for every document and every run.

    Three of four hold something to find (a model shown only empty answers learns to answer nothing), the longest
    third is left out (eight whole documents would fill a small model's context), and no shot repeats an evaluated text.
    """
    evaluated = {data.prompt(example) for example in data.examples}
    pool = [example for example in data.train if data.prompt(example) not in evaluated]
    rng = random.Random(f"{SHOTS_SEED} {data.task.id}")
    filled = _short([example for example in pool if any(data.gold(example).values())], data, rng)
    empty = _short([example for example in pool if not any(data.gold(example).values())], data, rng)
    drawn: list[Example] = []
    while len(drawn) < MAX_SHOTS and (filled or empty):
        wanted = empty if len(drawn) % 4 == 2 else filled
        drawn.append((wanted or filled or empty).pop(0))
    return drawn


def _short(examples: list[Example], data: TaskData, rng: random.Random) -> list[Example]:
    """The shorter two thirds (but at least `MAX_SHOTS`), shuffled."""
    by_length = sorted(examples, key=lambda e: (len(data.prompt(e)) + len(data.target(e)), e.id))
    kept = by_length[: max(2 * len(examples) // 3, MAX_SHOTS)]
    rng.shuffle(kept)
    return kept


def available(names: Iterable[str], mirror: str | None = None) -> tuple[list[TaskData], dict[str, str]]:
    """The tasks whose data can be loaded, and for the others the reason why not."""
    loaded, why = [], {}
    for name in names:
        try:
            loaded.append(load(name, mirror))
        except ItaMedError as error:
            why[name] = str(error)
    return loaded, why
