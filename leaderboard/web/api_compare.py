"""The part of the JSON API that sets systems against each other: tests, documents, figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from ita_med.figures.plotly_json import plotly
from ita_med.leaderboard.results import figures
from ita_med.leaderboard.results.compare_documents import DocumentsCompared
from ita_med.leaderboard.results.compare_systems import SystemsCompared
from ita_med.leaderboard.web.parameters import Language, RankingPart, Scale, Systems, TaskName, Two, Version
from ita_med.leaderboard.web.responses import problems
from ita_med.leaderboard.web.state import CurrentState, SharedState, spend
from ita_med.leaderboard.web.views import compared, documents_of, ranking_of
from ita_med.version import BENCHMARK_VERSION

router = APIRouter()


class PlotlyFigure(BaseModel):
    """The arguments of `Plotly.newPlot`."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    config: dict[str, Any]


@router.get("/api/v1/compare", response_model=SystemsCompared, responses=problems(409, 422, 429))
def comparison(
    request: Request,
    state: CurrentState,
    systems: Systems,
    version: Version = BENCHMARK_VERSION,
) -> Response:
    """Differences with intervals and tests; p-values are corrected over the pairs asked for."""
    return costly(request, state, lambda: asdict(compared(state, systems, version)), "compare", systems, version)


def costly(request: Request, state: SharedState, make: Callable[[], Any], *key: str) -> Response:
    """The answer of a comparison, from the cache where it is there; making it counts against the reader's address."""
    full = (state.board.stamp(), *key)
    if not state.cache.known(*full):
        spend(state, request)
    return state.cache.answer(request, make, *full)


@router.get("/api/v1/compare/documents", response_model=DocumentsCompared, responses=problems(409, 422, 429))
def compared_documents(
    request: Request, state: CurrentState, systems: Two, task: TaskName, version: Version = BENCHMARK_VERSION
) -> Response:
    """Where two systems differ on a task: documents by id or number with their scores, largest differences first."""
    make = lambda: asdict(documents_of(state, systems, task, version))  # noqa: E731
    return costly(request, state, make, "documents", systems, task, version)


@router.get("/api/v1/figures/{name}", response_model=PlotlyFigure, responses=problems(409, 422))
def figure(
    request: Request,
    state: CurrentState,
    name: Literal["ranks", "parameters", "speed", "families"],
    part: RankingPart = "all",
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
