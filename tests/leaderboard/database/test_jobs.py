"""The queue: each model once, one worker per job, no job lost with its worker."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import accounts, jobs, store, tables

from ..conftest import BOTH

DATABASES = BOTH


def add(engine: Engine, user: accounts.User, model: str = "org/model", **options: str) -> tuple[int, bool]:
    with store.writing(engine) as connection:
        return jobs.enqueue(connection, user, model, **options)


def states(engine: Engine) -> list[tuple[str, int | None]]:
    with engine.begin() as connection:
        return [(job.state, job.position) for job in jobs.jobs(connection)]


def test_a_model_waits_once(engine: Engine, user: accounts.User) -> None:
    first, new = add(engine, user)
    assert new
    assert add(engine, user) == (first, False)
    assert add(engine, user, revision="abc")[1]
    assert add(engine, user, method="4-shot")[1]
    assert states(engine) == [("queued", 1), ("queued", 2), ("queued", 3)]
    with pytest.raises(ItaMedError, match="waiting already"):
        add(engine, user, "org/other")


@pytest.mark.parametrize(
    ("model", "revision", "method"),
    [
        ("", "", "zero-shot"),
        ("--help", "", "zero-shot"),
        ("../../etc/passwd", "", "zero-shot"),
        ("/etc/passwd", "", "zero-shot"),
        ("org/model,trust_remote_code=True", "", "zero-shot"),
        ("org/model;rm -rf /", "", "zero-shot"),
        ("http://169.254.169.254/latest", "", "zero-shot"),
        ("org/model\n--device=x", "", "zero-shot"),
        ("org/mod..el", "", "zero-shot"),
        ("org/model", "--device", "zero-shot"),
        ("org/model", "main,peft=evil", "zero-shot"),
        ("org/model", "", "zero-shot; id"),
        ("'; DROP TABLE jobs;--", "", "zero-shot"),
    ],
)
def test_nothing_but_a_name_gets_into_the_queue(
    engine: Engine, user: accounts.User, model: str, revision: str, method: str
) -> None:
    with pytest.raises(ItaMedError):
        add(engine, user, model, revision=revision, method=method)
    assert states(engine) == []


def test_two_workers_never_get_the_same_job(engine: Engine, user: accounts.User) -> None:
    maintainer = accounts.User(user.id, user.name, "maintainer")
    for n in range(6):
        add(engine, maintainer, f"org/model-{n}")
    claimed: list[int] = []

    def claim(name: str) -> None:
        for _ in range(3):
            with store.writing(engine) as connection:
                job = jobs.claim(connection, name)
            claimed.append(job.id if job else 0)

    threads = [threading.Thread(target=claim, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(n for n in claimed if n) == [1, 2, 3, 4, 5, 6]


def silence(engine: Engine) -> int:
    with store.writing(engine) as connection:
        connection.execute(update(tables.jobs).values(heartbeat=store.now() - timedelta(hours=1)))
        return jobs.requeue(connection)


def test_a_silent_worker_loses_its_job_and_may_not_finish_it(engine: Engine, user: accounts.User) -> None:
    add(engine, user)
    with store.writing(engine) as connection:
        old = jobs.claim(connection, "old")
        assert old is not None
        assert jobs.requeue(connection) == 0, "it has just been heard of"
    assert silence(engine) == 1
    assert states(engine) == [("queued", 1)]
    with store.writing(engine) as connection:
        again = jobs.claim(connection, "old")
        assert again is not None
        assert again.attempts == 2
        with pytest.raises(jobs.JobTakenAway):
            jobs.beat(connection, old, "old")
        with pytest.raises(jobs.JobTakenAway):
            jobs.beat(connection, again, "other")
        jobs.beat(connection, again, "old")


def test_after_three_attempts_a_job_fails_and_may_be_asked_for_again(engine: Engine, user: accounts.User) -> None:
    number, _ = add(engine, user)
    for _ in range(jobs.ATTEMPTS):
        with store.writing(engine) as connection:
            assert jobs.claim(connection, "w") is not None
        assert silence(engine) == 1
    assert states(engine) == [("failed", None)]
    assert add(engine, user) == (number, True)
    assert states(engine) == [("queued", 1)]
