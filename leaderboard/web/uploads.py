"""Uploads on their way in: read with a limit, checked in a process that can be stopped, kept in one transaction."""

from __future__ import annotations

import io
import logging
import os
import queue
import re
import threading
import warnings
import zipfile
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING

from pebble import ProcessPool
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import store, tables
from ita_med.leaderboard.database.accounts import User
from ita_med.leaderboard.submissions.check import Checked, check, gold
from ita_med.leaderboard.submissions.submission import MAX_FILES, read_zip

if TYPE_CHECKING:
    from starlette.requests import Request

log = logging.getLogger(__name__)
PREDICTIONS = re.compile(r"ita_med_[a-z0-9_]+\.jsonl")
ZIP_TYPES = ("application/zip", "application/octet-stream", "application/x-zip-compressed")


class TooLarge(Exception):
    """The body has more bytes than the board takes."""


class WrongType(Exception):
    """The body is neither a zip nor a form with one file."""


class Busy(Exception):
    """All checkers are at work."""


async def limited(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The body of a request, chunk by chunk; `TooLarge` where its stated or its real size is beyond the limit."""
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > most:
        raise TooLarge
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > most:
            raise TooLarge
        yield chunk


async def read_body(request: Request, most: int) -> bytes:
    """The whole body of a request, at most so many bytes; else `TooLarge`."""
    return b"".join([chunk async for chunk in limited(request, most)])


async def read_upload(request: Request, most: int) -> bytes:
    """The zip of an upload, sent as the body or as the field "file" of a form; loose files are made into a zip.

    Raises:
        TooLarge: It has more bytes than `most`.
        WrongType: It is neither a zip nor such a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ZIP_TYPES:
        return await read_body(request, most)
    if kind != "multipart/form-data":
        raise WrongType
    from starlette.datastructures import UploadFile
    from starlette.formparsers import MultiPartException, MultiPartParser

    body = limited(request, most + 10_000)
    try:
        form = await MultiPartParser(request.headers, body, max_files=MAX_FILES, max_fields=0).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise WrongType from error
    try:
        files = [file for name, file in form.multi_items() if name == "file" and isinstance(file, UploadFile)]
        if len(files) != len(form.multi_items()) or not files:
            raise WrongType
        contents = [(file.filename or "", await file.read()) for file in files]
    finally:
        await form.close()
    if len(contents) == 1 and (contents[0][1].startswith(b"PK") or contents[0][0].lower().endswith(".zip")):
        return contents[0][1]
    return await run_in_threadpool(packed, contents)


def packed(files: list[tuple[str, bytes]]) -> bytes:
    """Loose files as a zip, which is checked like any other; prediction files are put into the folder predictions/."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as opened:
        warnings.simplefilter("ignore")  # a name that comes twice is a problem that the checker tells
        for name, content in files:
            loose = PREDICTIONS.fullmatch(name)
            opened.writestr(zipfile.ZipInfo(f"predictions/{name}" if loose else name or "?"), content)
    return buffer.getvalue()


def check_zip(upload: bytes, mirror: str | None) -> Checked:
    """Check and score an uploaded zip."""
    try:
        return check(read_zip(upload), mirror)
    except ItaMedError as error:
        return Checked(problems=[str(error)])


@dataclass
class Checkers:
    """Processes that check uploads one at a time; one that takes longer than `seconds`, from the moment it is given its
    upload, is killed and replaced, and so is one that died.

    processes: 0 checks in the calling thread, without a time limit. They are started when first needed.

    Each process is a pool of its own. The processes of one pool of pebble share a lock: where the kernel kills one that
    is just reading its upload, the others wait for that lock for ever, and the pool never says so.
    """

    mirror: str | None
    processes: int
    seconds: float
    _idle: queue.Queue[ProcessPool] = field(default_factory=queue.Queue, repr=False)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def warm(self) -> None:
        """Start a process, so that the first upload need not wait for its imports and the gold data."""
        if self.processes:
            with self._lock:
                self._number += 1
            self._idle.put(self._start())

    def run(self, upload: bytes) -> Checked:
        """Check an upload; `Busy` where no process became idle in time."""
        if self.processes == 0:
            return check_zip(upload, self.mirror)
        pool = self._take()
        try:
            checked: Checked = pool.schedule(check_zip, (upload, self.mirror)).result(self.seconds)
        except TimeoutError:
            problem = f"checking the upload took longer than {self.seconds:.0f} seconds"
        except Exception as error:  # of a process that died, or of the check itself
            log.error("an upload could not be checked (%s)", type(error).__name__)
            problem = "the upload could not be checked: it needs too much memory or time"
        else:
            self._idle.put(pool)
            return checked
        _end(pool)
        self._idle.put(self._start())
        return Checked(problems=[problem])

    def _take(self) -> ProcessPool:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            with self._lock:
                if self._number < self.processes:
                    self._number += 1
                    return self._start()
        try:
            return self._idle.get(timeout=self.seconds)
        except queue.Empty as error:
            raise Busy from error

    def _start(self) -> ProcessPool:
        pool = ProcessPool(1, context=get_context("spawn"))
        pool.schedule(_prepare, (self.mirror,))
        return pool

    def close(self) -> None:
        while not self._idle.empty():
            _end(self._idle.get_nowait())


def _end(pool: ProcessPool) -> None:
    pool.stop()
    pool.join()


def _prepare(mirror: str | None) -> None:
    """In a checking process, before its first upload. Readers go before it."""
    os.nice(19)
    for task in catalogue.tasks(ready=True):
        with suppress(ItaMedError):  # a board may lack the data of a task
            gold(task.id, mirror)


class QuotaReached(Exception):
    """The user has as many accepted submissions today as the board allows."""


def keep(
    connection: Connection, user: User, checked: Checked, quota: int, provenance: str = "re-scored"
) -> tuple[int, bool]:
    """Keep a checked submission; a duplicate needs no quota.

    Args:
        connection: Of a `store.writing` transaction.
        user: The submitter.
        checked: An accepted submission.
        quota: Accepted submissions of a user per day; maintainers have none.
        provenance: "re-scored", "reproduced" or "floor".

    Returns:
        The id of the submission and whether it is new; for a duplicate, the id of the first one and False.

    Raises:
        QuotaReached: The user has no submission left today.
    """
    assert checked.submission is not None
    known = connection.scalar(select(tables.submissions.c.id).where(tables.submissions.c.key == checked.submission.key))
    if known is not None:
        return known, False
    store.lock_user(connection, user.id)
    if not user.maintainer and store.uploads_today(connection, user.id) >= quota:
        raise QuotaReached
    return store.add_submission(connection, user.id, checked.submission, checked.scores, provenance)
