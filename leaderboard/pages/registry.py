"""The pages of the board by name: each is made from the server's state, a language, and the query of its address.

The server (`routes`) and the exported site (`publish.static_site`) make the same pages from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.datastructures import QueryParams

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import jobs, store
from ita_med.leaderboard.pages import (
    compare_page,
    figures_page,
    filters,
    model_page,
    prose_page,
    queue_page,
    ranking_page,
    submit_page,
    tasks_page,
)
from ita_med.leaderboard.pages.site import Page, Site, missing
from ita_med.leaderboard.results.compare_documents import DocumentsCompared
from ita_med.leaderboard.results.compare_systems import SystemsCompared
from ita_med.leaderboard.results.ranking import Ranking
from ita_med.leaderboard.web.responses import Problem
from ita_med.leaderboard.web.state import SharedState
from ita_med.leaderboard.web.views import compared, documents_of, system_of
from ita_med.tasks.report import reference
from ita_med.version import BENCHMARK_VERSION


def ranking(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page Ranking."""
    chosen = filters.read(query)
    view, notice = shown_ranking(state, site, chosen)
    with state.engine.begin() as connection:
        versions = store.versions(connection, synthetic=state.synthetic)
    return ranking_page.page(site, view, chosen, reference.load(), versions, notice)


def shown_ranking(state: SharedState, site: Site, chosen: filters.Filters) -> tuple[Ranking, str]:
    """The ranking that is asked for, and a notice: "", or that it is the raw one because nothing can be normalised."""
    try:
        return _ranking(state, chosen.part, chosen.scale, chosen.version), ""
    except ItaMedError:
        return _ranking(state, chosen.part, "raw", chosen.version), site.words["normalised_missing"]


def _ranking(state: SharedState, part: str, scale: str, version: str) -> Ranking:
    return state.board.ranking(part, scale, synthetic=state.synthetic, version=version)


def model(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page of one row; 410 where it was withdrawn, 404 where there never was one."""
    asked = model_query(query)
    number, version = int(asked["id"]), asked["version"]
    try:
        return model_page.page(site, system_of(state, _ranking(state, "all", "raw", version), number))
    except Problem:
        with state.engine.begin() as connection:
            day = store.withdrawn(connection, number, synthetic=state.synthetic)
        return model_page.withdrawn(site, number, day) if day else missing(site, "model", site.words["no_system"])


def model_query(query: QueryParams) -> dict[str, str]:
    """Id and version that an address of the page Model asks for; id "0", which no row has, where it makes no sense."""
    number = query.get("id", "")
    return {"id": number if re.fullmatch(r"[0-9]{1,15}", number) else "0", "version": filters.read(query).version}


def tasks(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page Tasks, or that of one task."""
    view = _ranking(state, "all", "raw", BENCHMARK_VERSION)
    with state.engine.begin() as connection:
        documents = store.documents(connection, view.data)
        entries = store.entries(connection, synthetic=state.synthetic)
    name = tasks_query(query)
    if not name:
        return tasks_page.page(site, view, documents)
    known = {task.id: task for task in catalogue.tasks(ready=True)}
    if name not in known:
        return missing(site, "tasks", site.words["no_task"])
    errors = {entry.id: 100 * entry.errors[name] for entry in entries if name in entry.errors}
    return tasks_page.one(site, known[name], view, documents, errors)


def tasks_query(query: QueryParams) -> str:
    """The task that an address of the page Tasks asks for; "" for the list of all."""
    return query.get("task", "")[:80]


def queue(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page Queue."""
    with state.engine.begin() as connection:
        return queue_page.page(site, jobs.jobs(connection))


def method(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page Method."""
    return prose_page.page(site, "method")


def about(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page About."""
    return prose_page.page(site, "about", state.settings.contact)


def figures(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page Figures."""
    return figures_page.page(site, *shown_ranking(state, site, filters.read(query)))


def compare(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page Compare."""
    chosen = compare_page.read(query)
    rows = _ranking(state, "all", "raw", chosen.version).rows
    found: SystemsCompared | None = None
    documents: DocumentsCompared | compare_page.NotComparable | None = None
    if len(chosen.systems) > 1:
        try:
            found = compared(state, chosen.listed, chosen.version)
        except Problem as problem:
            return compare_page.page(site, rows, chosen, compare_page.NotComparable(problem.detail))
        if chosen.task:
            try:
                documents = documents_of(state, chosen.pair, chosen.task, chosen.version)
            except Problem as problem:
                documents = compare_page.NotComparable(problem.detail)
    return compare_page.page(site, rows, chosen, found, documents)


def submit(state: SharedState, site: Site, query: QueryParams) -> Page:
    """The page Submit."""
    return submit_page.page(site, state.settings)


PAGES: dict[str, Callable[[SharedState, Site, QueryParams], Page]] = {
    "ranking": ranking, "figures": figures, "compare": compare, "model": model,
    "tasks": tasks, "submit": submit, "queue": queue, "method": method, "about": about,
}  # fmt: skip
"""Each page of the board by its name; the arguments are the server's state, the site and the query of the address."""
CACHED: dict[str, Callable[[QueryParams], object]] = {
    "ranking": filters.read, "figures": filters.read, "compare": compare_page.read, "model": model_query,
    "tasks": tasks_query, "method": lambda _: "", "about": lambda _: "",
}  # fmt: skip
"""Pages that may be kept while the board's results stay the same, each with what it reads from its query."""
