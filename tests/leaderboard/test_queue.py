"""Lane B: each model once, one worker per job, no job lost with its worker."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from ita_med.errors import ItaMedError
from ita_med.leaderboard import worker
from ita_med.leaderboard.database import accounts, jobs, store, tables
from tests.leaderboard.conftest import BOTH, url_of

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


def add(engine: Engine, user: accounts.User, model: str = "org/model", **options: str) -> tuple[int, bool]:
    with store.writing(engine) as connection:
        return jobs.enqueue(connection, user, model, **options)


def states(engine: Engine) -> list[tuple[str, int | None]]:
    with engine.begin() as connection:
        return [(job.state, job.position) for job in jobs.jobs(connection)]


def test_a_model_waits_once(engine: Engine, user: accounts.User) -> None:
    first, new = add(engine, user)
    assert new
    assert add(engine, user) == (first, False)
    assert add(engine, user, revision="abc")[1]
    assert add(engine, user, method="4-shot")[1]
    assert states(engine) == [("queued", 1), ("queued", 2), ("queued", 3)]
    with pytest.raises(ItaMedError, match="waiting already"):
        add(engine, user, "org/other")


@pytest.mark.parametrize(
    ("model", "revision", "method"),
    [
        ("", "", "zero-shot"),
        ("--help", "", "zero-shot"),
        ("../../etc/passwd", "", "zero-shot"),
        ("/etc/passwd", "", "zero-shot"),
        ("org/model,trust_remote_code=True", "", "zero-shot"),
        ("org/model;rm -rf /", "", "zero-shot"),
        ("http://169.254.169.254/latest", "", "zero-shot"),
        ("org/model\n--device=x", "", "zero-shot"),
        ("org/mod..el", "", "zero-shot"),
        ("org/model", "--device", "zero-shot"),
        ("org/model", "main,peft=evil", "zero-shot"),
        ("org/model", "", "zero-shot; id"),
        ("'; DROP TABLE jobs;--", "", "zero-shot"),
    ],
)
def test_nothing_but_a_name_gets_into_the_queue(
    engine: Engine, user: accounts.User, model: str, revision: str, method: str
) -> None:
    with pytest.raises(ItaMedError):
        add(engine, user, model, revision=revision, method=method)
    assert states(engine) == []


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


def test_two_workers_never_get_the_same_job(engine: Engine, user: accounts.User) -> None:
    maintainer = accounts.User(user.id, user.name, "maintainer")
    for n in range(6):
        add(engine, maintainer, f"org/model-{n}")
    claimed: list[int] = []

    def claim(name: str) -> None:
        for _ in range(3):
            with store.writing(engine) as connection:
                job = jobs.claim(connection, name)
            claimed.append(job.id if job else 0)

    threads = [threading.Thread(target=claim, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(n for n in claimed if n) == [1, 2, 3, 4, 5, 6]


def silence(engine: Engine) -> int:
    with store.writing(engine) as connection:
        connection.execute(update(tables.jobs).values(heartbeat=store.now() - timedelta(hours=1)))
        return jobs.requeue(connection)


def test_a_silent_worker_loses_its_job_and_may_not_finish_it(engine: Engine, user: accounts.User) -> None:
    add(engine, user)
    with store.writing(engine) as connection:
        old = jobs.claim(connection, "old")
        assert old is not None
        assert jobs.requeue(connection) == 0, "it has just been heard of"
    assert silence(engine) == 1
    assert states(engine) == [("queued", 1)]
    with store.writing(engine) as connection:
        again = jobs.claim(connection, "old")
        assert again is not None
        assert again.attempts == 2
        with pytest.raises(jobs.NotYours):
            jobs.beat(connection, old, "old")
        with pytest.raises(jobs.NotYours):
            jobs.beat(connection, again, "other")
        jobs.beat(connection, again, "old")


def test_after_three_attempts_a_job_fails_and_may_be_asked_for_again(engine: Engine, user: accounts.User) -> None:
    number, _ = add(engine, user)
    for _ in range(jobs.ATTEMPTS):
        with store.writing(engine) as connection:
            assert jobs.claim(connection, "w") is not None
        assert silence(engine) == 1
    assert states(engine) == [("failed", None)]
    assert add(engine, user) == (number, True)
    assert states(engine) == [("queued", 1)]


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
