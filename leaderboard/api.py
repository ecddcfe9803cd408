"""The JSON API, /api/v1: reading needs no account, submitting needs a token. No answer holds a gold answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ita_med import BENCHMARK_VERSION, __version__, catalogue
from ita_med.dataset_builders.jsonl import loads
from ita_med.errors import ItaMedError
from ita_med.leaderboard import accounts, queue, store, uploads
from ita_med.leaderboard import tables as t
from ita_med.leaderboard.accounts import User
from ita_med.leaderboard.answers import Problem
from ita_med.leaderboard.app import State
from ita_med.leaderboard.check import Checked
from ita_med.leaderboard.queue import Job
from ita_med.leaderboard.ranking import Ranking, Row
from ita_med.leaderboard.submission import printable
from ita_med.tasks.report import reference
from ita_med.tasks.report.reference import Reference

MAX_JSON_BYTES = 16_384
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


class Accepted(BaseModel):
    """id: of the submission, or of the first one where this is its duplicate; scores: in points, by task."""

    id: int
    duplicate: bool
    scores: dict[str, float]


class Dry(BaseModel):
    """What the board would score; nothing is kept."""

    scores: dict[str, float]


class Withdrawn(BaseModel):
    id: int


class Wanted(BaseModel):
    """A model for the queue."""

    model_config = ConfigDict(extra="forbid", strict=True)
    model: str
    revision: str = ""
    method: Literal["zero-shot", "4-shot", "zero-shot + CD", "4-shot + CD"] = "zero-shot"


class Queued(BaseModel):
    id: int
    new: bool


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


def repeated(model: type[BaseModel], description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": description}}


def state_of(request: Request) -> State:
    found: State = request.app.state.board
    return found


router = APIRouter()
bearer = HTTPBearer(auto_error=False, description="A token of this board: itamed_…")
Board = Annotated[State, Depends(state_of)]
Part = Annotated[Literal["all", "id", "ood"], Query(description="All tasks, in or out of distribution.")]
Scale = Annotated[Literal["raw", "normalised"], Query(description="normalised: (score − random) / (1 − random).")]
Version = Annotated[str, Query(pattern=r"^[0-9][0-9.]{0,15}$", description="Version of the benchmark.")]
Number = Annotated[int, Path(ge=1, le=2**53)]
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
        },
    }
}
JOB = {"requestBody": {"required": True, "content": {"application/json": {"schema": Wanted.model_json_schema()}}}}


def spend(state: State, request: Request) -> None:
    """Count a request that costs work against its address."""
    if wait := state.addresses.wait(request.client.host if request.client else ""):
        raise too_many("Too many requests from this address", wait)


def too_many(title: str, wait: int) -> Problem:
    return Problem(title, 429, f"try again in {wait} seconds", headers={"retry-after": str(wait)})


def too_slow() -> Problem:
    return Problem("The body did not come in time", 408, headers={"connection": "close"})


def signed_in(
    request: Request, state: Board, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> User:
    """The user of the request's token; a wrong token costs its address as much as a right one."""
    spend(state, request)
    user = None
    if given is not None:
        with state.engine.begin() as connection:
            user = accounts.authenticate(connection, given.credentials)
    if user is None:
        raise Problem("A valid token is needed", 401, headers={"www-authenticate": "Bearer"})
    if wait := state.users.wait(str(user.id)):
        raise too_many("Too many requests of this user", wait)
    return user


SignedIn = Annotated[User, Depends(signed_in)]


# --- reading


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
        on_board = select(func.count()).select_from(t.submissions).where(t.submissions.c.withdrawn.is_(None))
        submissions = connection.execute(on_board).scalar_one()
        by_state = connection.execute(select(t.jobs.c.state, func.count()).group_by(t.jobs.c.state)).all()
    lines = ["# TYPE itamed_submissions gauge", f"itamed_submissions {submissions}", "# TYPE itamed_jobs gauge"]
    lines += [f'itamed_jobs{{state="{name}"}} {n}' for name, n in sorted(map(tuple, by_state))]
    text = "\n".join([*lines, *state.counters.lines()]) + "\n"
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4", headers={"cache-control": "no-store"})


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


# --- writing


@router.post(
    "/api/v1/submissions",
    status_code=201,
    response_model=Accepted,
    responses=repeated(Accepted, "A duplicate: the id of the first") | problems(401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=UPLOAD,
)
async def submit(
    request: Request,
    state: Board,
    user: SignedIn,
    provenance: Annotated[
        Literal["re-scored", "reproduced", "floor"], Query(description="Other than re-scored: maintainers only.")
    ] = "re-scored",
) -> Response:
    """Check, re-score and keep a submission: the folder of `ita-med eval` as a zip. Stated scores are not read."""
    if provenance != "re-scored" and not user.maintainer:
        raise Problem("Only maintainers state a provenance", 403)
    checked = await _checked(request, state)

    def keep() -> tuple[int, bool]:
        with store.writing(state.engine) as connection:
            return uploads.keep(connection, user, checked, state.settings.quota, provenance)

    try:
        number, new = await run_in_threadpool(keep)
    except uploads.QuotaReached as error:
        raise too_many(f"{state.settings.quota} submissions are accepted per day", 3600) from error
    body = {"id": number, "duplicate": not new, "scores": scores_of(checked)}
    where = {"location": f"/api/v1/systems/{number}", "cache-control": "no-store"}
    return JSONResponse(body, 201 if new else 200, where)


@router.post(
    "/api/v1/check",
    response_model=Dry,
    responses=problems(401, 408, 413, 415, 422, 429, 503),
    openapi_extra=UPLOAD,
)
async def dry_run(request: Request, state: Board, user: SignedIn) -> Response:
    """Check and score a submission without keeping it."""
    checked = await _checked(request, state)
    return JSONResponse({"scores": scores_of(checked)}, headers={"cache-control": "no-store"})


async def _checked(request: Request, state: State) -> Checked:
    """Read and check the upload; a problem of any kind ends here, before quota or database are touched."""
    try:
        async with asyncio.timeout(state.settings.upload_seconds):
            content = await uploads.read_upload(request, state.settings.upload_bytes)
        checked = await run_in_threadpool(state.checkers.run, content)
    except TimeoutError as error:
        raise too_slow() from error
    except uploads.TooLarge as error:
        raise Problem("The upload is too large", 413, f"at most {state.settings.upload_bytes:,} bytes") from error
    except uploads.WrongType as error:
        detail = 'send a zip as application/zip, or as the field "file" of a form'
        raise Problem("Not an upload", 415, detail) from error
    except uploads.Busy as error:
        raise Problem("All checkers are busy", 503, headers={"retry-after": "60"}) from error
    if not checked.accepted:
        raise Problem("The submission was not accepted", 422, checked.problems[0], problems=checked.problems)
    return checked


def scores_of(checked: Checked) -> dict[str, float]:
    return {scores.task: round(100 * scores.metrics["score"], 3) for scores in checked.scores}


@router.post("/api/v1/submissions/{id}/withdraw", response_model=Withdrawn, responses=problems(401, 403, 404, 422, 429))
def withdraw(state: Board, user: SignedIn, id: Number) -> Response:
    """Take a submission off the board: its owner or a maintainer."""
    with store.writing(state.engine) as connection:
        kept = store.submission(connection, id)
        if kept is None:
            raise Problem("No such submission", 404)
        if kept.user_id != user.id and not user.maintainer:
            raise Problem("Not your submission", 403)
        store.withdraw(connection, user.id, id)
    return JSONResponse({"id": id}, headers={"cache-control": "no-store"})


@router.post(
    "/api/v1/queue",
    status_code=201,
    response_model=Queued,
    responses=repeated(Queued, "The model is queued already") | problems(401, 413, 422, 429),
    openapi_extra=JOB,
)
async def enqueue(request: Request, state: Board, user: SignedIn) -> Response:
    """Ask the maintainers to evaluate a model of the Hub."""
    try:
        async with asyncio.timeout(state.settings.upload_seconds):
            content = await uploads.read_body(request, MAX_JSON_BYTES)
        wanted = Wanted.model_validate(loads(content.decode("utf-8")))
    except TimeoutError as error:
        raise too_slow() from error
    except uploads.TooLarge as error:
        raise Problem("The body is too large", 413, f"at most {MAX_JSON_BYTES:,} bytes") from error
    except (ValueError, RecursionError) as error:
        raise Problem("Not a job", 422, 'send {"model": "ORG/NAME", "revision": "", "method": "zero-shot"}') from error

    def add() -> tuple[int, bool]:
        with store.writing(state.engine) as connection:
            return queue.enqueue(connection, user, wanted.model, wanted.revision, wanted.method, state.settings.queue)

    number, new = await run_in_threadpool(_or_422(add))
    return JSONResponse({"id": number, "new": new}, 201 if new else 200, {"cache-control": "no-store"})


def _or_422(run: Callable[[], tuple[int, bool]]) -> Callable[[], tuple[int, bool]]:
    def running() -> tuple[int, bool]:
        try:
            return run()
        except ItaMedError as error:
            raise Problem("Not a job", 422, str(error)) from error

    return running
