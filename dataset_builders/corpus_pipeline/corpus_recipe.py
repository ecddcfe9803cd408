"""The settings of a corpus build: which steps run, and with which thresholds. A recipe file is YAML with these keys."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from ita_med.dataset_builders.same_text import CONTAINED, MAX_DOCUMENTS, SEQUENCE
from ita_med.errors import ItaMedError


@dataclass(frozen=True)
class NormaliseSettings:
    """fold_white_space: every run of white space becomes one space, also line ends."""

    on: bool = True
    fold_white_space: bool = False


@dataclass(frozen=True)
class LanguageSettings:
    on: bool = True


@dataclass(frozen=True)
class QualitySettings:
    """Thresholds for terse clinical notes; shares are of the characters that are no white space.

    repeated_lines: share of the text that lies in lines that occurred before, for texts of ten lines and more.
    unbroken: share of the text in words of more than 40 characters.
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
    max_documents 0: every shared n-gram counts, boilerplate or not.
    training: labelled training documents are looked for too; they are reported, and nothing is removed for them.
    """

    on: bool = True
    words: int = SEQUENCE
    max_documents: int = MAX_DOCUMENTS
    min_share: float = CONTAINED
    training: bool = True


@dataclass(frozen=True)
class PersonalDataSettings:
    """model: an installed spaCy model that finds names (label PER), beside the patterns and given names.

    threshold: a find with a lower score is left.
    """

    on: bool = True
    model: str = ""
    threshold: float = 0.4


@dataclass(frozen=True)
class OutputSettings:
    """format: "parquet" (zstd) or "jsonl.zst"."""

    format: str = "parquet"


@dataclass(frozen=True)
class CorpusRecipe:
    """slurm, ray: options handed to datatrove's executors as they are ({"partition": …, "time": …})."""

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
    """A recipe file; what it leaves out keeps its default."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text("utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ItaMedError(f"{path}: not a YAML file ({error})") from error
    recipe: CorpusRecipe = _fill(CorpusRecipe, values, f"{path}")
    if recipe.output.format not in ("parquet", "jsonl.zst"):
        raise ItaMedError(f'{path}: output.format is "{recipe.output.format}", expected parquet or jsonl.zst')
    return recipe


def _fill(cls: type, values: Any, where: str) -> Any:
    names = [f.name for f in fields(cls)]
    if not isinstance(values, dict) or (odd := [key for key in values if key not in names]):
        found = f'unknown key "{odd[0]}"' if isinstance(values, dict) else f"{type(values).__name__}"
        raise ItaMedError(f"{where}: {found}, expected {', '.join(names)}")
    kinds = get_type_hints(cls)
    return cls(**{name: _value(kinds[name], value, f"{where}: {name}") for name, value in values.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _fill(kind, {"on": value} if isinstance(value, bool) else value, where)  # type: ignore[arg-type]
    if kind is float and type(value) is int:
        return float(value)
    expected = kind if isinstance(kind, type) else dict
    if type(value) is not expected:
        raise ItaMedError(f"{where} is {value!r}, expected {expected.__name__}")
    return value
