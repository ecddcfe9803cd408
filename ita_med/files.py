"""Writing to disk whole or not at all: a reader, a killed process and a full disk see the old content or the new one.

Whatever is written gets a temporary name beside its own first, `.NAME.PID`, so that two processes never write into the
same file; it is synced, so that a power cut after the rename cannot leave an empty file under the final name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def temporary_name(path: Path) -> Path:
    """The name beside `path` under which this process writes it."""
    return path.with_name(f".{path.name}.{os.getpid()}")


@contextmanager
def whole_file(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Give out a temporary name to write to; at the end the file there gets its own name.

    After an error nothing is left, and what `path` held before is untouched.

    Args:
        path: The file to be made; its folder is made too.
        overwrite: Whether a file of that name is replaced.

    Raises:
        FileExistsError: `overwrite` is False, and by now there is a file of that name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        if overwrite:
            temporary.replace(path)
        else:
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, UTF-8 where the content is text."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON that ends with a line break."""
    import orjson

    write_whole(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give out an empty folder to fill, which at the end takes the place of `path`; after an error it is gone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: Path, old: Path) -> None:
    """Put `new` in the place of `old`; if that fails, `old` is where it was. Both are on one file system."""
    if not old.exists():
        new.rename(old)
        return
    with tempfile.TemporaryDirectory(dir=old.parent, prefix=f".{old.name}-", ignore_cleanup_errors=True) as aside:
        kept = Path(aside) / old.name
        old.rename(kept)
        try:
            new.rename(old)
        except OSError:
            kept.rename(old)
            raise
        shutil.rmtree(kept)
