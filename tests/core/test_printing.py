"""Tables for terminals and in Markdown."""

from __future__ import annotations

from markdown_it import MarkdownIt

from ita_med.printing import aligned, markdown_table

LINES = [["name", "n"], ["a|b\nc", "1"], [r"d\|e", "1,000"]]


def test_columns_are_aligned() -> None:
    assert aligned([["name", "n"], ["a", "1,000"]], left=1) == ["name      n", "a     1,000"]


def test_a_markdown_table_reads_back_whatever_its_cells_hold() -> None:
    made = markdown_table(LINES, right=[1])
    assert made[1] == "|---|---:|"
    tokens = MarkdownIt().enable("table").parse("\n".join(made))
    cells = [token.content for token in tokens if token.type == "inline"]
    assert cells == ["name", "n", "a|b c", "1", "d|e", "1,000"]


def test_a_table_without_a_header_has_an_empty_one() -> None:
    assert markdown_table([["Licence", "CC BY"]], header=False) == ["| | |", "|---|---|", "| Licence | CC BY |"]
