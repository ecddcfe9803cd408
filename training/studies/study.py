"""A study: what is asked, from a YAML file or from options."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ita_med import settings
from ita_med.errors import ItaMedError

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
    """What a reader pays, in €; nothing is assumed.

    Attributes:
        small_hour: An hour of the machine of the small model.
        large_hour: An hour of the machine of the large model.
        large_million_input: A million tokens that a large model behind an API reads.
        large_million_output: A million tokens that it writes.
        example: The annotation of one training example.
        kwh: A kilowatt-hour, added where energy was measured.
    """

    small_hour: float = 0.0
    large_hour: float = 0.0
    large_million_input: float = 0.0
    large_million_output: float = 0.0
    example: float = 0.0
    kwh: float = 0.0


@dataclass
class Study:
    """What is asked of which models.

    Attributes:
        kind: One of `KINDS`.
        recipes: Names or YAML files.
        changes: KEY=VALUE as of --set, for all recipes.
        cpt: A recipe of continual pre-training (adaptation).
        cpt_changes: The same as `changes`, for that recipe.
        tasks: Those evaluated; default: what the recipes train on, for ood also their out-of-distribution neighbours.
        sizes: Training examples per task; "all" for every one.
        seeds: Of the trainings.
        methods: Some of `METHODS`; default: those that the kind is about.
        shots: Of the few-shot runs.
        constrained: Whether trained models are asked with constrained decoding.
        batch_size: Of the evaluation: a number, or "auto".
        limit: Only so many documents of a task are evaluated.
        metric: "score", or another of the task's metrics, such as f1_macro.
        runs: Submission folders made elsewhere, to be shown too.
        large: The same of large models.
        configs: "RUN=FOLDER", where a run's config.json and tokenizer lie.
        prices: What things cost.
    """

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
