"""The pages' addresses: /it/… and /en/…, their fragments, and the files that they need; all from memory, with ETags."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import RedirectResponse, Response

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard.app import State
from ita_med.leaderboard.database import jobs, store
from ita_med.leaderboard.pages import compare_page as compare
from ita_med.leaderboard.pages import figures_page as figures
from ita_med.leaderboard.pages import filters, gradio_shell
from ita_med.leaderboard.pages import model_page as model
from ita_med.leaderboard.pages import prose_page as prose
from ita_med.leaderboard.pages import queue_page as waiting
from ita_med.leaderboard.pages import ranking_page as ranking
from ita_med.leaderboard.pages import submit_page as submit
from ita_med.leaderboard.pages import tasks_page as tasks
from ita_med.leaderboard.pages.site import LANGUAGES, Page, Site, document, language_of, missing
from ita_med.leaderboard.results.compare_documents import DocumentsCompared
from ita_med.leaderboard.results.compare_systems import Compared
from ita_med.leaderboard.results.ranking import Ranking
from ita_med.leaderboard.web import api_compare, api_read
from ita_med.leaderboard.web.api_read import spend
from ita_med.leaderboard.web.http_cache import Problem
from ita_med.tasks.report import reference
from ita_med.version import BENCHMARK_VERSION

router = APIRouter(include_in_schema=False)
STATIC = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}  # fmt: skip
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
"""For files of Gradio, whose names hold a hash of what is in them."""
HTML = "text/html; charset=utf-8"


def ranking_page(state: State, site: Site, query: QueryParams) -> Page:
    chosen = filters.read(query)
    view, notice = _view(state, site, chosen)
    with state.engine.begin() as connection:
        versions = store.versions(connection, synthetic=state.synthetic)
    return ranking.page(site, view, chosen, reference.load(), versions, notice)


def _view(state: State, site: Site, chosen: filters.Filters) -> tuple[Ranking, str]:
    """The ranking that is asked for; the raw one and a notice where nothing can be normalised."""
    try:
        return _ranking(state, chosen.part, chosen.scale, chosen.version), ""
    except ItaMedError:
        return _ranking(state, chosen.part, "raw", chosen.version), site.words["normalised_missing"]


def _ranking(state: State, part: str, scale: str, version: str) -> Ranking:
    return state.board.ranking(part, scale, synthetic=state.synthetic, version=version)


def model_page(state: State, site: Site, query: QueryParams) -> Page:
    asked = model_query(query)
    number, version = int(asked["id"]), asked["version"]
    try:
        return model.page(site, api_read.system_of(state, _ranking(state, "all", "raw", version), number))
    except Problem:
        with state.engine.begin() as connection:
            day = store.withdrawn(connection, number, synthetic=state.synthetic)
        return model.withdrawn(site, number, day) if day else missing(site, "model", site.words["no_system"])


def model_query(query: QueryParams) -> dict[str, str]:
    number = query.get("id", "")
    return {"id": number if re.fullmatch(r"[0-9]{1,15}", number) else "0", "version": filters.read(query).version}


def tasks_page(state: State, site: Site, query: QueryParams) -> Page:
    view = _ranking(state, "all", "raw", BENCHMARK_VERSION)
    with state.engine.begin() as connection:
        documents = store.documents(connection, view.data)
        entries = store.entries(connection, synthetic=state.synthetic)
    name = tasks_query(query)
    if not name:
        return tasks.page(site, view, documents)
    known = {task.id: task for task in catalogue.tasks(ready=True)}
    if name not in known:
        return missing(site, "tasks", site.words["no_task"])
    errors = {entry.id: 100 * entry.errors[name] for entry in entries if name in entry.errors}
    return tasks.one(site, known[name], view, documents, errors)


def tasks_query(query: QueryParams) -> str:
    return query.get("task", "")[:80]


def queue_page(state: State, site: Site, query: QueryParams) -> Page:
    with state.engine.begin() as connection:
        return waiting.page(site, jobs.jobs(connection))


def method_page(state: State, site: Site, query: QueryParams) -> Page:
    return prose.page(site, "method")


def about_page(state: State, site: Site, query: QueryParams) -> Page:
    return prose.page(site, "about", state.settings.contact)


def figures_page(state: State, site: Site, query: QueryParams) -> Page:
    return figures.page(site, *_view(state, site, filters.read(query)))


def compare_page(state: State, site: Site, query: QueryParams) -> Page:
    chosen = compare.read(query)
    rows = _ranking(state, "all", "raw", chosen.version).rows
    found: Compared | None = None
    documents: DocumentsCompared | compare.Refused | None = None
    if len(chosen.systems) > 1:
        try:
            found = api_compare.compared(state, chosen.listed, chosen.version)
        except Problem as problem:
            return compare.page(site, rows, chosen, compare.Refused(problem.detail))
        if chosen.task:
            try:
                documents = api_compare.documents_of(state, chosen.pair, chosen.task, chosen.version)
            except Problem as problem:
                documents = compare.Refused(problem.detail)
    return compare.page(site, rows, chosen, found, documents)


def submit_page(state: State, site: Site, query: QueryParams) -> Page:
    return submit.page(site, state.settings)


PAGES: dict[str, Callable[[State, Site, QueryParams], Page]] = {
    "ranking": ranking_page, "figures": figures_page, "compare": compare_page, "model": model_page,
    "tasks": tasks_page, "submit": submit_page, "queue": queue_page, "method": method_page, "about": about_page,
}  # fmt: skip
"""Each page of the board, made from the state, the language and the address's query."""
CACHED: dict[str, Callable[[QueryParams], object]] = {
    "ranking": filters.read, "figures": filters.read, "compare": compare.read, "model": model_query,
    "tasks": tasks_query, "method": lambda _: "", "about": lambda _: "",
}  # fmt: skip
"""Pages that depend on nothing but the board's results and on what this reads from the query."""


COSTLY = ("compare",)
"""Pages that take a second to make: each new one counts against the reader's address."""


def site_of(state: State, language: str) -> Site:
    return Site(language, state.synthetic)


class _NotThere(Exception):
    """A page that is not kept: addresses of nothing are without number."""

    def __init__(self, page: Page) -> None:
        self.page = page


def _page(language: str, name: str) -> Callable[[Request], Response]:
    def show(request: Request) -> Response:
        state: State = request.app.state.board
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
    def make(state: State, site: Site, chosen: filters.Filters) -> str:
        view, notice = _view(state, site, chosen)
        return ranking.results(site, view, chosen, reference.load(), notice)

    return _fragment(language, "ranking", make)


def _figures_fragment(language: str) -> Callable[[Request], Response]:
    def make(state: State, site: Site, chosen: filters.Filters) -> str:
        return "\n".join(figures.fragments(site, _view(state, site, chosen)[0]))

    return _fragment(language, "figures", make)


def _fragment(
    language: str, name: str, make: Callable[[State, Site, filters.Filters], str]
) -> Callable[[Request], Response]:
    """A part of the ranking, for a page that is open already."""

    def show(request: Request) -> Response:
        state: State = request.app.state.board
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
            site = site_of(request.app.state.board, language)
            page = missing(site, "ranking", site.words["no_page"])
            headers = {"content-security-policy": gradio_shell.PLAIN_POLICY, "cache-control": "no-store"}
            return Response(document(site, page), 404, headers, HTML)
        headers = FOREVER if path.startswith("assets/") else {}
        return _files(request).content(request, lambda: found.content, found.media_type, headers, "", language, path)

    return show


def _files(request: Request) -> Any:
    return request.app.state.board.files


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
    return _files(request).content(request, path.read_bytes, media_type, {}, "", "static", name)


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
