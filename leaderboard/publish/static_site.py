"""The board as a folder of HTML files that need no server and no script: the pages of the app, in both languages.

The same functions make these pages and the server's; only their addresses differ (`file_name`). Figures are in the
pages and, for papers, also files of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Engine
from starlette.datastructures import QueryParams

from ita_med import catalogue, sources
from ita_med.figures.svg import svg
from ita_med.files import write_whole
from ita_med.leaderboard.pages.registry import PAGES
from ita_med.leaderboard.pages.site import LANGUAGES, STATIC, WORDS, Site, document
from ita_med.leaderboard.results import figures
from ita_med.leaderboard.results.compare_systems import MOST
from ita_med.leaderboard.results.ranking import SCALES, Board, Ranking
from ita_med.leaderboard.web.rate_limit import RateLimit
from ita_med.leaderboard.web.settings import Settings
from ita_med.leaderboard.web.state import SharedState
from ita_med.leaderboard.web.uploads import Checkers
from ita_med.tasks.report.rows import PARTS

FILES = ("board.css", "board.js", "theme.js", "icon.svg")
VARIED = {"ranking": ("part", "scale"), "figures": ("part",), "model": ("id",), "tasks": ("task",)}
"""What of a page's query makes a file of its own; everything else of an address needs the server."""
USUAL = {"part": "all", "scale": "raw"}


def write(engine: Engine, out: Path, *, synthetic: bool) -> list[Path]:
    """Write the site into a folder, each file whole or not at all.

    Pages of an earlier export that are no longer made are removed.

    Args:
        engine: The board's database.
        out: The folder; it is made where there is none.
        synthetic: Whether to export the runs on the embedded sample, or those on real data.

    Returns:
        The files.
    """
    mirror = sources.EMBEDDED if synthetic else None
    state = SharedState(engine, mirror, Settings(), Board(engine), Checkers(mirror, 0, 1), RateLimit(1), RateLimit(1))
    view = state.board.ranking(synthetic=synthetic)
    contents: dict[str, str | bytes] = {"index.html": _entrance()}
    contents |= {f"static/{name}": (STATIC / name).read_bytes() for name in FILES}
    for language in LANGUAGES:
        site = site_of(language, synthetic=synthetic)
        for name, query in addresses(view, normalised=_can_be_normalised(view)):
            page = PAGES[name](state, site, QueryParams(urlencode(query)))
            contents[f"{language}/{file_name(name, query)}"] = document(site, page)
        for part in PARTS:
            shown = state.board.ranking(part, synthetic=synthetic)
            for figure in figures.of_ranking(shown, language):
                if not figure.empty:
                    drawn = svg(figure, alone=True)
                    contents[f"figures/{figure.name}-{part}.{language}.svg"] = drawn + "\n"
    for name, content in contents.items():
        write_whole(out / name, content)
    for folder, ending in (*((language, "*.html") for language in LANGUAGES), ("figures", "*.svg")):
        for path in (out / folder).glob(ending):
            if path.relative_to(out).as_posix() not in contents:
                path.unlink()
    return [out / name for name in contents]


def site_of(language: str, *, synthetic: bool) -> Site:
    """The exported site in a language: addresses are relative file names."""

    def address(other: str, name: str, query: Mapping[str, Any]) -> str:
        return ("" if other == language else f"../{other}/") + file_name(name, query)

    return Site(language, synthetic, address, static=True, files="../static/")


def file_name(name: str, query: Mapping[str, Any]) -> str:
    """The file of a page: index.html, ranking-id-normalised.html, model-3.html, tasks-ita_med_qa_imb.html."""
    values = {key: str(query.get(key, "")) for key in VARIED.get(name, ())}
    parts = [value for key, value in values.items() if value not in ("", USUAL.get(key))]
    if name == "ranking" and not parts:
        return "index.html"
    return "-".join([name, *parts]) + ".html"


def addresses(view: Ranking, *, normalised: bool) -> Iterator[tuple[str, dict[str, str]]]:
    """Every page of the site with its query."""
    first = [str(row.id) for row in view.rows if row.kind == "ranked"][:MOST]
    scales = SCALES if normalised else ("raw",)
    of_pages: dict[str, list[dict[str, str]]] = {
        "ranking": [{"part": part, "scale": scale} for part in PARTS for scale in scales],
        "figures": [{"part": part} for part in PARTS],
        "model": [{"id": str(row.id)} for row in view.rows],
        "tasks": [{}, *({"task": task.id} for task in catalogue.tasks(ready=True))],
        "compare": [{"systems": ",".join(first)}],
    }
    for name in PAGES:
        for query in of_pages.get(name, [{}]):
            yield name, query


def _can_be_normalised(view: Ranking) -> bool:
    return all(view.floors.get(task, 1.0) < 1 for task in view.tasks)


def _entrance() -> str:
    """The first page: the choice of a language, which a server would make by Accept-Language."""
    links = "".join(
        f'<li><a lang="{language}" hreflang="{language}" href="{language}/index.html">{WORDS[language]["board"]} '
        f"({name})</a></li>"
        for language, name in LANGUAGES.items()
    )
    return (
        '<!doctype html>\n<html lang="it">\n<head><meta charset="utf-8"><title>ita-med</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="static/icon.svg"><link rel="stylesheet" href="static/board.css"></head>\n'
        f'<body><main id="content"><h1>ita-med</h1><ul>{links}</ul></main></body>\n</html>\n'
    )
