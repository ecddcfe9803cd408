"""The report as one long CSV table: a line per run, part and measure (family, AVG or task)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from ita_med import catalogue
from ita_med.tasks.report.rows import COLUMNS
from ita_med.tasks.report.tables import RunReport

FIELDS = [
    "source", "part", "model", "method", "measure", "score", "low", "high", "delta", "delta_low", "delta_high",
    "p_holm", "wilcoxon_holm", "tasks", "partial", "synthetic", "limited",
]  # fmt: skip
"""Scores, intervals and differences in points; an empty field is unknown. `part` of a task: id or ood."""


def render(report: RunReport) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    for line in [*_runs(report), *_reference(report)]:
        writer.writerow({name: plain(value) for name, value in line.items()})
    return out.getvalue()


def _runs(report: RunReport) -> Iterator[dict[str, Any]]:
    for n, row in enumerate(report.rows):
        same = {"source": "ita-med", "model": row.name, "method": row.method}
        flags = {"synthetic": int(row.synthetic), "limited": int(row.limited)}
        for part in report.shown:
            known = {"part": part, "tasks": len(row.part(part)), "partial": int(row.partial(part)), **flags}
            for family, mean in row.families(part).items():
                where = report.interval(n, family) if part == "all" else None
                yield same | known | {"measure": COLUMNS[family], "score": mean} | _interval(where)
            average = same | known | {"measure": "AVG", "score": row.average(part)}
            yield average | _interval(report.interval(n, part)) | _delta(report, part, n)
        for task in report.tasks:
            if task in row.scores:
                part = catalogue.task(task).distribution
                p = report.comparison.task_p.get((n, task)) if report.comparison else None
                line = same | flags | {"part": part, "measure": task, "score": row.scores[task], "p_holm": p}
                yield line | _interval(report.interval(n, task)) | _task_delta(report, n, task)


def _interval(found: tuple[float, float] | None) -> dict[str, float]:
    return {"low": found[0], "high": found[1]} if found else {}


def _task_delta(report: RunReport, row: int, task: str) -> dict[str, float]:
    found = report.comparison.task_delta.get((row, task)) if report.comparison else None
    if not found:
        return {}
    delta = report.rows[row].scores[task] - report.rows[report.baseline].scores[task]
    return {"delta": delta, "delta_low": found[0], "delta_high": found[1]}


def _delta(report: RunReport, part: str, row: int) -> dict[str, float | None]:
    pair = report.delta(part, row)
    if pair is None:
        return {}
    return {
        "delta": pair.difference, "delta_low": pair.low, "delta_high": pair.high, "p_holm": pair.p_holm,
        "wilcoxon_holm": pair.wilcoxon_holm,
    }  # fmt: skip


def _reference(report: RunReport) -> Iterator[dict[str, Any]]:
    for row in report.reference.rows if report.reference else []:
        assert report.reference is not None
        source = f"{report.reference.source} ({report.reference.caption})"
        same = {"source": source, "part": "all", "model": row.model, "method": row.method}
        for family, score in row.families.items():
            yield same | {"measure": COLUMNS[family], "score": score}
        yield same | {"measure": "AVG", "score": row.avg, "delta": row.delta}


def plain(value: Any) -> Any:
    """Numbers in few digits; a name that a spreadsheet would compute gets an apostrophe."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value
