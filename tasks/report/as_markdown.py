"""The report as Markdown tables."""

from __future__ import annotations

import re

from ita_med.printing import markdown_table
from ita_med.tasks.report.tables import RunReport, Table, notes, once, tables


def render(report: RunReport) -> str:
    return page(once(tables(report)), notes(report))


def page(found: list[Table], first: list[str]) -> str:
    """Tables under the notes that every reader must know first."""
    parts = ["# ita-med", ""]
    parts += [line for note in first for line in (f"> **{escape(note)}**", "")]
    for table in found:
        parts += [f"## {escape(table.title)}", "", *_lines(table), ""]
        parts += [line for note in table.notes for line in (escape(note), "")]
    return "\n".join(parts).rstrip() + "\n"


def _lines(table: Table) -> list[str]:
    cells = [[escape(cell) for cell in line] for line in table.lines]
    return markdown_table(cells, right=range(table.left, len(cells[0])))


def escape(text: str) -> str:
    """The text with the signs escaped that Markdown or the HTML in it would read."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text).replace("&", "&amp;")
