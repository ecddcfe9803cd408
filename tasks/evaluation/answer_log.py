"""What a model has answered so far, kept on disk, so that a run that was killed continues where it was.

`OUT/.journal/` holds run.json (what was asked for) and one answers-RANK.jsonl per process. A line is written, whole,
when a batch is done; the last line may be torn and is then asked again.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ita_med.errors import ItaMedError
from ita_med.files import write_json

FOLDER = ".journal"
SYNC_EVERY = 1.0
"""Seconds between two fsyncs: a crash of the machine costs that much more than a crash of the process."""


@dataclass(frozen=True)
class LoggedAnswer:
    """What a model wrote.

    Attributes:
        raw: the text as generated.
        tokens: its length by the model's tokenizer; None without one.
        seconds: its share of the time of its batch.
    """

    raw: str
    tokens: int | None
    seconds: float


class Journal:
    """The answers of one process by request key, in memory and on disk. Nothing is written before the first answer."""

    def __init__(self, out: Path, run: dict[str, Any], rank: int = 0) -> None:
        self.folder = out / FOLDER
        self.path = self.folder / f"answers-{rank}.jsonl"
        self.run = run
        self.answers: dict[str, LoggedAnswer] = {}
        self._file: Any = None
        self._synced = 0.0
        if self.folder.is_dir():
            check(out, run)
            for path in sorted(self.folder.glob("answers-*.jsonl")):
                self.answers |= _read(path)

    def add(self, answers: Iterable[tuple[str, LoggedAnswer]]) -> None:
        """Record the answers of a batch."""
        rows = dict(answers)
        self.answers |= rows
        lines = [{"key": k, "raw": a.raw, "tokens": a.tokens, "seconds": a.seconds} for k, a in rows.items()]
        file = self._file or self._open()
        file.write(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        if time.monotonic() - self._synced > SYNC_EVERY:
            os.fsync(file.fileno())
            self._synced = time.monotonic()

    def _open(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "run.json", self.run)
        self._file = self.path.open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ItaMedError(f"{self.folder.parent}: another ita-med eval is writing there") from error
        if self.path.stat().st_size:
            self._file.write(b"\n")  # ends a torn line, if there is one
        return self._file

    def close(self) -> None:
        """End the file, safe on disk."""
        if self._file:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def check(out: Path, run: dict[str, Any]) -> None:
    """Raise ItaMedError unless the journal in `out`, if there is one, belongs to the same run."""
    path = out / FOLDER / "run.json"
    if not path.is_file():
        return
    try:
        before = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ItaMedError(f"{path} is not JSON ({error}); delete {out / FOLDER} to begin anew") from error
    for name in sorted(before.keys() & run.keys()):
        if before[name] != orjson.loads(orjson.dumps(run[name])):
            raise ItaMedError(
                f"{out} holds an unfinished run with {name} {_short(before[name])}, not {_short(run[name])}; "
                "name a new folder, or delete that one"
            )


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"


def _read(path: Path) -> dict[str, LoggedAnswer]:
    answers = {}
    for line in path.read_bytes().split(b"\n"):
        try:
            row = orjson.loads(line)
            answers[row["key"]] = LoggedAnswer(row["raw"], row["tokens"], row["seconds"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue  # an empty or a torn line
    return answers
