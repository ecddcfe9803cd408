"""The board's memory: SQLite in WAL mode by default, PostgreSQL by URL; every change is one transaction."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, create_engine, event, func, insert, select, update
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError

from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import tables
from ita_med.leaderboard.submissions.submission import Claim, Submission
from ita_med.tasks.benchmark.task_data import Scores
from ita_med.tasks.scoring.metrics import Array, cluster_sums
from ita_med.version import BENCHMARK_VERSION

BUSY_SECONDS = 30


def address(url: str | Path) -> str:
    """A database's address as SQLAlchemy takes it.

    Args:
        url: The path of an SQLite file, or an address that begins with sqlite:// or postgresql://.

    Raises:
        ItaMedError: It is an address of another kind of database.
    """
    text = str(url)
    if "://" not in text:
        return f"sqlite:///{Path(text).resolve()}"
    kind, _, rest = text.partition("://")
    if kind in ("postgresql", "postgres"):
        return f"postgresql+psycopg://{rest}"
    if kind not in ("sqlite", "postgresql+psycopg"):
        raise ItaMedError(f"a board is an SQLite file or postgresql://…, not {kind[:40]}://…")
    return text


def connect(url: str | Path) -> Engine:
    """Open a board's database and bring its tables up to date; a new SQLite file is created.

    Args:
        url: The path of an SQLite file, or an address as postgresql://user:password@host/name.

    Raises:
        ItaMedError: The address cannot be read, or the database cannot be opened.
    """
    opened = address(url)
    try:
        engine = create_engine(opened, **(_SQLITE if opened.startswith("sqlite") else _POSTGRESQL))
    except (ArgumentError, ValueError) as error:
        raise ItaMedError(
            "the database's address cannot be read; expected postgresql://user:password@host/name"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_settings)
        event.listen(engine, "begin", _sqlite_begin)
    try:
        migrate(engine)
    except OperationalError as error:
        raise ItaMedError(f"the database {_shown(opened)} cannot be opened ({error.orig})") from error
    return engine


_SQLITE: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}}
_POSTGRESQL: dict[str, Any] = {
    "connect_args": {"options": f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS}s", "connect_timeout": 10},
    "pool_pre_ping": True,
    "pool_size": 10,
    "max_overflow": 20,
    # A reader asks several times and must see one state of the board; SQLite's readers do so by themselves.
    "isolation_level": "REPEATABLE READ",
}


def _sqlite_settings(connection: sqlite3.Connection, _: Any) -> None:
    """WAL lets readers and one writer work side by side; FULL makes an accepted submission survive a power cut."""
    connection.isolation_level = None  # transactions are begun by us: BEGIN, or BEGIN IMMEDIATE for writers
    _write_ahead(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch a file to WAL, and wait while another process does the same.

    When several servers open a new file at once, SQLite lets one of them switch and tells the others at once that the
    file is locked, without its usual wait.
    """
    last = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
            time.sleep(0.01)


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', '')}")


def _shown(address: str) -> str:
    """A database's address without its password."""
    head, at, tail = address.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else address


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest version; does nothing where they are."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with writing(engine) as connection:  # of several processes that start at once, one migrates
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20260219)")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def writing(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that writes; to be used in a `with` statement.

    On SQLite it takes the write lock at its start, so what it reads stays true until it ends. On PostgreSQL writers
    work side by side, see what others have committed, and lock the rows that they rely on.
    """
    if engine.dialect.name == "sqlite":
        return engine.execution_options(begin="IMMEDIATE").begin()
    return engine.execution_options(isolation_level="READ COMMITTED").begin()


def lock_user(connection: Connection, user_id: int) -> None:
    """Lock a user's row until the transaction ends, so that no other one spends the same quota meanwhile."""
    connection.execute(select(tables.users.c.id).where(tables.users.c.id == user_id).with_for_update())


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


@dataclass
class Entry:
    """A submission that is on the board, with its scores.

    Attributes:
        id: Of the submission.
        created: When it was accepted, UTC.
        user: Name of its submitter.
        provenance: "re-scored", "reproduced" or "floor".
        synthetic: Whether it is a run on the embedded sample.
        claim: What its submitter says of the run.
        predictions_sha256: Of all its predictions.
        scores: Score by task, from 0 to 1.
        errors: Standard error of the score by task, from 0 to 1.
        metrics: All metrics by task.
        data: Provenance of the gold data by task, as "mirror:1f00ba47c0de".
    """

    id: int
    created: datetime
    user: str
    provenance: str
    synthetic: bool
    claim: Claim
    predictions_sha256: str
    scores: dict[str, float]
    errors: dict[str, float]
    metrics: dict[str, dict[str, float]]
    data: dict[str, str]


def add_submission(
    connection: Connection, user_id: int, submission: Submission, scored: list[Scores], provenance: str = "re-scored"
) -> tuple[int, bool]:
    """Put a checked submission and its scores on the board. To be called within `writing`.

    Args:
        connection: Of a `writing` transaction.
        user_id: Of the submitter.
        submission: What was uploaded.
        scored: The scores of all its tasks.
        provenance: "re-scored", "reproduced" or "floor".

    Returns:
        The id of the submission and whether it is new; for a duplicate, the id of the first one and False.
    """
    known = connection.scalar(select(tables.submissions.c.id).where(tables.submissions.c.key == submission.key))
    if known is not None:
        return known, False
    stamp = now()
    row = {
        "key": submission.key,
        "benchmark_version": BENCHMARK_VERSION,
        "user_id": user_id,
        "created": stamp,
        "provenance": provenance,
        "synthetic": any(scores.source.startswith("embedded") for scores in scored),
        "predictions_sha256": submission.predictions_sha256,
        "claim": asdict(submission.claim),
        "manifest": submission.manifest,
    }
    try:
        with connection.begin_nested():
            inserted = connection.execute(
                insert(tables.submissions).values(row).returning(tables.submissions.c.id)
            ).scalar_one()
    except IntegrityError:  # PostgreSQL: another writer was first
        return connection.execute(
            select(tables.submissions.c.id).where(tables.submissions.c.key == submission.key)
        ).scalar_one(), False
    connection.execute(insert(tables.results), [_result(inserted, s, submission.predictions[s.task]) for s in scored])
    connection.execute(
        insert(tables.uploads).values(user_id=user_id, day=stamp.date().isoformat(), submission_id=inserted)
    )
    record(connection, user_id, "submit", f"submission {inserted}", submission.claim.model)
    return inserted, True


def _result(submission_id: int, scores: Scores, predictions: bytes) -> dict[str, Any]:
    sums = cluster_sums(scores.counts, scores.clusters)
    return {
        "submission_id": submission_id,
        "task": scores.task,
        "data": f"{scores.source}:{scores.fingerprint}",
        "score": scores.metrics["score"],
        "stderr": scores.stderr["score"],
        "metrics": scores.metrics,
        "counts": zlib.compress(sums.tobytes()),
        "clusters": sums.shape[0],
        "columns": sums.shape[1],
        "predictions": zlib.compress(predictions),
    }


def entries(connection: Connection, *, synthetic: bool = False, version: str = BENCHMARK_VERSION) -> list[Entry]:
    """All rows of one version of the benchmark, oldest first; real and synthetic data never stand side by side."""
    submissions, results, users = tables.submissions, tables.results, tables.users
    wanted = (
        (submissions.c.benchmark_version == version)
        & (submissions.c.synthetic == synthetic)
        & submissions.c.withdrawn.is_(None)
    )
    found = {}
    for row in connection.execute(
        select(submissions, users.c.name.label("user")).join(users).where(wanted).order_by(submissions.c.id)
    ):
        found[row.id] = Entry(
            row.id, row.created, row.user, row.provenance, row.synthetic, Claim(**row.claim), row.predictions_sha256,
            {}, {}, {}, {},
        )  # fmt: skip
    small = [results.c[name] for name in ("submission_id", "task", "data", "score", "stderr", "metrics")]
    for row in connection.execute(select(*small).join(submissions).where(wanted)):
        entry = found[row.submission_id]
        entry.scores[row.task] = row.score
        entry.errors[row.task] = row.stderr
        entry.metrics[row.task] = row.metrics
        entry.data[row.task] = row.data
    return list(found.values())


def versions(connection: Connection, *, synthetic: bool = False) -> list[str]:
    """The versions of the benchmark that have rows, oldest first."""
    submissions = tables.submissions
    rows = connection.execute(
        select(submissions.c.benchmark_version, func.min(submissions.c.id))
        .where((submissions.c.synthetic == synthetic) & submissions.c.withdrawn.is_(None))
        .group_by(submissions.c.benchmark_version)
    )
    return [version for version, _ in sorted(map(tuple, rows), key=lambda row: row[1])]


def documents(connection: Connection, data: Mapping[str, str]) -> dict[str, int]:
    """How many documents (or patients) each task has, as they were counted when submissions were scored.

    Args:
        connection: To the board's database.
        data: Fingerprint of the gold data by task, as in `Ranking.data`.
    """
    results = tables.results
    rows = connection.execute(
        select(results.c.task, results.c.data, func.max(results.c.clusters)).group_by(results.c.task, results.c.data)
    )
    return {task: number for task, place, number in rows if place.partition(":")[2] == data.get(task)}


def withdrawn(connection: Connection, submission_id: int, *, synthetic: bool = False) -> str:
    """The day on which a submission was taken off the board; empty if it was not."""
    submissions = tables.submissions
    moment = connection.scalar(
        select(submissions.c.withdrawn).where(
            (submissions.c.id == submission_id) & (submissions.c.synthetic == synthetic)
        )
    )
    return moment.date().isoformat() if moment else ""


def counts(connection: Connection, task: str, ids: list[int]) -> dict[int, Array]:
    """The counts of submissions on one task, from which every score and test is computed.

    Returns:
        By submission id, an array of shape (clusters, columns): the sums of the counts of each document or patient.
        For equal gold data the clusters are in the same order.
    """
    results = tables.results
    chosen = select(results.c.submission_id, results.c.counts, results.c.clusters, results.c.columns).where(
        (results.c.task == task) & results.c.submission_id.in_(ids)
    )
    return {
        row.submission_id: np.frombuffer(zlib.decompress(row.counts)).reshape(row.clusters, row.columns)
        for row in connection.execute(chosen)
    }


def stamp_of(connection: Connection) -> str:
    """Names the state of the board: another text whenever what the board shows may have changed.

    Caches and ETags are made of it.
    """
    submissions = tables.submissions
    forgotten = select(func.count()).select_from(tables.users).where(tables.users.c.disabled).scalar_subquery()
    row = connection.execute(
        select(func.count(), func.max(submissions.c.id), func.count(submissions.c.withdrawn), forgotten)
    ).one()
    return "-".join(str(value or 0) for value in row)


def withdraw(connection: Connection, user_id: int, submission_id: int) -> None:
    """Take a submission off the board; its row and predictions stay, for the record."""
    submissions = tables.submissions
    changed = connection.execute(
        update(submissions)
        .where((submissions.c.id == submission_id) & submissions.c.withdrawn.is_(None))
        .values(withdrawn=now())
    )
    if changed.rowcount != 1:
        raise ItaMedError(f"no submission {submission_id} on the board")
    record(connection, user_id, "withdraw", f"submission {submission_id}")


def uploads_today(connection: Connection, user_id: int) -> int:
    """Accepted submissions of a user since midnight UTC: what the quota counts."""
    mine = (tables.uploads.c.user_id == user_id) & (tables.uploads.c.day == now().date().isoformat())
    return connection.execute(select(func.count()).select_from(tables.uploads).where(mine)).scalar_one()


def record(connection: Connection, user_id: int | None, action: str, subject: str, detail: str = "") -> None:
    """A line of the audit log: who did what to what; never an address, a token or a gold answer."""
    connection.execute(
        insert(tables.audit).values(
            created=now(), user_id=user_id, action=action, subject=subject, detail=detail[:1000]
        )
    )


def submission(connection: Connection, submission_id: int) -> Any:
    """The row of a submission on the board (user_id, manifest, key, …), or None."""
    submissions = tables.submissions
    return connection.execute(
        select(submissions).where((submissions.c.id == submission_id) & submissions.c.withdrawn.is_(None))
    ).first()
