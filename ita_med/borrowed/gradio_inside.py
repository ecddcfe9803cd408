"""The insides of Gradio: what its pages are made of, and which files they ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ita_med.borrowed import Borrowed, warn
from ita_med.errors import ItaMedError

APP = Borrowed(
    "gradio",
    "element <gradio-app></gradio-app> in the body of its pages",
    "the board's pages stay without Gradio's shell (they are complete without it)",
)
ROOT = Borrowed(
    "gradio",
    'setting "root" with the page\'s address in its pages',
    "Gradio's shell looks for the board at another address and does not start (the pages are complete without it)",
)
ASSETS = Borrowed(
    "gradio",
    'addresses that begin with "./assets/" in its pages',
    "Gradio's shell finds its scripts on none but the first page (the pages are complete without it)",
)
TITLE = Borrowed(
    "gradio",
    'attribute control_page_title="true" in its pages',
    "Gradio may write the name of the board over the title of each page",
)
BORROWED = (APP, ROOT, ASSETS, TITLE)

FILES = re.compile(r"(assets|static/js|static/fonts/\w+)/[\w.-]+\.(js|css|woff2?|svg|png)|theme\.css")
"""What a page of Gradio asks for beside itself; nothing else of its application is served."""
_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL)
_STYLESHEET = re.compile(r'<link rel="stylesheet"[^>]*>')
_APP = re.compile(r"(<gradio-app[^>]*>)\s*</gradio-app>(.*?)</body>", re.DOTALL)


@dataclass(frozen=True)
class Parts:
    """What a page of Gradio is made of.

    Attributes:
        head: its tags of scripts and style sheets.
        opening: the opening tag of its element.
        closing: what follows the opening tag, scripts among it.
        inline: the code of its scripts that have no address.
    """

    head: list[str]
    opening: str
    closing: str
    inline: list[str]


def take_apart(html: str, host: str, path: str) -> Parts:
    """The scripts, styles and element of a page that `host` serves below `path`; the addresses hold on any host.

    Raises:
        ItaMedError: the page has no such element.
    """
    html = _replaced(html, ROOT, f'"root":"{host}{path}"', f'"root":location.origin+"{path}"')
    html = _replaced(html.replace(f'"{host}{path}"', f'"{path}"'), ASSETS, '"./assets/', f'"{path}/assets/')
    head, _, body = html.partition("</head>")
    found = _APP.search(body)
    if found is None:
        raise ItaMedError(APP.line())
    opening = _replaced(found[1], TITLE, 'control_page_title="true"', 'control_page_title="false"')  # titles are ours
    inline = [code for attributes, code in _SCRIPT.findall(html) if "src=" not in attributes]
    tags = [match[0] for match in _SCRIPT.finditer(head)] + _STYLESHEET.findall(head)
    return Parts(tags, opening, "</gradio-app>" + found[2], inline)


def _replaced(html: str, borrowed: Borrowed, old: str, new: str) -> str:
    if old not in html:
        warn(borrowed)
    return html.replace(old, new)
