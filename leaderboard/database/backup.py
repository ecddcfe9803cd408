"""Backup and restore of an SQLite board; a PostgreSQL one is kept by pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from sqlalchemy import Engine

from ita_med.errors import ItaMedError


def backup(engine: Engine, out: Path) -> None:
    """Copy an SQLite board while its server runs (VACUUM INTO).

    Args:
        engine: The board's database.
        out: A new file; an existing one is never overwritten.

    Raises:
        ItaMedError: The board is not in SQLite, or the file exists or cannot be written.
    """
    if engine.dialect.name != "sqlite":
        raise ItaMedError("this board is not in SQLite; back it up with pg_dump")
    if out.exists():
        raise ItaMedError(f"{out} exists; name a new file")
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("VACUUM INTO ?", (str(temporary),))
        _place(temporary, out)
    except sqlite3.Error as error:
        raise ItaMedError(f"{out} cannot be written ({error})") from error
    finally:
        connection.close()
        temporary.unlink(missing_ok=True)


def restore(source: Path, out: Path) -> None:
    """Put a backup in place as a new database file, after a check of all its pages.

    Args:
        source: A file that `backup` wrote.
        out: A new file; an existing one is never overwritten.

    Raises:
        ItaMedError: The backup is missing or damaged, or the file exists.
    """
    if not source.is_file():
        raise ItaMedError(f"{source}: no such backup")
    if out.exists():
        raise ItaMedError(f"{out} exists; move it away first, nothing is overwritten")
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, temporary)
        connection = sqlite3.connect(temporary)
        try:
            sound = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            connection.execute("SELECT count(*) FROM submissions")
        finally:
            connection.close()
        if not sound:
            raise ItaMedError(f"{source} is damaged; use an older backup")
        _place(temporary, out)
    except sqlite3.Error as error:
        raise ItaMedError(f"{source} is no backup of a board ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _place(temporary: Path, out: Path) -> None:
    """Give the file its name only if that is still free."""
    with temporary.open("rb+") as written:
        os.fsync(written.fileno())
    try:
        os.link(temporary, out)
    except FileExistsError as error:
        raise ItaMedError(f"{out} exists; nothing is overwritten") from error
