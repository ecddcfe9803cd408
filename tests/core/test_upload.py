"""Small parts of uploading; whole uploads to a Hub are in tests/dataset_builders/test_publish.py."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from ita_med import upload


@pytest.mark.parametrize("content", [b"", b"Hello, World!", b"blob 3\0abc", "perché".encode() * 999])
def test_the_id_of_a_file_is_gits(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    command = ["git", "hash-object", "--no-filters", str(tmp_path / "file")]
    assert (
        upload.git_blob(content) == subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    )


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"RateLimit": '"api";r=0;t=55'}, 56.0),
        (429, {"RateLimit": '"api" ; r = 0 ; t = 55', "Retry-After": "3"}, 56.0),
        (429, {"RateLimit": '"api";r=0;t=599'}, 600.0),
        (429, {"RateLimit": '"api";r=0;t=600'}, None),
        (429, {"RateLimit": '"api";r=10;t=55', "Retry-After": "3"}, 3.0),
        (429, {"RateLimit": "r", "Retry-After": "soon"}, 2.0),
        (503, {}, 2.0),
        (404, {"Retry-After": "3"}, None),
    ],
)
def test_the_hub_says_how_long_to_wait(status: int, headers: dict[str, str], seconds: float | None) -> None:
    error = RuntimeError()
    error.response = SimpleNamespace(status_code=status, headers=headers)  # type: ignore[attr-defined]
    assert upload._wait(error, 3) == seconds
