"""The report as LaTeX tables (package booktabs)."""

from __future__ import annotations

import re

from ita_med.tasks.report.tables import RunReport, Table, notes, tables

SIGNS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "–": "--", "±": r"$\pm$", "[": "{[}", "]": "{]}",
}  # fmt: skip


def render(report: RunReport) -> str:
    return page(tables(report), notes(report))


def page(found: list[Table], first: list[str]) -> str:
    """Tables; the notes that every reader must know stand in every caption."""
    parts = ["% ita-med report; needs \\usepackage{booktabs}"]
    parts += [f"% {note}" for note in first]
    for table in found:
        parts += ["", *_lines(table, first)]
    return "\n".join(parts) + "\n"


def _lines(table: Table, first: list[str]) -> list[str]:
    """The warnings stand in every caption: a table is copied without its neighbours."""
    head, *body = [" & ".join(escape(cell) for cell in line) + r" \\" for line in table.lines]
    columns = "".join("l" if n < table.left else "r" for n in range(len(table.lines[0])))
    caption = " ".join([f"{table.title}.", *first, *table.notes])
    return [
        r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body,
        r"\bottomrule", r"\end{tabular}", rf"\caption{{{escape(caption)}}}", r"\end{table}",
    ]  # fmt: skip


def escape(text: str) -> str:
    text = "".join(SIGNS.get(sign, sign) for sign in text)
    text = re.sub(r"(?<![\w.-])-(?=\d)", "$-$", text)
    return re.sub(r"\*+", lambda found: rf"\textsuperscript{{{found[0]}}}", text)
