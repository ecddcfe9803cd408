"""What a reader of the ranking asked to see, read from the address. Filters hide rows and never rank anew."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from starlette.datastructures import QueryParams

from ita_med import catalogue
from ita_med.leaderboard.results.ranking import SCALES, BoardRow
from ita_med.leaderboard.submissions.submission import MODEL_TYPES
from ita_med.tasks.report.rows import COLUMNS, PARTS
from ita_med.version import BENCHMARK_VERSION

SIZES = (200, 500, 1000, 2000, 4000, 8000, 16000, 40000)
"""Millions of parameters that the form offers; an address may hold any number."""
TRAINED = ("none", "some", "ood")
PROVENANCES = ("re-scored", "reproduced")
NOT_STATED = "-"
LONGEST = 100


@dataclass(frozen=True)
class Filters:
    """What a reader asked to see of the ranking; an empty value filters nothing.

    Attributes:
        part: "all", "id" or "ood".
        scale: "raw" or "normalised".
        version: Of the benchmark.
        min_parameters: In millions.
        max_parameters: In millions.
        open_weights: Only systems whose weights anybody can get.
        licence: Of the model; `NOT_STATED` for none.
        model_type: One of `MODEL_TYPES`.
        method: As "zero-shot".
        trained_on: One of `TRAINED`.
        provenance: One of `PROVENANCES`.
        q: Words that model, user or method must hold.
        tasks: Families whose task columns are shown.
    """

    part: str = "all"
    scale: str = "raw"
    version: str = BENCHMARK_VERSION
    min_parameters: float = 0.0
    max_parameters: float = 0.0
    open_weights: bool = False
    licence: str = ""
    model_type: str = ""
    method: str = ""
    trained_on: str = ""
    provenance: str = ""
    q: str = ""
    tasks: tuple[str, ...] = field(default=())

    def query(self) -> dict[str, str | list[str]]:
        """The query of this view's address, without what has its usual value."""
        plain = Filters()
        found: dict[str, str | list[str]] = {}
        for name, value in vars(self).items():
            if value == getattr(plain, name):
                continue
            found[name] = (
                list(value) if isinstance(value, tuple) else "1" if value is True else f"{value:.10g}"
                if isinstance(value, float) else value
            )  # fmt: skip
        return found

    @property
    def any_more(self) -> bool:
        """Whether anything is set that the form shows only when it is opened."""
        return bool(self.query().keys() - {"part", "scale", "q"})

    def keep(self, row: BoardRow) -> bool:
        """Whether a row matches all filters."""
        return all((
            not self.min_parameters or row.parameters >= self.min_parameters,
            not self.max_parameters or 0 < row.parameters <= self.max_parameters,
            not self.open_weights or row.open_weights,
            not self.licence or row.licence == ("" if self.licence == NOT_STATED else self.licence),
            self.model_type in ("", row.model_type),
            self.method in ("", row.method),
            self.provenance in ("", row.provenance),
            not self.trained_on or trained(row, self.trained_on),
            all(word in f"{row.model} {row.user} {row.method}".casefold() for word in self.q.casefold().split()),
        ))  # fmt: skip


def trained(row: BoardRow, how: str) -> bool:
    """Whether a system declares to be trained on no task of the benchmark, on some, or on an OOD one.

    Args:
        row: The system.
        how: One of `TRAINED`: "none", "some" or "ood".
    """
    if how == "ood":
        return bool(contaminated(row))
    return bool(row.trained_on) == (how == "some")


def contaminated(row: BoardRow) -> list[str]:
    """The OOD tasks that a system declares to be trained on."""
    return [task for task in row.trained_on if catalogue.task(task).distribution == "ood"]


def read(query: QueryParams) -> Filters:
    """The filters that an address asks for; values that make no sense are ignored."""

    def one_of(name: str, allowed: object, default: str = "") -> str:
        value = query.get(name, default)
        return value if value in allowed else default  # type: ignore[operator]

    version = query.get("version", BENCHMARK_VERSION)
    return Filters(
        one_of("part", PARTS, "all"),
        one_of("scale", SCALES, "raw"),
        version if re.fullmatch(r"[0-9][0-9.]{0,15}", version) else BENCHMARK_VERSION,
        _number(query.get("min_parameters", "")),
        _number(query.get("max_parameters", "")),
        query.get("open_weights") == "1",
        query.get("licence", "")[:LONGEST],
        one_of("model_type", MODEL_TYPES),
        query.get("method", "")[:LONGEST],
        one_of("trained_on", TRAINED),
        one_of("provenance", PROVENANCES),
        " ".join(query.get("q", "")[:LONGEST].split()),
        tuple(family for family in COLUMNS if family in query.getlist("tasks")),
    )


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,3})?", text) else 0.0
