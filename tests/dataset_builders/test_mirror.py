"""`ita-med data mirror`: filled, listed, continued; and afterwards nothing needs a network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ita_med import checksums, sources
from ita_med.borrowed.hub_inside import noted_commits
from ita_med.dataset_builders import build, mirror
from ita_med.errors import SourceError

pytestmark = pytest.mark.slow

NO_NETWORK = """
import socket, sys

def refuse(*_):
    raise AssertionError("a connection was opened")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
from ita_med.cli import main
sys.argv = ["ita-med", *sys.argv[1:]]
main()
"""


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of samples as if they were real files; their checksums are not the pinned ones."""
    monkeypatch.setenv(checksums.UNPINNED_VARIABLE, "1")
    monkeypatch.delenv(sources.MIRROR_VARIABLE, raising=False)
    for name in ("e3c", "med_ita", "clinkart"):
        shutil.copytree(build.folder(name) / "sample", tmp_path / "origin" / name)
    return tmp_path / "origin"


def manifest(root: Path) -> dict[str, Any]:
    return dict(json.loads((root / mirror.MANIFEST).read_text("utf-8")))


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_copy_is_whole_and_listed(command: Any, origin: Path, tmp_path: Path) -> None:
    root = tmp_path / "mirror"
    ran = command("data", "mirror", root, "e3c", "med_ita", "--from", origin)
    assert (ran.code, ran.err) == (0, "")
    assert [line.split(":")[1].strip() for line in ran.out.splitlines()] == ["filled", "filled"]
    listed = manifest(root)["datasets"]
    assert list(listed) == ["e3c", "med_ita"]
    for name, entry in listed.items():
        assert tree(root / name) == tree(origin / name)
        assert {p: f["sha256"] for p, f in entry["files"].items()} == {
            p: hashlib.sha256(content).hexdigest() for p, content in tree(origin / name).items()
        }
        assert entry["sources"][0]["commit"]
        assert entry["licence"]
    assert {path.name for path in root.iterdir()} == {"e3c", "med_ita", "MANIFEST.json", ".lock"}


def test_without_a_network_the_mirror_is_enough(command: Any, origin: Path, tmp_path: Path) -> None:
    """Builds, checks and evaluates in a process that cannot connect to anything."""
    root = tmp_path / "mirror"
    assert command("data", "mirror", root, "e3c", "med_ita", "--from", origin).code == 0
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "ITA_MED_MIRROR": str(root), "ITA_MED_UNPINNED": "1"}
    for args in (
        ["data", "build", "e3c", "med_ita", "--out", str(tmp_path / "out"), "--json"],
        ["data", "verify", "--built", str(tmp_path / "out")],
        ["data", "leakage"],
        ["data", "card", "med_ita"],
    ):
        ran = subprocess.run(
            [sys.executable, "-c", NO_NETWORK, *args], capture_output=True, text=True, env=environment, timeout=120
        )
        assert (ran.returncode, ran.stderr) == ((0, "") if args[1] != "verify" else (1, ""))
    assert "built from mirror" in command("data", "verify", "--built", tmp_path / "out").out


def test_the_probe_sees_a_connection() -> None:
    code = NO_NETWORK.replace("main()", 'socket.create_connection(("127.0.0.1", 9))')
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "a connection was opened" in ran.stderr


def test_what_cannot_be_had_does_not_stop_the_others(command: Any, origin: Path, tmp_path: Path) -> None:
    root = tmp_path / "mirror"
    shutil.rmtree(origin / "clinkart")
    (origin / "clinkart").write_text("not a folder")
    ran = command("data", "mirror", root, "--all-open", "--from", origin)
    assert ran.code == 0
    lines = {line.split(":")[0]: line for line in ran.out.splitlines()}
    assert "unavailable" in lines["clinkart"]
    assert "ask for access at https://huggingface.co/datasets/expertai/PharmaER.IT" in lines["pharmaer"]
    assert "ask the organisers" in lines["clef_ehealth_2018"]
    assert "filled" in lines["e3c"]
    assert "filled" in lines["med_ita"]
    assert command("data", "mirror", root, "e3c", "pharmaer", "--from", origin).code == 1


def test_gated_sets_are_not_even_tried_with_all_open(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def pull(name: str, *_: Any) -> None:
        tried.append(name)
        raise SourceError(f"{name}: cannot download")

    monkeypatch.setattr(sources, "pull", pull)
    ran = command("data", "mirror", tmp_path / "mirror", "--all-open", "--json")
    assert ran.code == 1
    found = json.loads(ran.out)
    assert found["pharmaer"]["state"] == "unavailable"
    assert found["e3c"] == {"dataset": "e3c", "state": "failed", "detail": "cannot download", "files": 0, "bytes": 0}
    assert "pharmaer" not in tried
    assert "e3c" in tried
    assert not (tmp_path / "mirror" / mirror.MANIFEST).exists()


def test_a_second_run_keeps_and_repairs(command: Any, origin: Path, tmp_path: Path) -> None:
    root = tmp_path / "mirror"
    command("data", "mirror", root, "e3c", "med_ita", "--from", origin)
    before = manifest(root)
    (root / "med_ita" / "dataset.jsonl").unlink()
    (root / "e3c" / "marker").touch()
    os.utime(root / "e3c")
    (root / "e3c" / "marker").unlink()
    ran = command("data", "mirror", root, "e3c", "med_ita", "--from", origin)
    assert [line.split(":")[1].strip() for line in ran.out.splitlines()] == ["kept", "filled"]
    assert manifest(root) == before
    assert tree(root / "med_ita") == tree(origin / "med_ita")


def test_files_that_somebody_put_there_are_listed(command: Any, origin: Path) -> None:
    """The way for gated sets: the files go into the mirror by hand."""
    assert command("data", "mirror", origin, "clinkart").code == 0
    assert list(manifest(origin)["datasets"]) == ["clinkart"]


def test_files_that_are_not_the_pinned_ones_are_refused(
    command: Any, origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(checksums.UNPINNED_VARIABLE)
    root = tmp_path / "mirror"
    for args in ([root, "med_ita", "--from", origin], [origin, "med_ita"]):
        ran = command("data", "mirror", *args)
        assert ran.code == 1
        assert "sha256" in ran.out
        assert len(ran.out.splitlines()) == 1
    assert not (root / "med_ita").exists()
    assert not (origin / mirror.MANIFEST).exists()


def test_a_copy_that_its_own_manifest_denies_is_refused(command: Any, origin: Path, tmp_path: Path) -> None:
    command("data", "mirror", origin, "clinkart")
    with (origin / "clinkart" / "Clinkart_training_data" / "training.txt").open("a") as file:
        file.write("\n")
    ran = command("data", "mirror", tmp_path / "mirror", "clinkart", "--from", origin)
    assert ran.code == 1
    assert "training.txt has sha256" in ran.out
    assert not (tmp_path / "mirror" / "clinkart").exists()


@pytest.mark.parametrize(
    "args", [["embedded", "e3c"], ["DIR", "e3c", "--from", "embedded"], ["DIR"], ["DIR", "e3c", "--from", "/no"]]
)
def test_mistakes_are_one_line(command: Any, tmp_path: Path, args: list[str]) -> None:
    ran = command("data", "mirror", *(str(tmp_path / "m") if arg == "DIR" else arg for arg in args))
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)


def test_two_runs_do_not_fill_one_mirror_at_once(command: Any, origin: Path, tmp_path: Path) -> None:
    root = tmp_path / "mirror"
    root.mkdir()
    with mirror._lock(root):
        ran = command("data", "mirror", root, "med_ita", "--from", origin)
    assert ran.code == 1
    assert "being filled by another run" in ran.err
    assert command("data", "mirror", root, "med_ita", "--from", origin).code == 0


def test_a_killed_run_is_continued(origin: Path, tmp_path: Path) -> None:
    """kill -9 while files are copied: no half dataset, and the next run makes the mirror whole."""
    root = tmp_path / "mirror"
    for n in range(2000):
        (origin / "e3c" / f"filler-{n}").write_bytes(b"x" * 2000)
    args = [sys.executable, "-m", "ita_med.cli", "data", "mirror", str(root), "med_ita", "e3c", "--from", str(origin)]
    with subprocess.Popen(args, stdout=subprocess.DEVNULL) as running:
        while not list(root.glob(".e3c-*/e3c/filler-1*")) and running.poll() is None:
            time.sleep(0.001)
        running.send_signal(signal.SIGKILL)
    assert list(manifest(root)["datasets"]) == ["med_ita"]
    assert not (root / "e3c").exists()
    assert subprocess.run(args, stdout=subprocess.DEVNULL, timeout=60).returncode == 0
    assert tree(root / "e3c") == tree(origin / "e3c")
    assert mirror.differences(root, "e3c") == []
    assert {path.name for path in root.iterdir()} == {"e3c", "med_ita", "MANIFEST.json", ".lock"}


def test_the_commit_of_a_hub_download_is_noted(tmp_path: Path) -> None:
    note = tmp_path / "repo" / ".cache" / "huggingface" / "download" / "data" / "x.jsonl.metadata"
    note.parent.mkdir(parents=True)
    note.write_text("0123456789abcdef\netag\n1.0\n")
    (tmp_path / "repo" / "data.jsonl").write_text("{}")
    assert noted_commits(tmp_path) == {"repo": "0123456789abcdef"}
    assert mirror._files(tmp_path) == ["repo/data.jsonl"]
