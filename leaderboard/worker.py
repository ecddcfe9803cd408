"""`ita-med leaderboard work`: takes the models of the queue one after the other and evaluates them on this machine.

The evaluation is a process of its own. While it runs, the worker says every few seconds that it lives.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, select

from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import jobs, store, tables
from ita_med.leaderboard.database.jobs import Job
from ita_med.leaderboard.submissions.check import Checked, check
from ita_med.leaderboard.submissions.submission import read_folder

BEAT_SECONDS = 15.0


def evaluation(job: Job, out: Path) -> list[str]:
    """The command that evaluates a job's model: a fixed list of arguments, run without a shell."""
    return [sys.executable, "-m", "ita_med.cli", *eval_arguments(job, str(out))]


def eval_arguments(job: Job, out: str) -> list[str]:
    given = f"pretrained={job.model}" + (f",revision={job.revision}" if job.revision else "")
    return [
        "eval",
        "--model",
        "hf",
        "--model_args",
        given,
        *jobs.METHODS[job.method],
        "--tasks",
        "ita_med",
        "--out",
        out,
    ]


def printed(job: Job) -> str:
    """The job as commands for another machine."""
    run = shlex.join(["ita-med", *eval_arguments(job, f"runs/job-{job.id}")])
    return f"# job {job.id}: {job.model}, {job.method}\n{run}\nita-med leaderboard submit runs/job-{job.id} --to URL"


def work(
    engine: Engine,
    worker: str,
    folder: Path,
    mirror: str | None,
    *,
    command: Callable[[Job, Path], list[str]] = evaluation,
    beats: float = BEAT_SECONDS,
    silent: float = jobs.SILENT_SECONDS,
) -> Job | None:
    """Run the next job, if there is one: evaluate the model, check the run, and put its scores on the board.

    Args:
        engine: The board's database.
        worker: Name of this worker.
        folder: Where the run is written.
        mirror: Where the gold data lie.
        command: Makes the command that evaluates a job into a folder.
        beats: Seconds between two signs of life.
        silent: Seconds after which other workers count as dead.

    Returns:
        The job as it was taken, or None where nothing waits.
    """
    with store.writing(engine) as connection:
        jobs.requeue(connection, silent)
        job = jobs.claim(connection, worker)
    if job is None:
        return None
    out = folder / f"job-{job.id}-{job.attempts}-{os.getpid()}"
    code = _run(engine, job, worker, command(job, out), mirror, beats)
    checked = _check(out, mirror) if code == 0 else None
    with store.writing(engine) as connection:
        if checked is None:
            jobs.fail(connection, job, worker, f"the evaluation ended with code {code}")
        elif not checked.accepted or checked.submission is None:
            jobs.fail(connection, job, worker, checked.problems[0])
        else:
            owner = connection.execute(select(tables.jobs.c.user_id).where(tables.jobs.c.id == job.id)).scalar_one()
            number, _ = store.add_submission(connection, owner, checked.submission, checked.scores, "reproduced")
            jobs.finish(connection, job, worker, number)
    return job


def _check(out: Path, mirror: str | None) -> Checked:
    try:
        return check(read_folder(out), mirror)
    except ItaMedError as error:
        return Checked(problems=[str(error).replace(str(out), "the run")])


def _run(engine: Engine, job: Job, worker: str, command: list[str], mirror: str | None, beats: float) -> int:
    """Run the evaluation while the heart beats; it is stopped where the job was taken away."""
    environment = dict(os.environ) | ({"ITA_MED_MIRROR": mirror} if mirror else {})
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with store.writing(engine) as connection:
                jobs.beat(connection, job, worker)
            until = time.monotonic() + beats
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode
