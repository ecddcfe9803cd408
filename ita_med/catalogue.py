"""The catalogue: every known public Italian medical dataset and the tasks, read from catalogue.toml.

The table is checked whenever it is read: a wrong row is one error that names it. The template rows at the top of
catalogue.toml say what each key means.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from ita_med import settings
from ita_med.errors import ItaMedError
from ita_med.licence_table import LICENCES, is_commercial, unknown_names

FamilyWord = Literal["ner", "re", "crf", "qa", "arg"]
FAMILIES: tuple[FamilyWord, ...] = get_args(FamilyWord)
"""What tasks ask for; how they ask, `ita_med.tasks.families.registry` knows."""
Status = Literal["ready", "unverified", "unavailable", "planned"]
Access = Literal["open", "gated", "on request", "not stated"]
Origin = Literal["native", "machine-translated", "projected", "silver", "synthetic", "not stated"]
Distribution = Literal["id", "ood"]

MAY_BE_EMPTY = ("source", "reason", "ask")


@dataclass(frozen=True)
class Dataset:
    """One row of the catalogue; the meaning of each key is explained at the top of catalogue.toml."""

    id: str
    name: str
    families: list[Literal[FamilyWord, "corpus"]]
    status: Status
    licence: str
    commercial: bool
    access: Access
    origin: Origin
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
    """One task of the benchmark; the meaning of each key is explained at the top of catalogue.toml."""

    id: str
    dataset: str
    config: str
    family: FamilyWord
    distribution: Distribution
    status: Status
    eval_split: str
    shots: str
    max_gen_toks: int
    headline: str
    title: str


CatalogueRow = TypeVar("CatalogueRow", Dataset, Task)


@dataclass(frozen=True)
class Catalogue:
    """All rows by their ids, in the order of the file."""

    datasets: dict[str, Dataset]
    tasks: dict[str, Task]


# ----- reading -------------------------------------------------------------------------------------------------------


@cache
def _catalogue() -> Catalogue:
    path = Path(__file__).parent / "catalogue.toml"
    return parse(path.read_text("utf-8"), path.name)


def parse(text: str, file: str) -> Catalogue:
    """Read and check a catalogue.

    Args:
        text: TOML with tables [[dataset]] and [[task]].
        file: Its name, for messages.

    Raises:
        ItaMedError: No TOML, or a row that is wrong; one line that names the row by its id.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ItaMedError(f"{file} is no TOML ({error})") from error
    if odd := [name for name in raw if name not in ("dataset", "task")]:
        raise ItaMedError(f"{file}: unknown table [[{odd[0]}]]; known: [[dataset]], [[task]]")
    datasets = _read(Dataset, raw.get("dataset", []), f"{file}, dataset", _dataset_problems)
    return Catalogue(
        datasets, _read(Task, raw.get("task", []), f"{file}, task", lambda row: _task_problems(row, datasets))
    )


def _read(
    kind: type[CatalogueRow], rows: list[Any], where: str, problems: Callable[[CatalogueRow], Iterable[str]]
) -> dict[str, CatalogueRow]:
    found: dict[str, CatalogueRow] = {}
    raw: Any
    for number, raw in enumerate(rows, 1):
        here = f"{where} {raw['id'] if isinstance(raw, dict) and 'id' in raw else number}"
        row: CatalogueRow = settings.read(kind, raw, here)
        if row.id in found:
            raise ItaMedError(f"{here}: there is another row with this id")
        for problem in (*_text_problems(raw), *problems(row)):
            raise ItaMedError(f"{here}: {problem}")
        found[row.id] = row
    return found


def _text_problems(raw: dict[str, Any]) -> Iterable[str]:
    for key, value in raw.items():
        if not isinstance(value, str):
            continue
        if not value and key not in MAY_BE_EMPTY:
            yield f"{key} is empty"
        if value != value.strip() or not value.isprintable():
            yield f"{key} has space around it, a line break or a control character"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", raw["id"]):
        yield "id is made of lower-case letters, digits and _, as the name of a Python package"


def _dataset_problems(row: Dataset) -> Iterable[str]:
    if not row.families or len(set(row.families)) < len(row.families):
        yield "families names each family once, and one at least"
    for name in unknown_names(row.licence):
        yield (
            f'licence "{name}" is not known; write it as one of {", ".join(LICENCES)}, '
            "or add it to ita_med/licence_table.py"
        )
    if row.commercial and not is_commercial(row.licence):
        yield f"commercial is true, but its licence does not clearly allow it: {row.licence}"
    if not row.homepage.startswith("https://"):
        yield f'homepage is "{row.homepage}", expected https://…'
    if not (bool(row.reason) == bool(row.ask) == (row.status == "unavailable")):
        yield 'reason and ask go with the status "unavailable", and with no other'


def _task_problems(row: Task, datasets: dict[str, Dataset]) -> Iterable[str]:
    of = datasets.get(row.dataset)
    if of is None:
        close = get_close_matches(row.dataset, datasets, n=1)
        hint = f', did you mean "{close[0]}"?' if close else ""
        yield f'no dataset is called "{row.dataset}"{hint}'
    elif row.family not in of.families:
        yield f'its family "{row.family}" is none of the dataset {of.id}: {", ".join(of.families)}'
    elif row.status == "ready" and not of.has_builder:
        yield f"it is ready, but its dataset {of.id} is {of.status}"
    if row.shots.count("/") != 1 or row.shots.startswith("/") or row.shots.endswith("/"):
        yield f'shots is "{row.shots}", expected CONFIG/SPLIT'
    if row.shots == f"{row.config}/{row.eval_split}":
        yield f"shots and evaluation are the same split, {row.shots}"
    if row.max_gen_toks < 1:
        yield f"max_gen_toks is {row.max_gen_toks}, expected at least 1"


# ----- looking up ----------------------------------------------------------------------------------------------------


def datasets() -> list[Dataset]:
    """All datasets in the order of the catalogue."""
    return list(_catalogue().datasets.values())


def tasks(*, ready: bool = False) -> list[Task]:
    """All tasks in benchmark order, or only those that can be run today."""
    return [task for task in _catalogue().tasks.values() if not ready or task.status == "ready"]


def dataset(name: str) -> Dataset:
    """The dataset with that id."""
    return _find(name, _catalogue().datasets, "dataset", "ita-med data list")


def task(name: str) -> Task:
    """The task with that id; the prefix `ita_med_` may be left out."""
    names = _catalogue().tasks
    return _find(
        name if name in names else f"ita_med_{name.removeprefix('ita_med_')}", names, "task", "ita-med tasks list"
    )


def _find(name: str, table: dict[str, CatalogueRow], kind: str, command: str) -> CatalogueRow:
    if name not in table:
        close = get_close_matches(name.lower(), table, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise ItaMedError(f'no {kind} is called "{name}"{hint} ("{command}" shows all)')
    return table[name]
