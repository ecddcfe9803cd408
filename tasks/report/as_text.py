"""The report for a terminal."""

from __future__ import annotations

import textwrap

from ita_med.printing import aligned
from ita_med.tasks.report.tables import RunReport, notes, once, tables


def render(report: RunReport) -> str:
    parts = [line for note in notes(report) for line in (note, "")]
    for table in once(tables(report)):
        parts += [table.title, *aligned(table.lines, left=table.left)]
        parts += [
            line
            for note in table.notes
            for line in textwrap.wrap(note, 110, initial_indent="  ", subsequent_indent="  ")
        ]
        parts.append("")
    return "\n".join(parts).rstrip()
