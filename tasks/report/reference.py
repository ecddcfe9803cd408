"""Rows that others published, shown beside ours as data: never ranked or averaged with them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ita_med.tasks.families.registry import FAMILIES

FILE = Path(__file__).parents[1] / "reference.toml"


@dataclass(frozen=True)
class ReferenceRow:
    """One printed row, in points; delta against the table's baseline and its significance mark where it prints them."""

    model: str
    method: str
    families: dict[str, float]
    avg: float
    delta: float | None = None
    p: str = ""


@dataclass(frozen=True)
class Reference:
    source: str
    caption: str
    caption_it: str
    baseline: str
    caveats: list[str]
    rows: list[ReferenceRow] = field(default_factory=list)


def load() -> Reference:
    """The table of tasks/reference.toml."""
    table: dict[str, Any] = tomllib.loads(FILE.read_text("utf-8"))
    rows = [
        ReferenceRow(
            row["model"], row["method"], {name: row[name] for name in FAMILIES if name in row}, row["avg"],
            row.get("delta"), row.get("p", ""),
        )
        for row in table.pop("row")
    ]  # fmt: skip
    return Reference(rows=rows, **table)
