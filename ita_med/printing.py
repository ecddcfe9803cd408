"""Print for people (aligned columns, Markdown tables) and for programs (JSON)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

import typer


def print_json(value: object) -> None:
    """Print a value as indented JSON on stdout."""
    import orjson

    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def aligned(table: Sequence[Sequence[str]], left: int) -> list[str]:
    """One line per row; the first `left` columns are flush left, the others flush right."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return [
        "  ".join(
            c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def markdown_table(lines: Iterable[Sequence[str]], right: Collection[int] = (), *, header: bool = True) -> list[str]:
    """The lines of a Markdown table.

    Args:
        lines: cells of Markdown; a bare "|" is escaped and a line break becomes a space, as both would break the table.
        right: numbers of the columns that are flush right.
        header: whether the first line is the header; without one, an empty header stands above, as Markdown wants it.
    """
    table = list(lines)
    rows = ["| " + " | ".join(_cell(cell) for cell in line) + " |" for line in table]
    rule = "|" + "|".join("---:" if n in right else "---" for n in range(len(table[0]))) + "|"
    return [rows[0], rule, *rows[1:]] if header else ["|" + " |" * len(table[0]), rule, *rows]


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text.replace("\n", " "))
