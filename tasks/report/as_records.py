"""The report for programs."""

from __future__ import annotations

import dataclasses
from typing import Any

from ita_med.tasks.report.compare import Comparison, Pair
from ita_med.tasks.report.rows import RunRow
from ita_med.tasks.report.tables import RunReport, notes


def render(report: RunReport) -> dict[str, Any]:
    """runs, and where they were compared `pairs` (first minus second) by part; all in points but the p-values."""
    out: dict[str, Any] = {
        "notes": notes(report),
        "runs": [_run(report, n, row) for n, row in enumerate(report.rows)],
    }
    if report.comparison and len(report.rows) > 1:
        pairs = report.comparison.pairs
        out["baseline"] = report.rows[report.baseline].label
        out["pairs"] = {part: [_pair(report, pair) for pair in pairs[part]] for part in report.shown}
    if report.reference:
        out["reference"] = dataclasses.asdict(report.reference)
    return out


def _run(report: RunReport, n: int, row: RunRow) -> dict[str, Any]:
    found: dict[str, Any] = {
        "model": row.name,
        "method": row.method,
        "notes": row.notes,
        "seconds": row.seconds,
        "parts": {
            part: {"families": row.families(part), "avg": row.average(part), "partial": row.partial(part)}
            for part in report.shown
            if row.part(part)
        },
        "tasks": row.scores,
        "stderr": row.errors,
    }
    if report.comparison:
        found["intervals"] = {name: x for (k, name), x in report.comparison.intervals.items() if k == n}
        found["against_baseline"] = _against_baseline(report.comparison, n)
    return found


def _against_baseline(comparison: Comparison, n: int) -> dict[str, Any]:
    """Interval and corrected p of the difference, by task."""
    cells = {task: p for (k, task), p in comparison.task_p.items() if k == n}
    return {task: {"interval": comparison.task_delta.get((n, task)), "p_holm": p} for task, p in cells.items()}


def _pair(report: RunReport, pair: Pair) -> dict[str, Any]:
    labels = {"first": report.rows[pair.first].label, "second": report.rows[pair.second].label}
    return dataclasses.asdict(pair) | labels
