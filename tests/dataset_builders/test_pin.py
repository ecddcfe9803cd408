"""Pinning: real files only, into a checkout only, and mistakes are one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ita_med import checksums
from ita_med.dataset_builders import build, build_record, pin
from ita_med.errors import ItaMedError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror whose files are those of the sample but for one line."""
    shutil.copytree(build.folder("med_ita") / "sample", tmp_path / "mirror" / "med_ita")
    file = tmp_path / "mirror" / "med_ita" / "5_shots.jsonl"
    file.write_text(file.read_text("utf-8").replace("\n", " \n", 1), "utf-8")
    return tmp_path / "mirror"


def test_what_is_written_is_what_verify_compares_with(mirror: Path, tmp_path: Path) -> None:
    pin.pin("med_ita", str(mirror), tmp_path)
    sums = checksums.read_checksums((tmp_path / checksums.CHECKSUM_FILE).read_text("utf-8"))
    assert set(sums) == {path.name for path in (mirror / "med_ita").iterdir()} & set(sums) != set()
    assert '"version"' in (tmp_path / build_record.COUNTS_FILE).read_text("utf-8")


def test_the_sample_is_not_pinned(tmp_path: Path) -> None:
    with pytest.raises(ItaMedError, match="the embedded sample is not to be pinned"):
        pin.main(["med_ita", "embedded"])
    shutil.copytree(build.folder("med_ita") / "sample", tmp_path / "mirror" / "med_ita")
    with pytest.raises(ItaMedError, match="holds the files of the embedded sample"):
        pin.main(["med_ita", str(tmp_path / "mirror")])
    assert [path.name for path in tmp_path.iterdir()] == ["mirror"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], pin.USAGE),
        (["med_ita"], pin.USAGE),
        (["med_ita", "embedded"], "med_ita: the embedded sample is not to be pinned; name a mirror of real files"),
        (
            ["med_it", "/nowhere"],
            'no dataset is called "med_it"; did you mean "med_ita"? ("ita-med data list" shows all)',
        ),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str) -> None:
    assert run(ROOT.parent, *arguments) == (1, f"ita-med: {message}\n")


def test_an_installed_package_is_not_written_to(tmp_path: Path, mirror: Path) -> None:
    package = tmp_path / "site" / "ita_med"
    package.mkdir(parents=True)
    rooms = ("dataset_builders", "tasks", "training", "leaderboard")
    for path in [*(ROOT / "ita_med").iterdir(), *(ROOT / room for room in rooms)]:
        (package / path.name).symlink_to(path)
    before = sorted(path.name for path in build.folder("med_ita").iterdir())
    code, said = run(tmp_path, "med_ita", str(mirror), PYTHONPATH=str(package.parent))
    assert (code, said.count("\n")) == (1, 1)
    assert "is in an installed package; run this in a checkout, PYTHONPATH=CHECKOUT" in said
    assert sorted(path.name for path in build.folder("med_ita").iterdir()) == before


def run(place: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    """Exit code and stderr of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "ita_med.dataset_builders.pin", *arguments],
        capture_output=True, text=True, env=dict(os.environ) | settings, cwd=place,
    )  # fmt: skip
    assert done.stdout == ""
    return done.returncode, done.stderr
