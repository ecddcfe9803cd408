"""`ita-med leaderboard`: the same checker offline, sending, accounts, backups, exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ita_med.errors import ItaMedError
from ita_med.leaderboard import demo
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.submissions.check import check
from ita_med.leaderboard.submissions.submission import read_folder
from ita_med.leaderboard.web.settings import Settings

from ..dataset_builders.conftest import Command, command
from .conftest import TASKS, Files, zipped
from .serving import serving

__all__ = ["command"]
pytestmark = pytest.mark.usefixtures("cheap_hashes")


def test_check_is_the_checker_of_the_board(command: Command, run_folder: Path, files: Files) -> None:
    done = command("leaderboard", "check", run_folder, "--mirror", "embedded", "--json")
    assert done.code == 0
    scores = {x.task: 100 * x.metrics["score"] for x in check(files, "embedded").scores}
    assert json.loads(done.out) == {"accepted": True, "problems": [], "scores": scores}
    shown = command("leaderboard", "check", run_folder, "--mirror", "embedded")
    assert "would be accepted" in shown.out


def test_check_names_every_problem_and_ends_with_1(command: Command, files: Files, tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    path.write_bytes(zipped(files | {f"predictions/{TASKS[0]}.jsonl": b"{\n{\n"}))
    done = command("leaderboard", "check", path, "--mirror", "embedded")
    assert done.code == 1
    assert f"ita-med: {TASKS[0]}, line 1 is not JSON" in done.err
    assert f"{TASKS[0]}, line 2" in done.err
    again = command("leaderboard", "check", path, "--mirror", "embedded", "--json")
    assert (again.code, len(json.loads(again.out)["problems"])) == (1, 3)


@pytest.fixture
def url(engine: Engine) -> Iterator[str]:
    """A real board on loopback."""
    app = make_app(engine, "embedded", Settings(check_processes=0))
    with serving(app) as address:
        yield address


def test_submit_sends_a_run_with_the_token_of_the_environment(
    command: Command, url: str, engine: Engine, user: accounts.User, run_folder: Path, files: Files, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("ITA_MED_TOKEN", raising=False)
    assert "set ITA_MED_TOKEN" in command("leaderboard", "submit", run_folder, "--to", url).err
    monkeypatch.setenv("ITA_MED_TOKEN", "itamed_wrong")
    refused = command("leaderboard", "submit", run_folder, "--to", url)
    assert (refused.code, "HTTP 401" in refused.err) == (1, True)
    with store.writing(engine) as connection:
        token = accounts.issue_token(connection, user)
    monkeypatch.setenv("ITA_MED_TOKEN", token)
    assert "would accept it: 2 tasks" in command("leaderboard", "submit", run_folder, "--to", url, "--dry-run").out
    assert command("leaderboard", "submit", run_folder, "--to", url).out == f"accepted: {url}/en/model?id=1\n"
    assert command("leaderboard", "submit", run_folder, "--to", url).out == f"was there already: {url}/en/model?id=1\n"
    broken = tmp_path / "broken.zip"
    broken.write_bytes(zipped(files | {"virus.exe": b"x"}))
    problem = command("leaderboard", "submit", broken, "--to", url)
    assert (problem.code, "does not belong" in problem.err) == (1, True)
    assert token not in problem.err + problem.out


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("http://board.example.org", "https:// address"),
        ("file:///etc/passwd", "https:// address"),
        ("board.example.org", "https:// address"),
        ("http://127.0.0.1:9", "cannot be reached"),
    ],
)
def test_a_token_goes_nowhere_else(
    command: Command, run_folder: Path, monkeypatch: pytest.MonkeyPatch, to: str, message: str
) -> None:
    monkeypatch.setenv("ITA_MED_TOKEN", "itamed_x")
    done = command("leaderboard", "submit", run_folder, "--to", to)
    assert (done.code, message in done.err, done.err.count("\n")) == (1, True, 1)


def test_accounts_are_made_and_tokens_revoked(command: Command, tmp_path: Path) -> None:
    database = tmp_path / "board.sqlite"
    assert command("leaderboard", "user", "anna.verdi", "--db", database).code == 0
    assert "already" in command("leaderboard", "user", "anna.verdi", "--db", database).err
    token = command("leaderboard", "token", "anna.verdi", "--db", database).out.strip()
    engine = store.connect(database)
    with engine.begin() as connection:
        assert accounts.authenticate(connection, token) is not None
    assert command("leaderboard", "token", token.split("_")[1], "--revoke", "--db", database).out == "revoked\n"
    with engine.begin() as connection:
        assert accounts.authenticate(connection, token) is None
    assert "no user" in command("leaderboard", "token", "nobody", "--db", database).err
    queued = command("leaderboard", "queue", "org/model", "--user", "anna.verdi", "--db", database)
    assert queued.out == "job 1\n"
    assert "org/model" in command("leaderboard", "queue", "--db", database).out
    printed = command("leaderboard", "work", "--print", "--db", database).out
    assert "ita-med eval --model hf --model_args pretrained=org/model" in printed


def test_a_user_is_forgotten(command: Command, tmp_path: Path) -> None:
    database = tmp_path / "board.sqlite"
    command("leaderboard", "user", "anna.verdi", "--db", database)
    assert "forgot" in command("leaderboard", "user", "anna.verdi", "--forget", "--db", database).out
    assert "no user" in command("leaderboard", "user", "anna.verdi", "--forget", "--db", database).err
    assert "no such database" in command("leaderboard", "user", "x.y", "--forget", "--db", tmp_path / "none").err


def test_a_backup_is_restored_and_overwrites_nothing(command: Command, demo_board: bytes, tmp_path: Path) -> None:
    (tmp_path / "board.sqlite").write_bytes(demo_board)
    database, copy, new = (tmp_path / name for name in ("board.sqlite", "copy.sqlite", "new.sqlite"))
    assert command("leaderboard", "backup", copy, "--db", database).code == 0
    assert "exists" in command("leaderboard", "backup", copy, "--db", database).err
    assert "nothing is overwritten" in command("leaderboard", "restore", copy, "--db", database).err
    assert command("leaderboard", "restore", copy, "--db", new).code == 0
    engine, restored = store.connect(database), store.connect(new)
    with engine.begin() as first, restored.begin() as second:
        assert store.entries(first, synthetic=True) == store.entries(second, synthetic=True)
        assert store.stamp_of(first) == store.stamp_of(second)
    engine.dispose()
    restored.dispose()
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"SQLite format 3\0" + copy.read_bytes()[16:5000])
    other = tmp_path / "other.sqlite"
    assert command("leaderboard", "restore", damaged, "--db", other).code == 1
    assert command("leaderboard", "restore", tmp_path / "none", "--db", other).code == 1
    assert command("leaderboard", "backup", tmp_path / "x", "--db", tmp_path / "none").code == 1
    assert not other.exists()
    assert not list(tmp_path.glob(".*"))


def test_export_needs_no_server(command: Command, demo_board: bytes, tmp_path: Path) -> None:
    (tmp_path / "board.sqlite").write_bytes(demo_board)
    done = command("leaderboard", "export", tmp_path / "out", "--db", tmp_path / "board.sqlite", "--synthetic")
    assert done.code == 0
    views = json.loads((tmp_path / "out" / "leaderboard.json").read_text("utf-8"))
    assert [view["part"] for view in views] == ["all", "id", "ood"]
    assert "SYNTHETIC SAMPLE DATA" in (tmp_path / "out" / "leaderboard.html").read_text("utf-8")
    assert len((tmp_path / "out" / "leaderboard.csv").read_text("utf-8").splitlines()) > 100


def test_the_demo_is_seeded_once(demo_board: bytes, tmp_path: Path) -> None:
    (tmp_path / "board.sqlite").write_bytes(demo_board)
    engine = store.connect(tmp_path / "board.sqlite")
    demo.seed(engine)
    with engine.begin() as connection:
        assert len(store.entries(connection, synthetic=True)) == 9
        assert store.entries(connection, synthetic=False) == []


def test_a_folder_that_is_none_is_one_line(command: Command, tmp_path: Path) -> None:
    done = command("leaderboard", "check", tmp_path / "none")
    assert (done.code, done.err.count("\n")) == (1, 1)
    with pytest.raises(ItaMedError):
        read_folder(tmp_path / "none")
