"""The database: migrations, one row per submission, transactions, accounts; on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from pathlib import Path
from typing import Any

import argon2
import numpy as np
import pytest
from sqlalchemy import Engine, func, select

from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import accounts, jobs, store, tables
from ita_med.leaderboard.submissions.check import check
from ita_med.tasks.scoring.metrics import cluster_sums

from ..conftest import BOTH, TASKS, Files, change_manifest

pytestmark = pytest.mark.slow

DATABASES = BOTH


def add(engine: Engine, user: accounts.User, files: Files) -> tuple[int, bool]:
    checked = check(files, "embedded")
    assert checked.submission is not None
    with store.writing(engine) as connection:
        return store.add_submission(connection, user.id, checked.submission, checked.scores)


def test_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    store.migrate(engine)


def test_what_was_stored_comes_back(engine: Engine, user: accounts.User, files: Files) -> None:
    checked = check(files, "embedded")
    number, new = add(engine, user, files)
    assert new
    with engine.begin() as connection:
        (entry,) = store.entries(connection, synthetic=True)
        assert store.entries(connection, synthetic=False) == []
        assert (entry.id, entry.user, entry.provenance) == (number, "giulia.rossi", "re-scored")
        assert checked.submission is not None
        assert entry.claim == checked.submission.claim
        assert entry.scores == {x.task: x.metrics["score"] for x in checked.scores}
        for scores in checked.scores:
            kept = store.counts(connection, scores.task, [number])[number]
            assert np.array_equal(kept, cluster_sums(scores.counts, scores.clusters))
        assert store.uploads_today(connection, user.id) == 1


def test_the_same_submission_twice_is_one_row(engine: Engine, user: accounts.User, files: Files) -> None:
    first, _ = add(engine, user, files)
    assert add(engine, user, files) == (first, False)
    assert add(engine, user, change_manifest(files, revision="2"))[1]
    with engine.begin() as connection:
        assert len(store.entries(connection, synthetic=True)) == 2
        assert store.uploads_today(connection, user.id) == 2


def test_eight_writers_at_once_lose_and_double_nothing(engine: Engine, user: accounts.User, files: Files) -> None:
    outcomes: list[tuple[int, bool]] = []
    checked = [check(change_manifest(files, revision=str(n)), "embedded") for n in range(6)]

    def write() -> None:
        for one in checked:
            assert one.submission is not None
            with store.writing(engine) as connection:
                outcomes.append(store.add_submission(connection, user.id, one.submission, one.scores))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 48
    assert sum(new for _, new in outcomes) == len({number for number, _ in outcomes}) == 6
    with engine.begin() as connection:
        assert all(sorted(e.scores) == sorted(TASKS) for e in store.entries(connection, synthetic=True))


def test_an_error_in_the_middle_leaves_nothing(engine: Engine, user: accounts.User, files: Files) -> None:
    checked = check(files, "embedded")
    assert checked.submission is not None
    broken = [*checked.scores, dataclasses.replace(checked.scores[0], task="ita_med_none")]
    with pytest.raises(KeyError), store.writing(engine) as connection:
        store.add_submission(connection, user.id, checked.submission, broken)
    with engine.begin() as connection:
        for table in (tables.submissions, tables.results, tables.uploads):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_a_withdrawn_submission_leaves_the_board_and_stays_in_the_record(
    engine: Engine, user: accounts.User, files: Files
) -> None:
    number, _ = add(engine, user, files)
    with store.writing(engine) as connection:
        before = store.stamp_of(connection)
        store.withdraw(connection, user.id, number)
        assert store.entries(connection, synthetic=True) == []
        assert store.stamp_of(connection) != before
        with pytest.raises(ItaMedError, match="no submission"):
            store.withdraw(connection, user.id, number)
    assert add(engine, user, files) == (number, False)


def test_a_database_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ItaMedError, match="cannot be opened"):
        store.connect(tmp_path / "no" / "such" / "folder" / "x.sqlite")


# --- accounts


def token(engine: Engine, user: accounts.User, **options: Any) -> str:
    with store.writing(engine) as connection:
        return accounts.issue_token(connection, user, **options)


def test_a_token_opens_its_account_and_nothing_like_it_does(engine: Engine, user: accounts.User) -> None:
    good = token(engine, user)
    wrong = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good + "x",
        good.upper(),
        "",
        "itamed_",
        good.replace("_", "-"),
    ]
    with engine.begin() as connection:
        assert accounts.authenticate(connection, good) == user
        assert [accounts.authenticate(connection, bad) for bad in wrong] == [None] * len(wrong)


def test_the_database_holds_no_token(engine: Engine, user: accounts.User) -> None:
    secret = token(engine, user).split("_", 2)[2]
    with engine.begin() as connection:
        kept = [str(row) for table in tables.metadata.sorted_tables for row in connection.execute(select(table))]
    assert any("$argon2id$" in row for row in kept)
    assert all(secret not in row for row in kept)


def test_revoked_expired_and_disabled_tokens_are_useless(engine: Engine, user: accounts.User) -> None:
    revoked, expired, good = token(engine, user), token(engine, user, days=-1), token(engine, user)
    with store.writing(engine) as connection:
        accounts.revoke_token(connection, revoked.split("_")[1])
        assert accounts.authenticate(connection, revoked) is None
        assert accounts.authenticate(connection, expired) is None
        assert accounts.authenticate(connection, good) == user
        connection.execute(tables.users.update().values(disabled=True))
        assert accounts.authenticate(connection, good) is None


@pytest.mark.parametrize("name", ["", "ab", "x" * 41, "-abc", "a b c", "<script>", "a'; DROP TABLE users;--", "è.à.ù"])
def test_odd_user_names_are_refused(engine: Engine, name: str) -> None:
    with store.writing(engine) as connection, pytest.raises(ItaMedError, match="user name"):
        accounts.add_user(connection, name)


def test_a_user_name_is_taken_once(engine: Engine, user: accounts.User) -> None:
    with store.writing(engine) as connection, pytest.raises(ItaMedError, match="already"):
        accounts.add_user(connection, user.name)


def test_every_well_formed_token_costs_one_verification(
    engine: Engine, user: accounts.User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So an unknown token takes as long as a known one with a wrong secret."""
    good = token(engine, user)
    verified: list[str] = []
    monkeypatch.setattr(argon2.PasswordHasher, "verify", lambda self, kept, secret: verified.append(kept) or _wrong())
    unknown, wrong = f"itamed_{'0' * 12}_{'A' * 43}", good[:-43] + "A" * 43
    with engine.begin() as connection:
        assert accounts.authenticate(connection, unknown) is accounts.authenticate(connection, wrong) is None
        assert accounts.authenticate(connection, "nonsense") is None
    assert [one.startswith("$argon2id$v=19$m=65536,t=3,p=4$") for one in verified] == [True, True]
    assert verified[0] == accounts.NOBODY != verified[1]


def _wrong() -> None:
    raise argon2.exceptions.VerifyMismatchError


def test_a_remembered_token_is_still_read_anew(engine: Engine, user: accounts.User) -> None:
    good = token(engine, user)
    with store.writing(engine) as connection:
        assert accounts.authenticate(connection, good) == accounts.authenticate(connection, good) == user
        connection.execute(tables.users.update().values(role="maintainer"))
        assert accounts.authenticate(connection, good) == accounts.User(user.id, user.name, "maintainer")
        accounts.revoke_token(connection, good.split("_")[1])
        assert accounts.authenticate(connection, good) is None
    assert all(good.split("_", 2)[2].encode() not in digest for digest in accounts._known)


def test_a_forgotten_user_leaves_scores_and_no_name(engine: Engine, user: accounts.User, files: Files) -> None:
    number, _ = add(engine, user, change_manifest(files, command="/home/giulia/run.sh", hardware="giulia-laptop"))
    good = token(engine, user, label="giulia's laptop")
    with store.writing(engine) as connection:
        jobs.enqueue(connection, user, "org/model")
        before = store.stamp_of(connection)
        accounts.forget(connection, user)
        assert store.stamp_of(connection) != before, "pages with the name are made anew"
        assert accounts.authenticate(connection, good) is None
    with engine.begin() as connection:
        (entry,) = store.entries(connection, synthetic=True)
        (job,) = jobs.jobs(connection)
        kept = [str(row) for table in tables.metadata.sorted_tables for row in connection.execute(select(table))]
        manifest = store.submission(connection, number).manifest
    assert (entry.id, entry.user, job.state) == (number, f"(deleted {user.id})", "failed")
    assert all("giulia" not in row for row in kept)
    assert {"prompts_sha256", "data"} <= set(manifest)
    with store.writing(engine) as connection:
        assert accounts.add_user(connection, user.name).id != user.id


def test_a_new_file_that_another_server_is_changing_is_waited_for(tmp_path: Path) -> None:
    """SQLite refuses a change to WAL at once where another connection makes it (here: no wait of SQLite's own)."""
    path = tmp_path / "board.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    release.start()
    mine = sqlite3.connect(path, timeout=0)
    store._sqlite_settings(mine, None)
    assert mine.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    release.join()
    mine.close()
    other.close()


def test_what_sqlite_deletes_is_overwritten(tmp_path: Path, empty_board: bytes) -> None:
    (tmp_path / "board.sqlite").write_bytes(empty_board)
    opened = store.connect(tmp_path / "board.sqlite")
    with store.writing(opened) as connection:
        someone = accounts.add_user(connection, "giulia.rossi")
        accounts.issue_token(connection, someone, "my-own-label")
    with store.writing(opened) as connection:
        accounts.forget(connection, someone)
    opened.dispose()
    content = (tmp_path / "board.sqlite").read_bytes()
    assert b"giulia.rossi" not in content
    assert b"my-own-label" not in content
