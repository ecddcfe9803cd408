"""The catalogue: every known public Italian medical dataset and the 20 tasks, read from catalogue.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TypeVar

from ita_med.errors import ItaMedError

FAMILIES = {
    "ner": "Entità",
    "re": "Relazioni",
    "crf": "Schede (CRF)",
    "qa": "Domande",
    "arg": "Argomentazione",
}
"""Task families in the order of the report, with the Italian names that users see."""


@dataclass(frozen=True)
class Dataset:
    """One row of the catalogue; the meaning of each field is explained at the top of catalogue.toml."""

    id: str
    name: str
    families: list[str]
    status: str
    licence: str
    commercial: bool
    access: str
    origin: str
    size: str
    homepage: str
    source: str
    citation: str
    note: str
    reason: str = ""
    ask: str = ""

    @property
    def has_builder(self) -> bool:
        return self.status in ("ready", "unverified")


@dataclass(frozen=True)
class Task:
    """shots: "CONFIG/SPLIT" of the same dataset from which few-shot examples are drawn; max_gen_toks: tokens that an
    answer may have."""

    id: str
    dataset: str
    config: str
    family: str
    distribution: str
    status: str
    eval_split: str
    shots: str
    max_gen_toks: int
    headline: str
    title: str


CatalogueRow = TypeVar("CatalogueRow", Dataset, Task)


@cache
def _tables() -> tuple[dict[str, Dataset], dict[str, Task]]:
    raw = tomllib.loads((Path(__file__).parent / "catalogue.toml").read_text("utf-8"))
    return (
        {row["id"]: Dataset(**row) for row in raw["dataset"]},
        {row["id"]: Task(**row) for row in raw["task"]},
    )


def datasets() -> list[Dataset]:
    return list(_tables()[0].values())


def tasks(*, ready: bool = False) -> list[Task]:
    """All 20 tasks in benchmark order, or only those that can be run today."""
    return [task for task in _tables()[1].values() if not ready or task.status == "ready"]


def dataset(name: str) -> Dataset:
    return _find(name, _tables()[0], "dataset", "ita-med data list")


def task(name: str) -> Task:
    """The task with that id; the prefix `ita_med_` may be left out."""
    names = _tables()[1]
    return _find(
        name if name in names else f"ita_med_{name.removeprefix('ita_med_')}", names, "task", "ita-med tasks list"
    )


def _find(name: str, table: dict[str, CatalogueRow], kind: str, command: str) -> CatalogueRow:
    if name not in table:
        close = get_close_matches(name.lower(), table, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise ItaMedError(f'no {kind} is called "{name}"{hint} ("{command}" shows all)')
    return table[name]
