"""What `ita-med data leakage` shows: a table of the pairs of splits that share texts, and the page docs/leakage.md."""

from __future__ import annotations

from pathlib import Path

from ita_med.dataset_builders import leakage
from ita_med.dataset_builders.known_overlaps import KNOWN
from ita_med.dataset_builders.leakage import Overlap, SplitTexts
from ita_med.numbers import NONE
from ita_med.printing import markdown_table

COLUMNS = ["training split", "evaluation split", "texts", "exact", "near", "contained", "touched"]


NOTES = "<!-- Notes by hand, which a new page keeps. -->\n"


def table(overlaps: list[Overlap]) -> list[list[str]]:
    """The pairs of splits that share something, with a header."""
    rows = [o for o in overlaps if o.touched]
    numbers = [(o.texts, o.exact, o.near, o.contained, o.touched) for o in rows]
    return [COLUMNS, *([o.train, o.evaluation, *(f"{x:,}" for x in n)] for o, n in zip(rows, numbers, strict=True))]


def page(splits: list[SplitTexts], overlaps: list[Overlap], absent: list[str], synthetic: bool) -> str:
    """The Markdown of docs/leakage.md: what is counted, the matrix, the pairs, what was compared, known overlaps."""
    trains = list(dict.fromkeys(o.train for o in overlaps))
    evaluations = list(dict.fromkeys(o.evaluation for o in overlaps))
    cells = {(o.train, o.evaluation): f"{o.affected:,} / {o.touched:,}" if o.touched else NONE for o in overlaps}
    matrix = [["", *trains], *([e, *(cells.get((t, e), "") for t in trains)] for e in evaluations)]
    compared = [["split", "views with these texts", "texts", "words", "left out"]]
    compared += [
        [s.name, ", ".join(s.views), f"{len(s.texts):,}", f"{len(s.texts.words):,}", str(s.left_out)] for s in splits
    ]
    lines = [
        "<!-- Generated: ita-med data leakage --mirror DIR --page docs/leakage.md. Do not edit. -->",
        "",
        "# Texts that training and evaluation splits share",
        "",
        "    ita-med data leakage --mirror DIR --page docs/leakage.md",
        "",
        "On the synthetic samples." if synthetic else "On the real files of the datasets listed below.",
        *(leakage.__doc__ or "").split("\n")[1:],
        "## Matrix",
        "",
        "Evaluation split by training split: exact + near + contained / touched. A corpus (raw text) is also held",
        "against labelled training splits. An empty cell was not compared.",
        "",
        *markdown_table(matrix),
        "",
        "## Pairs that share something",
        "",
        *markdown_table(table(overlaps)),
        "",
        "## What was compared",
        "",
        *markdown_table(compared),
        "",
        f"Not measured, as their files were not there: {', '.join(absent) or 'none'}.",
        "",
        "## Known by construction",
        "",
        *(f"- {', '.join(names)}: {what}." for names, what in KNOWN),
        "",
    ]
    return "\n".join(lines)


def notes_of(path: Path) -> str:
    """What people wrote below `NOTES` in an earlier page, which a new page keeps; "" where there is none."""
    before = path.read_text("utf-8") if path.is_file() else ""
    found, notes = before.partition(NOTES)[1:]
    return f"\n{found}{notes}" if found else ""
