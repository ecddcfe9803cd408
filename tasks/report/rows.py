"""Runs to report on: submission folders, read and checked against each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.tasks.families.registry import FAMILIES
from ita_med.tasks.scoring.metrics import average, family_means
from ita_med.text import visible

COLUMNS = {name: name.upper() for name in FAMILIES}
"""Family -> the head of its column."""
PARTS = {"all": "All tasks", "id": "In distribution (ID)", "ood": "Out of distribution (OOD)"}
SYNTHETIC_NOTE = "SYNTHETIC SAMPLE DATA: these numbers say nothing about real clinical text."
LIMITED_NOTE = "LIMITED RUN: only some documents were answered; not comparable, not for submission."


@dataclass
class RunRow:
    """One run.

    Attributes:
        name, method: the model, and how it was asked.
        scores, errors: by task, in points (0–100); errors are standard errors.
        notes: what every reader must know.
        folder: the submission folder.
        version: of the benchmark.
        documents: evaluated examples by task.
        data: provenance by task.
        seconds: wall time of the run, if it is known.
    """

    name: str
    method: str
    scores: dict[str, float]
    errors: dict[str, float]
    notes: list[str]
    folder: Path = Path()
    version: str = ""
    synthetic: bool = False
    limited: bool = False
    documents: dict[str, int] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def label(self) -> str:
        return f"{self.name} {self.method}"

    def part(self, part: str) -> dict[str, float]:
        """The scores of the tasks of a part."""
        return {t: s for t, s in self.scores.items() if in_part(t, part)}

    def families(self, part: str) -> dict[str, float]:
        """The family means of a part."""
        return means(self.part(part))

    def partial(self, part: str) -> bool:
        """Whether tasks of the part are missing of those that can be run."""
        return any(in_part(task.id, part) and task.id not in self.scores for task in catalogue.tasks(ready=True))

    def average(self, part: str) -> float | None:
        """AVG, only of complete runs and where all five families have tasks."""
        found = self.families(part)
        return average(found) if len(found) == len(COLUMNS) and not self.partial(part) else None

    def family_error(self, family: str) -> float:
        """Standard error of a family mean, its tasks taken as independent."""
        errors = [error for task, error in self.errors.items() if catalogue.task(task).family == family]
        return sum(error**2 for error in errors) ** 0.5 / len(errors) if errors else 0.0


def in_part(task: str, part: str) -> bool:
    """Whether a task belongs to a part of the report ("all", "id", "ood")."""
    return part == "all" or catalogue.task(task).distribution == part


def families_of(tasks: list[str]) -> dict[str, str]:
    """Task -> its family."""
    return {task: catalogue.task(task).family for task in tasks}


def means(scores: dict[str, float]) -> dict[str, float]:
    """Family means of scores by task."""
    return family_means(scores, families_of(list(scores)))


def read_run(folder: Path) -> RunRow:
    """The results and manifest of a submission folder."""
    results, manifest = (_read_json(folder / name) for name in ("results.json", "manifest.json"))
    try:
        tasks: dict[str, Any] = results["tasks"]
        return RunRow(
            visible(manifest["model"]),
            visible(manifest["method"]),
            {catalogue.task(task).id: 100 * r["score"] for task, r in tasks.items()},
            {task: 100 * r["stderr"]["score"] for task, r in tasks.items()},
            [SYNTHETIC_NOTE] * results["synthetic"] + [LIMITED_NOTE] * results["limited"],
            folder,
            str(results["benchmark_version"]),
            results["synthetic"],
            results["limited"],
            {task: r["n"] for task, r in tasks.items()},
            {task: str(place) for task, place in manifest.get("data", {}).items()},
            _seconds(manifest),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ItaMedError(
            f"{folder}: results.json or manifest.json is not as ita-med eval writes it ({error})"
        ) from error


def _read_json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ItaMedError(f"{path.parent} is no run of ita-med eval: {path.name} is missing") from error
    except orjson.JSONDecodeError as error:
        raise ItaMedError(f"{path.parent}: {path.name} is not JSON ({error})") from error


def _seconds(manifest: dict[str, Any]) -> float | None:
    seconds = manifest.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None


def read_runs(folders: list[Path]) -> list[RunRow]:
    """All runs; where two have the same model and method, the folder's name is added to the method."""
    repeated = [str(folder) for folder, n in Counter(folder.resolve() for folder in folders).items() if n > 1]
    if repeated:
        raise ItaMedError(f"{repeated[0]} is named twice")
    rows = [read_run(folder) for folder in folders]
    labels = Counter(row.label for row in rows)
    for row in rows:
        if labels[row.label] > 1:
            row.method += f" [{visible(row.folder.name)}]"
    return rows


def find(rows: list[RunRow], name: str) -> int:
    """Which run is meant: by folder, its name, model, method, or model and method."""
    for key in (
        lambda row: {str(row.folder), row.folder.name, row.label},
        lambda row: {row.name},
        lambda row: {row.method},
    ):
        found = [n for n, row in enumerate(rows) if name in key(row)]
        if len(found) == 1:
            return found[0]
    known = ", ".join(f'"{row.folder.name}"' for row in rows)
    raise ItaMedError(f'no single run is called "{name}"; the runs are {known}')


def check_comparable(rows: list[RunRow]) -> None:
    """Refuse runs that were not scored on the same documents by the same version of the benchmark."""
    for row in rows[1:]:
        pair = f"{rows[0].folder} and {row.folder} cannot be compared"
        if row.version != rows[0].version:
            raise ItaMedError(
                f"{pair}: benchmark versions {rows[0].version} and {row.version}; score both again with ita-med score"
            )
        if row.synthetic != rows[0].synthetic:
            raise ItaMedError(f"{pair}: one was run on the synthetic sample, the other on real data")
    for n, row in enumerate(rows):
        for other in rows[:n]:
            for task in other.scores.keys() & row.scores.keys():
                _check_task(other, row, task)


def _check_task(a: RunRow, b: RunRow, task: str) -> None:
    pair = f"{a.folder} and {b.folder} cannot be compared on {task}"
    if fingerprint(a, task) != fingerprint(b, task):
        raise ItaMedError(f"{pair}: their data differ ({a.data[task]} and {b.data[task]}); run one of them again")
    if a.documents[task] != b.documents[task]:
        raise ItaMedError(f"{pair}: {a.documents[task]:,} and {b.documents[task]:,} documents; run both alike")


def fingerprint(row: RunRow, task: str) -> str:
    """The fingerprint of the data on which a run was scored, "" if it does not say."""
    return row.data.get(task, "").partition(":")[2]
