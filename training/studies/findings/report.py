"""`ita-med study report`: tables and figure of a study, from its submission folders and the gold data alone."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import orjson

from ita_med.errors import ItaMedError
from ita_med.figures import figure_html
from ita_med.figures.svg import svg
from ita_med.files import write_whole
from ita_med.tasks.report import as_csv, as_latex, as_markdown
from ita_med.tasks.report.tables import once
from ita_med.training.studies.findings import scores, show_adaptation, show_cost, show_curve, show_ood, show_sizes
from ita_med.training.studies.findings.findings import WORDS, Findings
from ita_med.training.studies.study import Study

SHOW = {
    "learning-curve": show_curve.show,
    "adaptation": show_adaptation.show,
    "small-vs-large": show_sizes.show,
    "cost": show_cost.show,
    "ood": show_ood.show,
}


def make(study: Study, out: Path, *, mirror: str | None = None, lang: str = "en") -> Findings:
    """Read, score and write OUT/table.{md,csv,tex,json} and OUT/figure.{svg,html}."""
    if lang not in WORDS:
        raise ItaMedError(f'no language "{lang}"; there are {", ".join(WORDS)}')
    scored = scores.read(out, metric=study.metric, mirror=mirror)
    found = SHOW[study.kind](scored, study, lang)
    found.notes = list(dict.fromkeys([*scored.notes, *found.notes]))
    once(found.tables)
    write(out, found)
    return found


def write(out: Path, found: Findings) -> None:
    """Each file whole or not at all."""
    texts = {
        "table.md": as_markdown.page(found.tables, found.notes),
        "table.tex": as_latex.page(found.tables, found.notes),
        "table.csv": _csv(found.records),
        "table.json": _json(found),
        "figure.svg": svg(found.figure, alone=True) + "\n",
        "figure.html": figure_html.page(found.figure),
    }
    for name, text in texts.items():
        write_whole(out / name, text)


def _csv(records: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({name: as_csv.plain(value) for name, value in record.items()})
    return text.getvalue()


def _json(found: Findings) -> str:
    value = {"title": found.title, "notes": found.notes, "answers": found.answers, "records": found.records}
    return orjson.dumps(
        value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
    ).decode()


def lines(found: Findings) -> list[str]:
    """For a terminal: notes, tables, answers."""
    from ita_med.printing import aligned

    text = [line for note in found.notes for line in (note, "")]
    for table in found.tables:
        text += [table.title, *aligned(table.lines, left=table.left), ""]
    return [*text, *found.answers]
