"""Checksums of upstream files: pinned ones, and those that a mirror brings along."""

from __future__ import annotations

import hashlib
import os
import re

from ita_med.errors import SourceError
from ita_med.sources import EMBEDDED, RawFiles

UNPINNED_VARIABLE = "ITA_MED_UNPINNED"
CHECKSUM_FILE = "SHA256SUMS"


def read_checksums(text: str) -> dict[str, str]:
    """Lines of `sha256sum`: digest, space, space or asterisk, path. A path that ends in "/" is a whole folder."""
    sums = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
            if not match:
                raise SourceError(
                    f'{CHECKSUM_FILE}, line {number}: "{line[:60]}", expected lines as sha256sum writes them'
                )
            sums[match[2]] = match[1]
    return sums


def folder_digest(seen: dict[str, str], folder: str) -> str:
    """One sha256 for the files of a folder: over the `sha256sum` lines in path order."""
    lines = (f"{digest}  {path}\n" for path, digest in sorted(seen.items()) if path.startswith(folder))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def verify(files: RawFiles, pinned: dict[str, str]) -> None:
    """Raise SourceError if a file that was read is not the pinned one.

    `ITA_MED_UNPINNED=1` accepts another version of the upstream files.
    """
    if files.kind == EMBEDDED:
        return
    manifest = files.root / CHECKSUM_FILE
    if manifest.is_file():
        try:
            own = read_checksums(manifest.read_text("utf-8"))
        except (SourceError, UnicodeDecodeError) as error:
            raise SourceError(f"{files.dataset}: {manifest}: {error}") from error
        _compare(files, own, f"by {manifest}; get it again")
    if not os.environ.get(UNPINNED_VARIABLE):
        hint = f"the pinned version; get it again, or set {UNPINNED_VARIABLE}=1 to use another version"
        _compare(files, pinned, hint)


def _compare(files: RawFiles, expected: dict[str, str], hint: str) -> None:
    folders = {path for path in expected if path.endswith("/")}
    for path, digest in sorted(files.seen.items()):
        if path in expected and expected[path] != digest:
            raise SourceError(_mismatch(files.dataset, path, digest, expected[path], hint))
    for folder in sorted(folders):
        if any(path.startswith(folder) for path in files.seen):
            digest = folder_digest(files.seen, folder)
            if digest != expected[folder]:
                raise SourceError(_mismatch(files.dataset, folder, digest, expected[folder], hint))


def _mismatch(dataset: str, path: str, digest: str, expected: str, hint: str) -> str:
    return f"{dataset}: {path} has sha256 {digest[:12]}…, expected {expected[:12]}…: {hint}"
