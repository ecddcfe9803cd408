"""`ita-med report`: the paper's table of one or more runs, with intervals and paired tests, in several formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.tasks.report import as_csv, as_html, as_latex, as_markdown, as_records, as_text, reference
from ita_med.tasks.report.compare import compare
from ita_med.tasks.report.rows import LIMITED_NOTE, SYNTHETIC_NOTE, RunRow, check_comparable, find, read_run, read_runs
from ita_med.tasks.report.tables import RunReport

__all__ = ["LIMITED_NOTE", "SYNTHETIC_NOTE", "RunReport", "RunRow", "as_dict", "build", "read_run", "render", "text"]

FORMATS = ("text", "markdown", "latex", "csv", "html", "json")


def build(
    folders: list[Path],
    *,
    baseline: str | None = None,
    mirror: str | None = None,
    parts: list[str] | None = None,
    with_reference: bool = False,
) -> RunReport:
    """Read, check, re-score and compare runs; the first is the baseline if none is named."""
    rows = read_runs(folders)
    chosen = find(rows, baseline) if baseline is not None else 0
    check_comparable(rows)
    comparison = compare(rows, chosen, mirror) if rows else None
    report = RunReport(rows, comparison, chosen, reference=reference.load() if with_reference else None)
    if parts:
        report.parts = parts
    return report


def render(report: RunReport, form: str) -> str:
    """The report in one of `FORMATS`, ending with a line break."""
    if form == "json":
        import orjson

        return orjson.dumps(as_records.render(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    writers = {
        "text": as_text.render, "markdown": as_markdown.render, "latex": as_latex.render, "csv": as_csv.render,
        "html": as_html.render,
    }  # fmt: skip
    if form not in writers:
        raise ItaMedError(f'no format is called "{form}"; there are {", ".join(FORMATS)}')
    return writers[form](report).rstrip("\n") + "\n"


def text(rows: list[RunRow]) -> str:
    """Plain results of runs as they are stored, without intervals and tests."""
    return as_text.render(RunReport(rows))


def as_dict(rows: list[RunRow]) -> dict[str, Any]:
    """Plain results as a dictionary ready for JSON; see as_records."""
    return as_records.render(RunReport(rows))
