"""The board as files that need no server: CSV, JSON, Markdown, LaTeX and HTML, in the report's own forms; BibTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from ita_med.files import write_whole
from ita_med.leaderboard.results.ranking import Board, BoardRow, Ranking
from ita_med.numbers import interval, number
from ita_med.tasks.report import as_csv, as_html, as_latex, as_markdown, reference
from ita_med.tasks.report.rows import COLUMNS, PARTS, SYNTHETIC_NOTE
from ita_med.tasks.report.tables import INTERVALS_NOTE, Table, once, reference_table
from ita_med.version import __version__

TITLES = {"ranked": "", "partial": "partial, not ranked", "floor": "floor, not ranked", "other data": "other gold data"}
GROUPS_NOTE = (
    "Group: tie groups. The best system is a group's anchor; a system is in the group while the paired bootstrap does "
    "not separate it from the anchor (p < .05). Rank: 95 % interval over the same resamples."
)
KINDS_NOTE = "Not ranked: floors, rows without all tasks, and rows that were scored on other gold data."
ABOUT = (
    "A family's score is the plain mean of its tasks, AVG the plain mean of the five families. All scores were "
    "computed by the board from the predictions. The task list is a documented reconstruction over public data."
)


def write(board: Board, out: Path, *, synthetic: bool) -> list[Path]:
    """Write the board in all formats into a folder, each file whole or not at all.

    Args:
        board: Its rankings.
        out: The folder; it is made where there is none.
        synthetic: Whether to write the runs on the embedded sample, or those on real data.

    Returns:
        The files.
    """
    views = [board.ranking(part, synthetic=synthetic) for part in PARTS]
    first = [SYNTHETIC_NOTE] if synthetic else []
    found = [*(family_table(view) for view in views), task_table(views[0]), reference_table(reference.load())]
    contents = {
        "leaderboard.csv": as_lines(views),
        "leaderboard.json": orjson.dumps([asdict(view) for view in views], option=orjson.OPT_INDENT_2).decode() + "\n",
        "leaderboard.tex": as_latex.page(found, first),
        "leaderboard.md": as_markdown.page(once(found), first),
        "leaderboard.html": as_html.page(once(found), first, ABOUT),
        "leaderboard.bib": as_bibtex(views[0]),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        write_whole(out / name, text)
    return [out / name for name in contents]


def as_bibtex(view: Ranking) -> str:
    """How to cite this state of the board: the version of the benchmark, the newest submission, and the software."""
    newest = max((row.created for row in view.rows), default="")[:10]
    state = f"{len(view.rows)} rows" + (f", the newest of {newest}" if newest else "")
    year = f"  year = {{{newest[:4]}}},\n" if newest else ""
    warning = f" {SYNTHETIC_NOTE}" if view.synthetic else ""
    return (
        f"@misc{{itamed_leaderboard_{view.version.replace('.', '_')},\n"
        "  title = {{ita-med} leaderboard: {Italian} clinical {NLP}},\n"
        "  author = {{The ita-med developers}},\n"
        f"{year}"
        f"  note = {{Benchmark version {view.version}, ita-med {__version__}; {state}.{warning}}},\n"
        "}\n"
    )


def family_table(view: Ranking) -> Table:
    """One line per system: group, rank, families, AVG with its interval, provenance."""
    lines = [["group", "rank", "model", "method", "provenance", *COLUMNS.values(), "AVG", "95 %", "tasks"]]
    for row in view.rows:
        group = str(row.group) if row.group else TITLES[row.kind]
        rank = f"{row.rank[0]}–{row.rank[1]}" if row.rank else ""
        scores = [number(row.families.get(f)) for f in COLUMNS]
        coverage = f"{row.coverage}/{len(view.tasks)}"
        lines.append(
            [
                group,
                rank,
                row.model,
                row.method,
                row.provenance,
                *scores,
                number(row.avg),
                interval(row.interval),
                coverage,
            ]
        )
    return Table(PARTS[view.part], lines, 5, [GROUPS_NOTE, INTERVALS_NOTE, KINDS_NOTE])


def task_table(view: Ranking) -> Table:
    """One line per system, one column per task."""
    names = [task.removeprefix("ita_med_") for task in view.tasks]
    lines = [["model", "method", *names]]
    lines += [[row.model, row.method, *(number(row.tasks.get(task)) for task in view.tasks)] for row in view.rows]
    return Table("By task: score, points", lines, 2)


FIELDS = [
    "id", "part", "kind", "group", "rank_low", "rank_high", "model", "method", "revision", "user", "provenance",
    "parameters", "licence", "trained_on", "measure", "score", "low", "high", "tasks", "synthetic",
]  # fmt: skip


def as_lines(views: list[Ranking]) -> str:
    """One long CSV table: a line per system, part and measure (family, AVG, and once each task)."""
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    for view in views:
        for row in view.rows:
            for line in _lines(view, row):
                writer.writerow({name: as_csv.plain(value) for name, value in line.items()})
    return out.getvalue()


def _lines(view: Ranking, row: BoardRow) -> Iterator[dict[str, Any]]:
    low, high = row.rank or (None, None)
    same = {
        "id": row.id, "part": view.part, "kind": row.kind, "group": row.group, "rank_low": low, "rank_high": high,
        "model": row.model, "method": row.method, "revision": row.revision, "user": row.user,
        "provenance": row.provenance, "parameters": row.parameters, "licence": row.licence,
        "trained_on": " ".join(row.trained_on), "tasks": row.coverage, "synthetic": int(view.synthetic),
    }  # fmt: skip
    for family, score in row.families.items():
        yield same | {"measure": COLUMNS[family], "score": score} | _ends(row.family_intervals.get(family))
    yield same | {"measure": "AVG", "score": row.avg} | _ends(row.interval)
    if view.part == "all":
        for task, score in row.tasks.items():
            yield same | {"measure": task, "score": score}


def _ends(found: tuple[float, float] | None) -> dict[str, float]:
    return {"low": found[0], "high": found[1]} if found else {}
