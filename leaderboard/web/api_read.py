"""What the JSON API, /api/v1, lets everybody read; no answer holds a gold answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel
from sqlalchemy import func, select
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ita_med import catalogue
from ita_med.leaderboard.database import jobs, tables
from ita_med.leaderboard.database.jobs import Job
from ita_med.leaderboard.results.ranking import Ranking
from ita_med.leaderboard.web.parameters import RankingPart, Scale, SubmissionId, Version
from ita_med.leaderboard.web.responses import Problem, problems
from ita_med.leaderboard.web.state import CurrentState
from ita_med.leaderboard.web.views import System, ranking_of, system_of
from ita_med.tasks.report import reference
from ita_med.tasks.report.reference import Reference
from ita_med.version import BENCHMARK_VERSION, __version__


class Health(BaseModel):
    status: Literal["ok"]
    version: str
    benchmark_version: str


@dataclass
class TaskInfo:
    id: str
    family: str
    dataset: str
    distribution: str
    headline: str
    title: str
    data: str
    floor: float | None


router = APIRouter()


@router.get("/health", response_model=Health)
def health(state: CurrentState) -> Response:
    """Whether the database answers."""
    state.board.stamp()
    return JSONResponse(
        {"status": "ok", "version": __version__, "benchmark_version": BENCHMARK_VERSION},
        headers={"cache-control": "no-store"},
    )


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(state: CurrentState) -> Response:
    """Counters in Prometheus' text format."""
    with state.engine.begin() as connection:
        on_board = select(func.count()).select_from(tables.submissions).where(tables.submissions.c.withdrawn.is_(None))
        submissions = connection.execute(on_board).scalar_one()
        by_state = connection.execute(select(tables.jobs.c.state, func.count()).group_by(tables.jobs.c.state)).all()
    now = CollectorRegistry()
    Gauge("itamed_submissions", "Submissions on the board.", registry=now).set(submissions)
    jobs = Gauge("itamed_jobs", "Jobs in the queue.", ["state"], registry=now)
    for name, number in by_state:
        jobs.labels(name).set(number)
    text = generate_latest(now) + generate_latest(state.counters.registry)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"cache-control": "no-store"})


@router.get("/api/v1/ranking", response_model=Ranking, responses=problems(409, 422))
def ranking(
    request: Request,
    state: CurrentState,
    part: RankingPart = "all",
    scale: Scale = "raw",
    version: Version = BENCHMARK_VERSION,
) -> Response:
    """The board: ranked systems in tie groups, then partial ones, floors, and rows of other gold data."""
    found = ranking_of(state, part, scale, version)
    return state.cache.answer(request, lambda: found, found.stamp, "ranking", part, scale, version)


@router.get("/api/v1/systems/{id}", response_model=System, responses=problems(404, 422))
def system(request: Request, state: CurrentState, id: SubmissionId, version: Version = BENCHMARK_VERSION) -> Response:
    """One row with its metrics, its command and versions, and its history."""
    found = ranking_of(state, version=version)
    if all(row.id != id for row in found.rows):
        found = ranking_of(state, version=version, fresh=True)  # it may have come a moment ago
    if all(row.id != id for row in found.rows):
        raise Problem("No such system", 404)
    return state.cache.answer(request, lambda: system_of(state, found, id), found.stamp, "system", str(id), version)


@router.get("/api/v1/tasks", response_model=list[TaskInfo])
def tasks(request: Request, state: CurrentState) -> Response:
    """The tasks of the benchmark, the gold data that the board scores on, and the random floor, in points."""
    found = ranking_of(state)
    return state.cache.answer(request, lambda: _tasks(found), found.stamp, "tasks")


def _tasks(found: Ranking) -> list[dict[str, Any]]:
    floors = {task: round(100 * score, 3) for task, score in found.floors.items()}
    rows = [
        TaskInfo(
            k.id, k.family, k.dataset, k.distribution, k.headline, k.title, found.data.get(k.id, ""), floors.get(k.id)
        )
        for k in catalogue.tasks(ready=True)
    ]
    return [asdict(row) for row in rows]


@router.get("/api/v1/reference", response_model=Reference)
def published(request: Request, state: CurrentState) -> Response:
    """The table of the paper: shown beside the board, never ranked or averaged with it."""
    return state.cache.answer(request, lambda: reference.load(), state.board.stamp(), "reference")


@router.get("/api/v1/queue", response_model=list[Job])
def waiting(state: CurrentState) -> Response:
    """Models that wait, run, or ran, in the order of the queue."""
    with state.engine.begin() as connection:
        found = jobs.jobs(connection)
    return JSONResponse([asdict(job) for job in found], headers={"cache-control": "no-store"})
