"""The queue of models that the maintainers evaluate: one job for each model, revision and method.

A job is queued, running, done or failed. A worker says every few seconds that it lives; a job whose worker fell silent
goes back into the queue, at most `ATTEMPTS` times.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import store, tables
from ita_med.leaderboard.database.accounts import User
from ita_med.version import BENCHMARK_VERSION

ATTEMPTS = 3
SILENT_SECONDS = 120.0
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
REVISION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._/-]{0,79})?")
METHODS = {
    "zero-shot": [],
    "4-shot": ["--num_fewshot", "4"],
    "zero-shot + CD": ["--constrained"],
    "4-shot + CD": ["--num_fewshot", "4", "--constrained"],
}  # fmt: skip
"""What a job may ask for, with the arguments of `ita-med eval`: never text of the user."""


class JobTakenAway(ItaMedError):
    """The job was given to another worker in the meantime."""


@dataclass(frozen=True)
class Job:
    """A model in the queue.

    Attributes:
        state: "queued", "running", "done" or "failed".
        position: 1 for the next one to run; None where the job does not wait.
        attempts: How often a worker has begun it.
        message: Why it failed, or waits again.
        submission_id: Of the result, where it is done.
        created: When it was asked for; all times are ISO 8601, UTC.
        heartbeat: When its worker was last heard of.
        finished: When it ended.
    """

    id: int
    model: str
    revision: str
    method: str
    state: str
    position: int | None
    attempts: int
    message: str
    submission_id: int | None
    created: str
    heartbeat: str | None
    finished: str | None


def enqueue(
    connection: Connection, user: User, model: str, revision: str = "", method: str = "zero-shot", most: int = 3
) -> tuple[int, bool]:
    """Ask for the evaluation of a model. A job that failed is queued again.

    Args:
        connection: Of a `store.writing` transaction.
        user: Who asks.
        model: Its name on the Hub.
        revision: A commit, branch or tag; "" for the newest.
        method: One of `METHODS`.
        most: How many models a submitter may have waiting.

    Returns:
        The id of the job, and whether it is new.

    Raises:
        ItaMedError: A name is not allowed, or too many of the user's models are waiting.
    """
    if not MODEL.fullmatch(model) or ".." in model:
        raise ItaMedError("a model is named as on the Hub: ORG/NAME")
    if not REVISION.fullmatch(revision) or ".." in revision:
        raise ItaMedError("a revision is a commit, branch or tag of the model")
    if method not in METHODS:
        raise ItaMedError(f"a method is one of {', '.join(METHODS)}")
    store.lock_user(connection, user.id)
    key = hashlib.sha256("\0".join((model, revision, method, BENCHMARK_VERSION)).encode()).hexdigest()
    known = _known(connection, key)
    if known is not None and known.state != "failed":
        return known.id, False
    mine = (tables.jobs.c.user_id == user.id) & (tables.jobs.c.state == "queued")
    waiting = connection.execute(select(func.count()).select_from(tables.jobs).where(mine)).scalar_one()
    if not user.maintainer and waiting >= most:
        raise ItaMedError(f"{waiting} of your models are waiting already; {most} may")
    if known is not None:
        again = {"state": "queued", "attempts": 0, "message": "", "finished": None, "worker": None, "heartbeat": None}
        connection.execute(update(tables.jobs).where(tables.jobs.c.id == known.id).values(again))
        number = known.id
    else:
        values = {
            "key": key, "user_id": user.id, "model": model, "revision": revision, "method": method,
            "benchmark_version": BENCHMARK_VERSION, "state": "queued", "attempts": 0, "message": "",
            "created": store.now(),
        }  # fmt: skip
        try:
            with connection.begin_nested():
                number = connection.execute(insert(tables.jobs).values(values).returning(tables.jobs.c.id)).scalar_one()
        except IntegrityError:  # PostgreSQL: another user was first
            return _known(connection, key).id, False
    store.record(connection, user.id, "queue", f"job {number}", model)
    return number, True


def _known(connection: Connection, key: str) -> Any:
    """The job with a key, its row locked, or None."""
    return connection.execute(
        select(tables.jobs.c.id, tables.jobs.c.state).where(tables.jobs.c.key == key).with_for_update()
    ).first()


def jobs(connection: Connection, most: int = 200) -> list[Job]:
    """Running and waiting jobs in the order of the queue, then the newest finished ones."""
    queue = tables.jobs
    order = {"running": 0, "queued": 1}
    open_rows = connection.execute(select(queue).where(queue.c.state.in_(order)).order_by(queue.c.id)).all()
    closed = connection.execute(
        select(queue).where(queue.c.state.not_in(order)).order_by(queue.c.id.desc()).limit(most)
    ).all()
    rows = [*sorted(open_rows, key=lambda row: (order[row.state], row.id)), *closed]
    first = sum(row.state == "running" for row in rows)
    return [_job(row, n - first + 1 if row.state == "queued" else None) for n, row in enumerate(rows)]


def _job(row: Any, position: int | None = None) -> Job:
    def iso(moment: datetime | None) -> str | None:
        return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z" if moment else None

    return Job(
        row.id, row.model, row.revision, row.method, row.state, position, row.attempts, row.message, row.submission_id,
        iso(row.created) or "", iso(row.heartbeat), iso(row.finished),
    )  # fmt: skip


def requeue(connection: Connection, silent: float = SILENT_SECONDS) -> int:
    """Put jobs whose worker fell silent back into the queue; after `ATTEMPTS` attempts they fail.

    Args:
        connection: Of a `store.writing` transaction.
        silent: Seconds after which a worker counts as dead.

    Returns:
        How many jobs there were.
    """
    queue = tables.jobs
    lost = (queue.c.state == "running") & (queue.c.heartbeat < store.now() - timedelta(seconds=silent))
    gone = {"state": "failed", "finished": store.now(), "message": f"given up after {ATTEMPTS} attempts"}
    ended = connection.execute(update(queue).where(lost & (queue.c.attempts >= ATTEMPTS)).values(gone))
    back = {"state": "queued", "worker": None, "message": "its worker fell silent"}
    again = connection.execute(update(queue).where(lost).values(back))
    return ended.rowcount + again.rowcount


def claim(connection: Connection, worker: str) -> Job | None:
    """The next job, now running by this worker; None where nothing waits. For a `store.writing` transaction."""
    queue = tables.jobs
    waiting = select(queue).where((queue.c.state == "queued") & (queue.c.benchmark_version == BENCHMARK_VERSION))
    row = connection.execute(waiting.order_by(queue.c.id).limit(1).with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    running = {"state": "running", "worker": worker, "heartbeat": store.now(), "attempts": row.attempts + 1}
    connection.execute(update(queue).where(queue.c.id == row.id).values(running))
    return _job(connection.execute(select(queue).where(queue.c.id == row.id)).one())


def beat(connection: Connection, job: Job, worker: str) -> None:
    """Say that the worker lives; `JobTakenAway` where another worker has the job."""
    _mine(connection, job, worker, {"heartbeat": store.now()})


def finish(connection: Connection, job: Job, worker: str, submission_id: int) -> None:
    """Mark a job as done; `JobTakenAway` where another worker has it."""
    values = {"state": "done", "submission_id": submission_id, "finished": store.now(), "message": ""}
    _mine(connection, job, worker, values)


def fail(connection: Connection, job: Job, worker: str, message: str) -> None:
    """Mark a job as failed; `JobTakenAway` where another worker has it."""
    _mine(connection, job, worker, {"state": "failed", "message": message[:300], "finished": store.now()})


def _mine(connection: Connection, job: Job, worker: str, values: dict[str, Any]) -> None:
    queue = tables.jobs
    mine = (
        (queue.c.id == job.id)
        & (queue.c.worker == worker)
        & (queue.c.state == "running")
        & (queue.c.attempts == job.attempts)
    )
    if connection.execute(update(queue).where(mine).values(values)).rowcount != 1:
        raise JobTakenAway(f"job {job.id} was given to another worker")
