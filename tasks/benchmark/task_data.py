"""A task with its data: evaluated examples, few-shot examples, prompts, and the scores of answers."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from ita_med import catalogue, checksums, sources
from ita_med.dataset_builders import build
from ita_med.errors import ItaMedError
from ita_med.schema import Example
from ita_med.tasks.families import choice, forms, relations, spans
from ita_med.tasks.families.json_schema import Schema
from ita_med.tasks.scoring import metrics as m
from ita_med.version import BENCHMARK_VERSION

FAMILY_MODULES: dict[str, ModuleType] = {"ner": spans, "arg": spans, "re": relations, "crf": forms, "qa": choice}
MAX_SHOTS = 8
SHOTS_SEED = 0
Answer = dict[str, Any]


@dataclass
class Scores:
    """metrics and stderr: by name, "score" being the headline; counts: (examples, columns) in the order of `ids`."""

    task: str
    n: int
    metrics: dict[str, float]
    stderr: dict[str, float]
    ids: list[str]
    counts: m.Array
    clusters: list[str]
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    duplicate: list[str] = field(default_factory=list)
    source: str = ""
    fingerprint: str = ""

    def as_dict(self) -> dict[str, Any]:
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

    examples: what is evaluated; shots: up to `MAX_SHOTS` training examples, drawn once for all documents, of which
    k-shot prompts take the first k; train: all fully annotated training examples (the baselines learn from them).
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
    def module(self) -> ModuleType:
        return FAMILY_MODULES[self.task.family]

    @cached_property
    def setting(self) -> Any:
        return self.module.setting(self.task, self.examples)

    @cached_property
    def by_id(self) -> dict[str, Example]:
        return {example.id: example for example in self.examples}

    @cached_property
    def clusters(self) -> list[str]:
        """The document of each example, or the example itself where upstream names no documents."""
        return [example.doc_id or example.id for example in self.examples]

    @cached_property
    def shots(self) -> list[Example]:
        return draw_shots(self)

    @cached_property
    def metrics(self) -> dict[str, m.Metric]:
        found: dict[str, m.Metric] = self.module.metrics(self.setting)
        return found

    def instruction(self) -> str:
        text: str = self.module.instruction(self.setting)
        return text

    def prompt(self, example: Example) -> str:
        text: str = self.module.prompt(self.setting, example)
        return text

    def schema(self, example: Example) -> Schema:
        """The JSON schema of the answers to this example, for constrained decoding."""
        found: Schema = self.module.schema(self.setting, example)
        return found

    def gold(self, example: Example) -> Answer:
        answer: Answer = self.module.gold(self.setting, example)
        return answer

    def render(self, answer: Answer) -> str:
        text: str = self.module.render(self.setting, answer)
        return text

    def target(self, example: Example) -> str:
        """The right answer as a model should write it."""
        return self.render(self.gold(example))

    def parse(self, raw: str, example: Example) -> Answer | None:
        answer: Answer | None = self.module.parse(self.setting, raw, example)
        return answer

    def is_answer(self, value: Any) -> bool:
        return bool(self.module.is_answer(value))

    def count(self, example: Example, answer: Answer | None) -> list[float]:
        row: list[float] = self.module.count(self.setting, example, answer)
        return row

    def headline(self, counts: m.Array) -> m.Array:
        """Numerator and denominator (…, 2) of the score, from counts (…, columns)."""
        parts: m.Array = self.module.headline(self.setting, counts)
        return parts

    def score(self, answers: dict[str, Answer | None]) -> Scores:
        """Score answers by example id; an absent answer counts as wrong and as missing."""
        counts = np.array([self.count(e, answers.get(e.id)) for e in self.examples], dtype=float)
        values, errors = m.evaluate(self.metrics, counts, self.clusters)
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
