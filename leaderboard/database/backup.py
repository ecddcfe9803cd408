"""Backup and restore of an SQLite board; a PostgreSQL one is kept by pg_dump and pg_restore."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from sqlalchemy import Engine

from ita_med.errors import ItaMedError
from ita_med.files import whole_file


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
    connection = engine.raw_connection()
    try:
        with whole_file(out, overwrite=False) as temporary:
            connection.cursor().execute("VACUUM INTO ?", (str(temporary),))
    except sqlite3.Error as error:
        raise ItaMedError(f"{out} cannot be written ({error})") from error
    except FileExistsError as error:
        raise ItaMedError(f"{out} exists; nothing is overwritten") from error
    finally:
        connection.close()


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
    try:
        with whole_file(out, overwrite=False) as temporary:
            shutil.copyfile(source, temporary)
            _check_pages(temporary, source)
    except sqlite3.Error as error:
        raise ItaMedError(f"{source} is no backup of a board ({error})") from error
    except FileExistsError as error:
        raise ItaMedError(f"{out} exists; nothing is overwritten") from error


def _check_pages(copy: Path, source: Path) -> None:
    """Raise an error unless the copy of `source` is a sound database of a board."""
    connection = sqlite3.connect(copy)
    try:
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        connection.execute("SELECT count(*) FROM submissions")
    finally:
        connection.close()
    if not sound:
        raise ItaMedError(f"{source} is damaged; use an older backup")
