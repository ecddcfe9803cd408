"""The worker: it runs a fixed command, a killed one loses nothing, a failed evaluation leaves no row."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ita_med.leaderboard import worker
from ita_med.leaderboard.database import accounts, jobs, store

from .conftest import BOTH, url_of
from .database.test_jobs import add, states

pytestmark = pytest.mark.slow

DATABASES = BOTH
WORKER = """
import sys
from pathlib import Path
from ita_med.leaderboard import worker
from ita_med.leaderboard.database import store
database, folder, script, mode = sys.argv[1:]
command = lambda job, out: [sys.executable, script, mode, str(out)]
job = worker.work(store.connect(database), "w", Path(folder), "embedded", command=command, beats=0.1, silent=0.5)
print(job.id if job else "nothing")
"""
EVALUATION = """
import shutil, sys, time
from pathlib import Path
mode, out = sys.argv[1:]
Path(out + ".started").write_text("x")
if mode == "hang":
    time.sleep(60)
if mode == "broken":
    sys.exit(3)
shutil.copytree(Path(__file__).parent / "run", out)
if mode == "cut":
    path = next(Path(out).glob("predictions/*.jsonl"))
    path.write_bytes(path.read_bytes()[:-20])
"""


def test_the_command_is_a_fixed_list(engine: Engine, user: accounts.User, tmp_path: Path) -> None:
    add(engine, user, "Qwen/Qwen3-1.7B", revision="abc", method="4-shot + CD")
    with store.writing(engine) as connection:
        job = jobs.claim(connection, "w")
    assert job is not None
    assert worker.evaluation(job, tmp_path)[3:] == [
        "eval", "--model", "hf", "--model_args", "pretrained=Qwen/Qwen3-1.7B,revision=abc", "--num_fewshot", "4",
        "--constrained", "--tasks", "ita_med", "--out", str(tmp_path),
    ]  # fmt: skip
    assert "ita-med eval --model hf" in worker.printed(job)


@pytest.fixture
def scripts(tmp_path: Path, run_folder: Path) -> Path:
    """A worker with a fake evaluation that copies a good run."""
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "evaluation.py").write_text(EVALUATION)
    (tmp_path / "run").symlink_to(run_folder)
    (tmp_path / "out").mkdir()
    return tmp_path


def start(engine: Engine, scripts: Path, mode: str) -> subprocess.Popen[str]:
    files = [scripts / "worker.py", url_of(engine), scripts / "out", scripts / "evaluation.py"]
    return subprocess.Popen([sys.executable, *map(str, files), mode], stdout=subprocess.PIPE, text=True)


def test_a_killed_worker_s_job_is_done_by_the_next(engine: Engine, user: accounts.User, scripts: Path) -> None:
    add(engine, user)
    worker = start(engine, scripts, "hang")
    until = time.monotonic() + 20
    while not list((scripts / "out").glob("*.started")) and time.monotonic() < until:
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert states(engine) == [("running", None)]
    time.sleep(0.7)
    again = start(engine, scripts, "good")
    assert again.communicate(timeout=30)[0] == "1\n"
    with engine.begin() as connection:
        (job,) = jobs.jobs(connection)
        (entry,) = store.entries(connection, synthetic=True)
    assert (job.state, job.attempts, job.submission_id) == ("done", 2, entry.id)
    assert entry.provenance == "reproduced"


@pytest.mark.parametrize(("mode", "message"), [("broken", "ended with code 3"), ("cut", "is not JSON")])
def test_a_failed_evaluation_says_why_and_leaves_no_row(
    engine: Engine, user: accounts.User, scripts: Path, mode: str, message: str
) -> None:
    add(engine, user)
    command = [sys.executable, str(scripts / "evaluation.py"), mode]
    job = worker.work(engine, "w", scripts / "out", "embedded", command=lambda _, out: [*command, str(out)])
    assert job is not None
    with engine.begin() as connection:
        (found,) = jobs.jobs(connection)
        assert store.entries(connection, synthetic=True) == []
    assert found.state == "failed"
    assert message in found.message
    assert str(scripts) not in found.message
    assert worker.work(engine, "w", scripts / "out", "embedded") is None
