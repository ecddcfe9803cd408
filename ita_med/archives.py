"""Archives as upstream publishes them, read in place and within limits; damage and bombs are errors."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from ita_med.errors import SourceError

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar.xz")
BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, struct.error,
    EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip
MAX_FILE_BYTES = 2**30
"""No upstream file comes near 1 GiB; a larger archive member is refused before it is read."""
MAX_RATIO, FREE_BYTES = 200, 2**23
"""Text shrinks to a tenth or so, XML to a thirtieth: beyond 8 MiB, 200 times the packed size is an attack or damage."""
MAX_MEMBERS = 10**6


def inside(name: str, pattern: str) -> str | None:
    """The member's path below the dataset's folder if it matches, with or without the archive's top folder."""
    name = name.removeprefix("./")
    depth = pattern.count("/")
    for path in (name, name.partition("/")[2]):
        if path.count("/") == depth and fnmatchcase(path, pattern):
            return path
    return None


def open_zip(archive: Path, match: Callable[[str], str | None]) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    with zipfile.ZipFile(archive) as opened:
        _check_members(archive, len(opened.infolist()))
        for info in opened.infolist():
            if (path := match(info.filename)) and not info.is_dir():
                _check_size(archive, info.filename, info.file_size)
                _check_ratio(archive, info.filename, info.file_size, info.compress_size)
                yield path, cast(Callable[[], BinaryIO], partial(opened.open, info))


def read_zip(archive: Path, match: Callable[[str], str | None]) -> Iterator[tuple[str, bytes]]:
    for path, open_ in open_zip(archive, match):
        with open_() as member:
            yield path, member.read()


def read_tar(archive: Path, match: Callable[[str], str | None]) -> Iterator[tuple[str, bytes]]:
    packed = archive.stat().st_size
    with tarfile.open(archive) as opened:
        for number, info in enumerate(opened, 1):
            _check_members(archive, number)
            _check_ratio(archive, info.name, info.offset_data + info.size, packed)
            if info.isfile() and (path := match(info.name)):
                _check_size(archive, info.name, info.size)
                content = opened.extractfile(info)
                assert content is not None
                yield path, content.read()
        rest = opened.offset
        while opened.fileobj is not None and (chunk := opened.fileobj.read(2**20)):
            # to its end: only there are the checksums of .gz and .xz verified
            _check_ratio(archive, "its end", rest := rest + len(chunk), packed)


def _check_size(archive: Path, member: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise SourceError(f"{archive.name}: {member} would unpack to {size:,} bytes, more than {MAX_FILE_BYTES:,}")


def _check_ratio(archive: Path, member: str, size: int, packed: int) -> None:
    if size > FREE_BYTES and size > MAX_RATIO * packed:
        raise SourceError(
            f"{archive.name}: {member} would unpack from {packed:,} to {size:,} bytes, more than {MAX_RATIO} times"
        )


def _check_members(archive: Path, number: int) -> None:
    if number > MAX_MEMBERS:
        raise SourceError(f"{archive.name}: more than {MAX_MEMBERS:,} members")
