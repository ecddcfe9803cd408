"""Files and folders are written whole or not at all: by errors, by kill -9, by two processes at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ita_med.files import replace_folder, whole_file, whole_folder, write_json, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folder(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b.txt", "perché")
    write_json(tmp_path / "a" / "b.json", {"x": [1, "è"]})
    assert (tmp_path / "a" / "b.txt").read_text("utf-8") == "perché"
    assert (tmp_path / "a" / "b.json").read_bytes() == '{\n  "x": [\n    1,\n    "è"\n  ]\n}\n'.encode()
    assert names(tmp_path / "a") == ["b.json", "b.txt"]


def _half_a_file(path: Path) -> None:
    with whole_file(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError


def test_after_an_error_the_old_content_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_whole(path, "old")
    with pytest.raises(RuntimeError):
        _half_a_file(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def test_a_file_that_must_not_be_overwritten_is_not(tmp_path: Path) -> None:
    path = tmp_path / "backup.sqlite"
    write_whole(path, "first")
    with pytest.raises(FileExistsError), whole_file(path, overwrite=False) as temporary:
        temporary.write_text("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["backup.sqlite"]


def test_a_folder_takes_the_place_of_the_old_one_or_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with whole_folder(path) as new:
        (new / "a").write_text("1")
    with whole_folder(path) as new:
        (new / "b").write_text("2")
    assert names(path) == ["b"]
    with pytest.raises(FileNotFoundError), whole_folder(path) as new:
        (new / "missing").rename(new / "c")
    assert names(path) == ["b"]
    assert names(tmp_path) == ["run"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "kept").write_text("")
    with pytest.raises(OSError, match="new"):
        replace_folder(tmp_path / "new", tmp_path / "old")
    assert names(tmp_path / "old") == ["kept"]


WRITER = """
import sys
from pathlib import Path
from ita_med.files import write_whole
while True:
    write_whole(Path(sys.argv[1]), sys.argv[2] * 1_000_000)
"""


def test_killed_writers_and_writers_side_by_side_leave_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter], env=dict(os.environ)) for letter in "ab"
    ]
    try:
        seen = set()
        while len(seen) < 2:
            if path.exists():
                content = path.read_text()
                assert len(content) == 1_000_000
                assert len(set(content)) == 1
                seen.add(content[0])
    finally:
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
    assert len(set(path.read_text())) == 1
