"""Method and About: prose in Markdown, one file per page and language in `prose/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from ita_med.leaderboard.pages.site import Page, Site, fill

FOLDER = Path(__file__).parent / "prose"
TITLES = {"method": "method_about", "about": "about_about"}


@cache
def rendered(name: str, language: str) -> Markup:
    """The HTML of a file; HTML inside it is shown as text."""
    source = (FOLDER / f"{name}.{language}.md").read_text("utf-8")
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(source))


def page(site: Site, name: str, contact: str = "") -> Page:
    """contact: how to reach the maintainers of this board, for About."""
    content = fill("prose.html", site, text=rendered(name, site.language), contact=contact if name == "about" else "")
    return Page(name, site.words[name], site.words[TITLES[name]], content)
