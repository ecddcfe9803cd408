"""What PostgreSQL does otherwise than SQLite: several writers, a server that may be away, its own backups, time zones.

The tests of the store, the API, the queue and the ranking run on both databases (DATABASES in these modules).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, text

from ita_med.errors import ItaMedError
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, jobs, store, tables
from ita_med.leaderboard.submissions.check import check
from ita_med.leaderboard.web.settings import Settings

from ..conftest import BOTH, Files, change_manifest, url_of
from ..postgres import binaries

pytestmark = pytest.mark.slow

DATABASES = ["postgresql"]


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """Results or errors of calls that begin at the same moment."""
    ready = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        ready.wait()
        try:
            return call()
        except ItaMedError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def submit(engine: Engine, user: accounts.User, files: Files) -> tuple[int, bool]:
    checked = check(files, "embedded")
    assert checked.submission is not None
    with store.writing(engine) as connection:
        return store.add_submission(connection, user.id, checked.submission, checked.scores)


def enqueue(engine: Engine, user: accounts.User, model: str, most: int = 3) -> tuple[int, bool]:
    with store.writing(engine) as connection:
        return jobs.enqueue(connection, user, model, most=most)


def test_a_reader_sees_one_state_of_the_board(engine: Engine, user: accounts.User, files: Files) -> None:
    """Between the two queries of `entries` a submission may arrive, and must not be half seen."""
    submit(engine, user, files)
    with engine.begin() as connection:
        before = store.stamp_of(connection)
        submit(engine, user, change_manifest(files, revision="2"))
        assert store.stamp_of(connection) == before
        assert len(store.entries(connection, synthetic=True)) == 1
    with engine.begin() as connection:
        assert len(store.entries(connection, synthetic=True)) == 2


def test_times_are_utc_whatever_the_server_s_zone(engine: Engine, user: accounts.User, files: Files) -> None:
    submit(engine, user, files)
    enqueue(engine, user, "org/model")
    with engine.begin() as connection:
        (entry,) = store.entries(connection, synthetic=True)
        (job,) = jobs.jobs(connection)
    assert entry.created.utcoffset() == timedelta(0)
    assert abs(datetime.fromisoformat(job.created) - datetime.now(UTC)) < timedelta(minutes=1)


def test_models_asked_for_at_the_same_moment_keep_to_the_limit(engine: Engine, user: accounts.User) -> None:
    got = together([lambda n=n: enqueue(engine, user, f"org/model-{n}") for n in range(8)])  # type: ignore[misc]
    assert sum(isinstance(one, tuple) for one in got) == 3
    with engine.begin() as connection:
        assert len(jobs.jobs(connection)) == 3


def test_a_model_asked_for_by_several_users_at_once_is_one_job(engine: Engine) -> None:
    with store.writing(engine) as connection:
        users = [accounts.add_user(connection, f"user-{n}") for n in range(6)]
    got = together([lambda u=u: enqueue(engine, u, "org/model") for u in users])  # type: ignore[misc]
    assert sorted(new for _, new in got) == [False] * 5 + [True]
    assert len({number for number, _ in got}) == 1


def test_a_name_taken_at_the_same_moment_is_taken_once(engine: Engine) -> None:
    def add() -> accounts.User:
        with store.writing(engine) as connection:
            return accounts.add_user(connection, "anna.verdi")

    got = together([add] * 4)
    assert sorted(type(one).__name__ for one in got) == ["ItaMedError"] * 3 + ["User"]


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables."""
    if request.param == "sqlite":
        yield str(tmp_path / "new.sqlite")
        return
    url = request.getfixturevalue("postgres")
    server = create_engine(store.address(url), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE fresh"))
    yield url.rpartition("/")[0] + "/fresh"
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE fresh WITH (FORCE)"))
    server.dispose()


@pytest.mark.parametrize("empty", BOTH, indirect=True)
def test_several_servers_that_start_on_an_empty_database_migrate_it_once(empty: str) -> None:
    for engine in together([lambda: store.connect(empty)] * 4):
        with engine.begin() as connection:
            assert store.stamp_of(connection) == store.stamp_of(connection)
        engine.dispose()


@pytest.mark.parametrize("empty", ["postgresql"], indirect=True)
def test_pg_dump_and_pg_restore_keep_everything(
    engine: Engine, user: accounts.User, files: Files, empty: str, tmp_path: Path
) -> None:
    """The commands of docs/leaderboard.md."""
    submit(engine, user, files)
    programs = binaries()
    assert programs is not None
    source = url_of(engine).replace("+psycopg", "")
    file = tmp_path / "board.dump"
    dump = [programs / "pg_dump", "--format=custom", f"--file={file}", source]
    subprocess.run(dump, check=True)
    subprocess.run([programs / "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={empty}", file], check=True)
    restored = store.connect(empty)
    with engine.begin() as first, restored.begin() as second:
        for table in tables.metadata.sorted_tables:
            rows = [sorted(map(repr, c.execute(table.select()))) for c in (first, second)]
            assert rows[0] == rows[1], table.name
    assert submit(restored, user, change_manifest(files, revision="2")) == (2, True)
    restored.dispose()


def test_a_server_that_is_away_is_one_line_without_its_password(engine: Engine) -> None:
    away = engine.url.set(port=1, password="secret-word").render_as_string(hide_password=False)
    with pytest.raises(ItaMedError, match="cannot be opened") as raised:
        store.connect(away)
    assert "secret-word" not in str(raised.value)
    with pytest.raises(ItaMedError, match="cannot be opened") as raised:
        store.connect(engine.url.set(password="secret-word").render_as_string(hide_password=False))
    assert "secret-word" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["mysql://u:secret-word@h/d", "postgresql://u:secret-word@h:port/d", "file:///etc/passwd"]
)
def test_other_databases_are_refused_in_one_line(engine: Engine, url: str) -> None:
    with pytest.raises(ItaMedError) as raised:
        store.connect(url)
    assert "secret-word" not in str(raised.value)


def test_while_the_database_is_away_answers_are_503(engine: Engine) -> None:
    away = create_engine(engine.url.set(port=1), connect_args={"connect_timeout": 2})
    client = TestClient(make_app(away, "embedded", Settings(check_processes=0)), raise_server_exceptions=False)
    for path in ("/health", "/metrics", "/api/v1/ranking", "/api/v1/queue"):
        answer = client.get(path)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True), path
        assert "127.0.0.1" not in answer.text
    token = {"Authorization": f"Bearer itamed_{'0' * 12}_{'A' * 43}"}
    assert client.post("/api/v1/queue", json={"model": "org/model"}, headers=token).status_code == 503
