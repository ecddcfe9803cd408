"""The part of the JSON API that sets systems against each other: tests, documents, figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from ita_med.errors import ItaMedError
from ita_med.figures.plotly_json import plotly
from ita_med.leaderboard import documents, figures
from ita_med.leaderboard.answers import Problem
from ita_med.leaderboard.api import Board, Part, Scale, Version, problems, ranking_of, spend
from ita_med.leaderboard.app import State
from ita_med.leaderboard.comparing import Compared, compare
from ita_med.leaderboard.documents import DocumentsCompared
from ita_med.version import BENCHMARK_VERSION

router = APIRouter()
TaskName = Annotated[str, Query(pattern=r"^[a-z0-9_]{1,80}$", description="A task of the benchmark.")]
Language = Annotated[Literal["it", "en"], Query(description="Language of titles and axes.")]
Systems = Annotated[str, Query(pattern=r"^[0-9]{1,15}(,[0-9]{1,15}){1,5}$", description="2 to 6 ids: 3,7,12")]
Two = Annotated[str, Query(pattern=r"^[0-9]{1,15},[0-9]{1,15}$", description="Two ids: 3,7")]


class PlotlyFigure(BaseModel):
    """The arguments of `Plotly.newPlot`."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    config: dict[str, Any]


@router.get("/api/v1/compare", response_model=Compared, responses=problems(409, 422, 429))
def comparison(
    request: Request,
    state: Board,
    systems: Systems,
    version: Version = BENCHMARK_VERSION,
) -> Response:
    """Differences with intervals and tests; p-values are corrected over the pairs asked for."""
    return costly(request, state, lambda: asdict(compared(state, systems, version)), "compare", systems, version)


def costly(request: Request, state: State, make: Callable[[], Any], *key: str) -> Response:
    """A cached answer; making it counts against the address."""
    full = (state.board.stamp(), *key)
    if not state.cache.known(*full):
        spend(state, request)
    return state.cache.answer(request, make, *full)


def compared(state: State, systems: str, version: str = BENCHMARK_VERSION) -> Compared:
    ids = [int(n) for n in systems.split(",")]
    try:
        with state.engine.begin() as connection:
            return compare(connection, ids, synthetic=state.synthetic, version=version)
    except ItaMedError as error:
        raise Problem("These systems cannot be compared", 409, str(error)) from error


@router.get("/api/v1/compare/documents", response_model=DocumentsCompared, responses=problems(409, 422, 429))
def compared_documents(
    request: Request, state: Board, systems: Two, task: TaskName, version: Version = BENCHMARK_VERSION
) -> Response:
    """Where two systems differ on a task: documents by id or number with their scores, largest differences first."""
    make = lambda: asdict(documents_of(state, systems, task, version))  # noqa: E731
    return costly(request, state, make, "documents", systems, task, version)


def documents_of(state: State, systems: str, task: str, version: str = BENCHMARK_VERSION) -> DocumentsCompared:
    ids = [int(n) for n in systems.split(",")]
    try:
        with state.engine.begin() as connection:
            return documents.differences(
                connection, ids, task, state.mirror, synthetic=state.synthetic, version=version
            )
    except ItaMedError as error:
        raise Problem("These systems cannot be compared", 409, str(error)) from error


@router.get("/api/v1/figures/{name}", response_model=PlotlyFigure, responses=problems(409, 422))
def figure(
    request: Request,
    state: Board,
    name: Literal["ranks", "parameters", "speed", "families"],
    part: Part = "all",
    scale: Scale = "raw",
    language: Language = "it",
    version: Version = BENCHMARK_VERSION,
) -> Response:
    """A figure of the ranking for plotly.js."""
    found = ranking_of(state, part, scale, version)
    return state.cache.answer(
        request, lambda: plotly(figures.RANKING[name](found, language)),
        found.stamp, "figure", name, part, scale, language, version,
    )  # fmt: skip
