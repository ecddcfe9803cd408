"""What the JSON API, /api/v1, takes from those who have a token: submissions, and models for the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from ita_med.dataset_builders.formats.json_lines import loads
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import accounts, jobs, store
from ita_med.leaderboard.database.accounts import User
from ita_med.leaderboard.submissions.check import Checked
from ita_med.leaderboard.web import uploads
from ita_med.leaderboard.web.parameters import SubmissionId
from ita_med.leaderboard.web.responses import Problem, problems, too_many
from ita_med.leaderboard.web.state import CurrentState, SharedState, spend

MAX_JSON_BYTES = 16_384


class SubmissionAccepted(BaseModel):
    """id: of the submission, or of the first one where this is its duplicate; scores: in points, by task."""

    id: int
    duplicate: bool
    scores: dict[str, float]


class DryRunScores(BaseModel):
    """What the board would score; nothing is kept."""

    scores: dict[str, float]


class SubmissionWithdrawn(BaseModel):
    id: int


class JobRequest(BaseModel):
    """A model for the queue."""

    model_config = ConfigDict(extra="forbid", strict=True)
    model: str
    revision: str = ""
    method: Literal["zero-shot", "4-shot", "zero-shot + CD", "4-shot + CD"] = "zero-shot"


class JobAccepted(BaseModel):
    id: int
    new: bool


router = APIRouter()
bearer = HTTPBearer(auto_error=False, description="A token of this board: itamed_…")
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
JOB = {"requestBody": {"required": True, "content": {"application/json": {"schema": JobRequest.model_json_schema()}}}}


def repeated(model: type[BaseModel], description: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of a route that answers 200 instead of 201 when the same was sent before."""
    return {200: {"model": model, "description": description}}


def signed_in(
    request: Request, state: CurrentState, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
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


@router.post(
    "/api/v1/submissions",
    status_code=201,
    response_model=SubmissionAccepted,
    responses=repeated(SubmissionAccepted, "A duplicate: the id of the first")
    | problems(401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=UPLOAD,
)
async def submit(
    request: Request,
    state: CurrentState,
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
    response_model=DryRunScores,
    responses=problems(401, 408, 413, 415, 422, 429, 503),
    openapi_extra=UPLOAD,
)
async def dry_run(request: Request, state: CurrentState, user: SignedIn) -> Response:
    """Check and score a submission without keeping it."""
    checked = await _checked(request, state)
    return JSONResponse({"scores": scores_of(checked)}, headers={"cache-control": "no-store"})


async def _checked(request: Request, state: SharedState) -> Checked:
    """Read and check the upload; whatever is wrong with it is raised as a `Problem`, before quota and database."""
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
    """The score of each task in points."""
    return {scores.task: round(100 * scores.metrics["score"], 3) for scores in checked.scores}


@router.post(
    "/api/v1/submissions/{id}/withdraw", response_model=SubmissionWithdrawn, responses=problems(401, 403, 404, 422, 429)
)
def withdraw(state: CurrentState, user: SignedIn, id: SubmissionId) -> Response:
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
    response_model=JobAccepted,
    responses=repeated(JobAccepted, "The model is queued already") | problems(401, 413, 422, 429),
    openapi_extra=JOB,
)
async def enqueue(request: Request, state: CurrentState, user: SignedIn) -> Response:
    """Ask the maintainers to evaluate a model of the Hub."""
    try:
        async with asyncio.timeout(state.settings.upload_seconds):
            content = await uploads.read_body(request, MAX_JSON_BYTES)
        wanted = JobRequest.model_validate(loads(content.decode("utf-8")))
    except TimeoutError as error:
        raise too_slow() from error
    except uploads.TooLarge as error:
        raise Problem("The body is too large", 413, f"at most {MAX_JSON_BYTES:,} bytes") from error
    except (ValueError, RecursionError) as error:
        raise Problem("Not a job", 422, 'send {"model": "ORG/NAME", "revision": "", "method": "zero-shot"}') from error

    def add() -> tuple[int, bool]:
        with store.writing(state.engine) as connection:
            return jobs.enqueue(connection, user, wanted.model, wanted.revision, wanted.method, state.settings.queue)

    number, new = await run_in_threadpool(_or_422(add))
    return JSONResponse({"id": number, "new": new}, 201 if new else 200, {"cache-control": "no-store"})


def _or_422(run: Callable[[], tuple[int, bool]]) -> Callable[[], tuple[int, bool]]:
    def running() -> tuple[int, bool]:
        try:
            return run()
        except ItaMedError as error:
            raise Problem("Not a job", 422, str(error)) from error

    return running


def too_slow() -> Problem:
    """A 408: the body did not arrive in time."""
    return Problem("The body did not come in time", 408, headers={"connection": "close"})
