"""The settings of a corpus build: which steps run, and with which thresholds. A recipe file is YAML with these keys."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ita_med import settings
from ita_med.dataset_builders.same_text import CONTAINED, MAX_DOCUMENTS, SEQUENCE
from ita_med.errors import ItaMedError


@dataclass(frozen=True)
class NormaliseSettings:
    """The first step. With `fold_white_space` every run of white space becomes one space, line ends too."""

    on: bool = True
    fold_white_space: bool = False


@dataclass(frozen=True)
class LanguageSettings:
    """Whether texts that are not Italian go."""

    on: bool = True


@dataclass(frozen=True)
class QualitySettings:
    """Thresholds for terse clinical notes; shares are of the characters that are no white space.

    Attributes:
        min_letters: A text with fewer letters goes.
        letters: The least share of letters.
        symbols: The highest share of signs that no clinical note needs.
        repeated_lines: The highest share of text in lines that occurred before, for texts of ten lines and more.
        unbroken: The highest share of text in words of more than 40 characters.
        broken_encoding: The highest share of replacement characters.
    """

    on: bool = True
    min_letters: int = 8
    letters: float = 0.25
    symbols: float = 0.2
    repeated_lines: float = 0.6
    unbroken: float = 0.3
    broken_encoding: float = 0.05


@dataclass(frozen=True)
class ExactSettings:
    """Whether texts that equal an earlier one go."""

    on: bool = True


@dataclass(frozen=True)
class MinHashSettings:
    """As in datatrove's defaults: similarity (1 / bands) ** (1 / rows) = 0.72 over word n-grams."""

    on: bool = True
    words: int = 5
    bands: int = 14
    rows: int = 8
    seed: int = 1


@dataclass(frozen=True)
class DecontaminateSettings:
    """A document is removed if it shares an n-gram that at most `max_documents` documents of the corpus hold, or holds
    at least `min_share` of an evaluation document's n-grams.

    A phrase that many documents share is boilerplate, not a leak (the rule of Brown et al. 2020, appendix C, with
    their 10 documents and 13 words). Words are compared by the rule of `ita_med.dataset_builders.same_text`.

    Attributes:
        words: n of the n-grams.
        max_documents: 0 makes every shared n-gram count, boilerplate or not.
        min_share: Of an evaluation document's n-grams.
        training: Look for labelled training documents too; they are reported, and nothing is removed for them.
    """

    on: bool = True
    words: int = SEQUENCE
    max_documents: int = MAX_DOCUMENTS
    min_share: float = CONTAINED
    training: bool = True


@dataclass(frozen=True)
class PersonalDataSettings:
    """Which finds become placeholders.

    Attributes:
        model: An installed spaCy model that finds names (label PER), beside the patterns and given names.
        threshold: What is found with a lower score is left.
    """

    on: bool = True
    model: str = ""
    threshold: float = 0.4


@dataclass(frozen=True)
class OutputSettings:
    """The shards: `format` is "parquet" (zstd) or "jsonl.zst"."""

    format: str = "parquet"


@dataclass(frozen=True)
class CorpusRecipe:
    """All settings; `slurm` and `ray` are handed to datatrove's executors as they are ({"partition": …, "time": …})."""

    normalise: NormaliseSettings = NormaliseSettings()
    language: LanguageSettings = LanguageSettings()
    quality: QualitySettings = QualitySettings()
    exact: ExactSettings = ExactSettings()
    minhash: MinHashSettings = MinHashSettings()
    decontaminate: DecontaminateSettings = DecontaminateSettings()
    personal_data: PersonalDataSettings = PersonalDataSettings()
    output: OutputSettings = OutputSettings()
    slurm: dict[str, Any] = field(default_factory=dict)
    ray: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What the result depends on: everything but the executors' options."""
        return {name: value for name, value in asdict(self).items() if name not in ("slurm", "ray")}


def read_recipe(path: Path) -> CorpusRecipe:
    """A recipe file; what it leaves out keeps its default. `STEP: false` switches a step off."""
    values = settings.read_yaml(path)
    short = {name: {"on": value} for name, value in values.items() if isinstance(value, bool)}
    recipe: CorpusRecipe = settings.read(CorpusRecipe, values | short, str(path))
    if recipe.output.format not in ("parquet", "jsonl.zst"):
        raise ItaMedError(f'{path}: output.format is "{recipe.output.format}", expected parquet or jsonl.zst')
    return recipe
