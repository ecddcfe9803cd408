"""Plain text of an article's wikitext."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ita_med.errors import MissingPackage

if TYPE_CHECKING:
    from mwparserfromhell.wikicode import Wikicode

SKIPPED_SECTIONS = {
    "note", "bibliografia", "voci correlate", "altri progetti", "collegamenti esterni", "riferimenti", "fonti",
    "galleria d'immagini", "galleria di immagini",
}  # fmt: skip
"""Sections of references and links, by their headings in lower case."""
_NO_TEXT = re.compile(r"\s*:?\s*(?:file|immagine|image|categoria|category|[a-z]{2,3})\s*:", re.I)
"""Links to pictures, categories and other languages; their last part is no prose."""
_REFERENCE = re.compile(r"<ref\b[^<>]*/>|<ref\b[^<>]*>[^<]*(?:<(?!/?ref\b)[^<]*)*</ref\s*>", re.I)
_ELISION = re.compile(r"(?<=[a-zA-Z])'''([^'\n]+)''(?!')")
"""L'''aspirina'': an apostrophe before italics, which opens as bold."""
_QUOTES = re.compile("'{2,}")
"""Bold and italics that nobody closed."""


def plain_text(wikitext: str) -> str:
    """Sections with blank lines between them; templates, tables, references, pictures and categories are gone.

    ValueError: the wikitext cannot be parsed.
    """
    try:
        import mwparserfromhell
        from mwparserfromhell.parser import ParserError
    except ImportError as error:
        raise MissingPackage("medical_wikipedia", "corpora", error) from error
    try:
        code = mwparserfromhell.parse(_ELISION.sub(r"'\1", _REFERENCE.sub("", wikitext).replace("{{'}}", "'")))
        parts = [_section(section) for section in code.get_sections(flat=True, include_lead=True)]
    except (ParserError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return "\n\n".join(part for part in parts if part)


def _section(section: Wikicode) -> str:
    """The heading, if any, and below it one line per paragraph or item; nothing where only a heading is left."""
    heading = ""
    for node in section.filter_headings()[:1]:
        heading = " ".join(node.title.strip_code().split())
        section.remove(node)
    if heading.lower() in SKIPPED_SECTIONS:
        return ""
    for table in section.filter_tags(recursive=False, matches=lambda tag: str(tag.tag).lower() == "table"):
        section.remove(table)
    for link in section.filter_wikilinks(section.RECURSE_OTHERS, lambda link: bool(_NO_TEXT.match(str(link.title)))):
        section.remove(link)
    text = _QUOTES.sub("", section.strip_code(normalize=True, collapse=False))
    lines = [line for line in (" ".join(line.split()) for line in text.split("\n")) if line]
    return "\n".join([heading, *lines] if heading and lines else lines)
