"""What the JSON API, /api/v1, lets everybody read; no answer holds a gold answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel
from sqlalchemy import func, select
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard import queue, store, tables
from ita_med.leaderboard.answers import Problem
from ita_med.leaderboard.app import State
from ita_med.leaderboard.queue import Job
from ita_med.leaderboard.ranking import Ranking, Row
from ita_med.leaderboard.submission import printable
from ita_med.tasks.report import reference
from ita_med.tasks.report.reference import Reference
from ita_med.version import BENCHMARK_VERSION, __version__

MANIFEST_KEYS = ("command", "dtype", "versions", "hardware", "started", "run", "prompts_sha256", "chat_template_sha256")
"""What of a manifest is shown, beside the claim: what one needs to repeat the run."""
MAX_SHOWN = 300


class ProblemBody(BaseModel):
    """RFC 9457. problems: of an upload, at most 50, one line each."""

    type: str
    title: str
    status: int
    detail: str
    problems: list[str] = []


class Health(BaseModel):
    status: Literal["ok"]
    version: str
    benchmark_version: str


@dataclass
class System:
    """One row with everything about it. manifest: what is needed to repeat the run, as stated by the submitter;
    history: submissions of the same model by the same user, oldest first."""

    row: Row
    errors: dict[str, float]
    metrics: dict[str, dict[str, float]]
    data: dict[str, str]
    predictions_sha256: str
    manifest: dict[str, Any]
    history: list[int]


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


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that are problems, for OpenAPI."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {code: {"model": ProblemBody, "content": content} for code in codes}


def state_of(request: Request) -> State:
    found: State = request.app.state.board
    return found


router = APIRouter()
Board = Annotated[State, Depends(state_of)]
Part = Annotated[Literal["all", "id", "ood"], Query(description="All tasks, in or out of distribution.")]
Scale = Annotated[Literal["raw", "normalised"], Query(description="normalised: (score − random) / (1 − random).")]
Version = Annotated[str, Query(pattern=r"^[0-9][0-9.]{0,15}$", description="Version of the benchmark.")]
Number = Annotated[int, Path(ge=1, le=2**53)]


def spend(state: State, request: Request) -> None:
    """Count a request that costs work against its address."""
    if wait := state.addresses.wait(request.client.host if request.client else ""):
        raise too_many("Too many requests from this address", wait)


def too_many(title: str, wait: int) -> Problem:
    return Problem(title, 429, f"try again in {wait} seconds", headers={"retry-after": str(wait)})


@router.get("/health", response_model=Health)
def health(state: Board) -> Response:
    """Whether the database answers."""
    state.board.stamp()
    return JSONResponse(
        {"status": "ok", "version": __version__, "benchmark_version": BENCHMARK_VERSION},
        headers={"cache-control": "no-store"},
    )


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(state: Board) -> Response:
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
    request: Request, state: Board, part: Part = "all", scale: Scale = "raw", version: Version = BENCHMARK_VERSION
) -> Response:
    """The board: ranked systems in tie groups, then partial ones, floors, and rows of other gold data."""
    found = ranking_of(state, part, scale, version)
    return state.cache.answer(request, lambda: found, found.stamp, "ranking", part, scale, version)


def ranking_of(
    state: State, part: str = "all", scale: str = "raw", version: str = BENCHMARK_VERSION, *, fresh: bool = False
) -> Ranking:
    try:
        return state.board.ranking(part, scale, synthetic=state.synthetic, version=version, fresh=fresh)
    except ItaMedError as error:
        raise Problem("No such ranking", 409, str(error)) from error


@router.get("/api/v1/systems/{id}", response_model=System, responses=problems(404, 422))
def system(request: Request, state: Board, id: Number, version: Version = BENCHMARK_VERSION) -> Response:
    """One row with its metrics, its command and versions, and its history."""
    found = ranking_of(state, version=version)
    if all(row.id != id for row in found.rows):
        found = ranking_of(state, version=version, fresh=True)  # it may have come a moment ago
    if all(row.id != id for row in found.rows):
        raise Problem("No such system", 404)
    return state.cache.answer(request, lambda: system_of(state, found, id), found.stamp, "system", str(id), version)


def system_of(state: State, found: Ranking, number: int) -> System:
    """A row of a ranking with what the store knows of it; a Problem where it is not there."""
    row = next((row for row in found.rows if row.id == number), None)
    if row is None:
        raise Problem("No such system", 404)
    with state.engine.begin() as connection:
        entries = store.entries(connection, synthetic=state.synthetic, version=found.version)
        kept = store.submission(connection, number)
    entry = next((e for e in entries if e.id == number), None)
    if entry is None or kept is None:
        raise Problem("No such system", 404)
    history = [e.id for e in entries if (e.user, e.claim.model) == (entry.user, entry.claim.model)]
    manifest = {key: shown(kept.manifest[key]) for key in MANIFEST_KEYS if key in kept.manifest}
    return System(row, entry.errors, entry.metrics, entry.data, entry.predictions_sha256, manifest, history)


def shown(value: Any, depth: int = 3) -> Any:
    """A value of a manifest cut to what a reader needs: short texts, few levels, few entries."""
    match value:
        case str():
            return printable(value, MAX_SHOWN)
        case dict() if depth:
            return {printable(str(k)): shown(v, depth - 1) for k, v in list(value.items())[:50]}
        case list() if depth:
            return [shown(v, depth - 1) for v in value[:50]]
        case bool() | int() | float() | None:
            return value if not isinstance(value, int) or abs(value) < 2**53 else None
    return None


@router.get("/api/v1/tasks", response_model=list[TaskInfo])
def tasks(request: Request, state: Board) -> Response:
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
def published(request: Request, state: Board) -> Response:
    """The table of the paper: shown beside the board, never ranked or averaged with it."""
    return state.cache.answer(request, lambda: reference.load(), state.board.stamp(), "reference")


@router.get("/api/v1/queue", response_model=list[Job])
def waiting(state: Board) -> Response:
    """Models that wait, run, or ran, in the order of the queue."""
    with state.engine.begin() as connection:
        found = queue.jobs(connection)
    return JSONResponse([asdict(job) for job in found], headers={"cache-control": "no-store"})
