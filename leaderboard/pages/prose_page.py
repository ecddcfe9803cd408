"""Method and About: prose in Markdown, one file per page and language in `prose/`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from ita_med.leaderboard.pages.site import MENU, Page, Site, fill

FOLDER = Path(__file__).parent / "prose"
HEADED = re.compile(r"(<h2>(.*?)</h2>\s*)<table>")
"""A table that follows its heading gets it as a caption."""
TITLES = {"method": "method_about", "about": "about_about"}


@cache
def rendered(name: str, language: str) -> Markup:
    """The HTML of a file; HTML inside it is shown as text."""
    source = (FOLDER / f"{name}.{language}.md").read_text("utf-8")
    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(source)
    text = HEADED.sub(r'\1<table><caption class="sr">\2</caption>', text).replace("<th>", '<th scope="col">')
    return Markup(text)


def page(site: Site, name: str, contact: str = "") -> Page:
    """The page Method or About.

    Args:
        site: Language and addresses.
        name: "method" or "about".
        contact: How to reach the maintainers of this board, for About.
    """
    text = str(rendered(name, site.language))
    for other in MENU:  # a file may link to another page by its name
        text = text.replace(f'href="{other}"', f'href="{escape(site.link(other))}"')
    content = fill("prose.html", site, text=Markup(text), contact=contact if name == "about" else "")
    return Page(name, site.words[name], site.words[TITLES[name]], content)
