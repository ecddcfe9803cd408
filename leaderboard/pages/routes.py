"""The pages' addresses: /it/… and /en/…, their fragments, and the files that they need; all from memory, with ETags."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from ita_med.leaderboard.pages import figures_page, filters, gradio_shell, ranking_page
from ita_med.leaderboard.pages.registry import CACHED, PAGES, shown_ranking
from ita_med.leaderboard.pages.site import LANGUAGES, STATIC, Page, Site, document, language_of, missing
from ita_med.leaderboard.web.responses import Problem
from ita_med.leaderboard.web.state import SharedState, spend, state_of
from ita_med.tasks.report import reference

router = APIRouter(include_in_schema=False)
TYPES = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}  # fmt: skip
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
"""For files of Gradio, whose names hold a hash of what is in them."""
HTML = "text/html; charset=utf-8"
COSTLY = ("compare",)
"""Pages that take a second to make: each new one counts against the reader's address."""


def site_of(state: SharedState, language: str) -> Site:
    """The site of this server in a language."""
    return Site(language, state.synthetic)


class _NotThere(Exception):
    """A page that must not be kept in memory: there is no end of addresses that lead to nothing."""

    def __init__(self, page: Page) -> None:
        self.page = page


def _page(language: str, name: str) -> Callable[[Request], Response]:
    def show(request: Request) -> Response:
        state = state_of(request)
        ready = gradio_shell.ready()
        framed = ready.shell(language, name) if ready else None
        site = site_of(state, language)
        headers = {"content-security-policy": framed.policy if framed else gradio_shell.PLAIN_POLICY}

        def make() -> bytes:
            made = PAGES[name](state, site, request.query_params)
            if made.status != 200:
                raise _NotThere(made)
            return document(site, made, framed).encode()

        if name in CACHED:
            key = (
                state.board.stamp(),
                "page",
                str(framed is None),
                language,
                name,
                repr(CACHED[name](request.query_params)),
            )
            if name in COSTLY and not state.cache.known(*key):
                spend(state, request)
            try:
                return state.cache.content(request, make, HTML, headers, *key)
            except _NotThere as error:
                made = error.page
        else:
            made = PAGES[name](state, site, request.query_params)
        body = document(site, made, framed)
        return Response(body, made.status, headers | {"cache-control": "no-store"}, HTML)

    return show


def _ranking_fragment(language: str) -> Callable[[Request], Response]:
    def make(state: SharedState, site: Site, chosen: filters.Filters) -> str:
        view, notice = shown_ranking(state, site, chosen)
        return ranking_page.results(site, view, chosen, reference.load(), notice)

    return _fragment(language, "ranking", make)


def _figures_fragment(language: str) -> Callable[[Request], Response]:
    def make(state: SharedState, site: Site, chosen: filters.Filters) -> str:
        return "\n".join(figures_page.fragments(site, shown_ranking(state, site, chosen)[0]))

    return _fragment(language, "figures", make)


def _fragment(
    language: str, name: str, make: Callable[[SharedState, Site, filters.Filters], str]
) -> Callable[[Request], Response]:
    """A route that answers a part of a page, for a reader who has the page open and changes its form."""

    def show(request: Request) -> Response:
        state = state_of(request)
        chosen = filters.read(request.query_params)
        key = (state.board.stamp(), "fragment", name, language, repr(chosen))
        return state.cache.content(
            request, lambda: make(state, site_of(state, language), chosen).encode(), HTML, {}, *key
        )

    return show


def _file_of_gradio(language: str) -> Callable[[Request, str], Response]:
    def show(request: Request, path: str) -> Response:
        ready = gradio_shell.ready()
        found = ready.file(language, path) if ready else None
        if found is None:
            site = site_of(state_of(request), language)
            page = missing(site, "ranking", site.words["no_page"])
            headers = {"content-security-policy": gradio_shell.PLAIN_POLICY, "cache-control": "no-store"}
            return Response(document(site, page), 404, headers, HTML)
        headers = FOREVER if path.startswith("assets/") else {}
        return state_of(request).files.content(
            request, lambda: found.content, found.media_type, headers, "", language, path
        )

    return show


@router.get("/")
def home(request: Request) -> Response:
    """The ranking in the language that the reader prefers."""
    language = language_of(request.headers.get("accept-language", ""))
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/{language}/{query}", 307, {"vary": "accept-language", "cache-control": "no-cache"})


@router.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """Our own few files, and plotly's library."""
    if name not in _static_names():
        raise Problem("Not found", 404)
    path = _static_names()[name]
    media_type = TYPES[path.suffix]
    return state_of(request).files.content(request, path.read_bytes, media_type, {}, "", "static", name)


@cache
def _static_names() -> dict[str, Path]:
    import plotly

    found = {path.name: path for path in STATIC.iterdir() if path.suffix in TYPES}
    return found | {"plotly.min.js": Path(plotly.__file__).parent / "package_data" / "plotly.min.js"}


for _language in LANGUAGES:
    for _name in PAGES:
        _address = f"/{_language}/" if _name == "ranking" else f"/{_language}/{_name}"
        router.add_api_route(_address, _page(_language, _name), name=f"{_language} {_name}")
    router.add_api_route(f"/{_language}/fragments/ranking", _ranking_fragment(_language))
    router.add_api_route(f"/{_language}/fragments/figures", _figures_fragment(_language))
    router.add_api_route(f"/{_language}/{{path:path}}", _file_of_gradio(_language))
