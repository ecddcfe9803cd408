"""kill -9 of the board's server and of its worker, at random points, while clients submit and models wait.

    OMP_NUM_THREADS=1 python benchmarks/board_kill.py                      # --rounds 50, SQLite in a temporary folder
    OMP_NUM_THREADS=1 python benchmarks/board_kill.py --db postgresql://user:password@127.0.0.1/empty

In each round a real `ita-med leaderboard serve` takes uploads of four clients, each another one, and a worker evaluates
the queue (by a command that copies a finished run); both are killed, 0 to --most seconds after the first upload was
accepted, or in one round of five after the server is up. After each
round: every submission that a client was told of is there, once, with all its results and its line in `uploads`, and
nothing is half there. At the end a last worker, left alone, empties the queue: every job is done, and has one result.
Ends with 1 where something was lost, doubled or half written.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, func, select

from ita_med.leaderboard.database import accounts, jobs, store, tables
from ita_med.leaderboard.submissions.send import zipped
from ita_med.leaderboard.submissions.submission import read_folder
from ita_med.tasks.evaluation.evaluate import Run, evaluate

TASKS = ["ita_med_ner_e3c_disorder", "ita_med_qa_med_ita"]
CLIENTS = 4
MODELS = 5
SILENT = 1.0
"""Seconds after which a worker counts as dead; 120 on a real board."""
WORKER = """
import json, os, sys, time
from pathlib import Path
from ita_med.leaderboard import worker
from ita_med.leaderboard.database import store
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
engine = store.connect(os.environ["ITA_MED_DB"])
def command(job, out):
    return [sys.executable, str(folder / "evaluation.py"), str(job.id), job.model, str(out)]
print("up", flush=True)
idle = 0
while idle < 3 or not rounds:
    job = worker.work(engine, f"w{os.getpid()}", folder / "out", "embedded", command=command, beats=0.1,
                      silent=float(sys.argv[3]))
    idle = 0 if job else idle + 1
    if not job:
        time.sleep(float(sys.argv[3]) / 2)
"""
EVALUATION = """
import json, shutil, sys, time
from pathlib import Path
number, model, out = sys.argv[1:]
time.sleep(0.1 + int(number) % 5 / 10)
shutil.copytree(Path(__file__).parent / "run", out)
path = Path(out) / "manifest.json"
path.write_text(json.dumps(json.loads(path.read_text()) | {"model": model}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--most", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--db", default=os.environ.get("ITA_MED_DB", ""))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        engine = store.connect(given.db or folder / "board.sqlite")
        with store.writing(engine) as connection:
            user = accounts.add_user(connection, "kill", "maintainer")
            token = accounts.issue_token(connection, user)
        told: dict[str, int] = {}
        drawn = random.Random(given.seed)
        for n in range(given.rounds):
            ask(engine, user, n)
            one_round(engine, folder, token, told, drawn, n, given.most)
            problems = wrong(engine, told)
            print(f"round {n + 1:>3}: {len(told)} accepted, {state(engine)}", *problems, flush=True)
            if problems:
                sys.exit(1)
        problems = settled(engine, folder, given.rounds)
        problems += [] if told else ["nothing was accepted: no server came up"]
        print(
            f"{given.rounds} rounds, {engine.dialect.name}: {len(told)} accepted, none lost, none half; {state(engine)}"
        )
        print(*problems)
        sys.exit(1 if problems else 0)


def prepare(folder: Path) -> None:
    evaluate(Run("baseline", "kind=majority"), TASKS, folder / "run", "embedded")
    (folder / "worker.py").write_text(WORKER)
    (folder / "evaluation.py").write_text(EVALUATION)
    (folder / "out").mkdir()


def ask(engine: Engine, user: accounts.User, n: int) -> None:
    """Models for the worker of one round; those that failed are queued again."""
    with store.writing(engine) as connection:
        for k in range(MODELS):
            jobs.enqueue(connection, user, f"kill/model-{n}-{k}")


def started(engine: Engine, command: list[str]) -> subprocess.Popen[str]:
    env = dict(os.environ) | {"ITA_MED_DB": engine.url.render_as_string(hide_password=False)}
    return subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, env=env, start_new_session=True
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def kill(process: subprocess.Popen[str]) -> None:
    """With all its children, as when a machine dies."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def one_round(
    engine: Engine, folder: Path, token: str, told: dict[str, int], drawn: random.Random, n: int, most: float
) -> None:
    serve = ["-m", "ita_med.cli", "leaderboard", "serve", "--port", "0", "--mirror", "embedded", "--checkers", "0"]
    server = started(engine, [*serve, "--posts", "1000000", "--quota", "1000000"])
    worker = started(engine, [str(folder / "worker.py"), str(folder), "0", str(SILENT)])
    try:
        url = re.findall(r"http://[^/\s]+", line(server))[0]
        line(worker)
        clients = [threading.Thread(target=client, args=(url, folder, token, told, f"{n}.{k}")) for k in range(CLIENTS)]
        for one in clients:
            one.start()
        known = len(told)
        until = time.monotonic() + (0 if drawn.random() < 0.2 else 60)  # one in five is killed while it warms up
        while len(told) == known and time.monotonic() < until:
            time.sleep(0.01)
        first, second = sorted(drawn.uniform(0, most) for _ in range(2))
        victims = drawn.sample([server, worker], 2)
        time.sleep(first)
        kill(victims[0])
        time.sleep(second - first)
    finally:
        for process in (server, worker):
            if process.poll() is None:
                kill(process)
    for one in clients:
        one.join()


def client(url: str, folder: Path, token: str, told: dict[str, int], name: str) -> None:
    files = read_folder(folder / "run")
    manifest = json.loads(files["manifest.json"])
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/zip"}
    for k in range(10_000):
        revision = f"{name}.{k}"
        body = zipped(files | {"manifest.json": json.dumps(manifest | {"revision": revision}).encode()})
        try:
            answer = requests.post(f"{url}/api/v1/submissions", data=body, headers=headers, timeout=60)
        except requests.RequestException:
            return
        assert answer.status_code == 201, answer.text
        told[revision] = answer.json()["id"]


def wrong(engine: Engine, told: dict[str, int]) -> list[str]:
    """What is not as the clients were told, or half there."""
    submissions, results, uploads = tables.submissions, tables.results, tables.uploads
    with engine.begin() as connection:
        there = {
            row.claim["revision"]: row.id for row in connection.execute(select(submissions.c.id, submissions.c.claim))
        }
        keys = [key for (key,) in connection.execute(select(submissions.c.key))]
        tasks_of = select(results.c.submission_id, func.count()).group_by(results.c.submission_id)
        scored = dict(map(tuple, connection.execute(tasks_of)))
        counted = Counter(number for (number,) in connection.execute(select(uploads.c.submission_id)))
        ids = {number for (number,) in connection.execute(select(submissions.c.id))}
    found = [f"lost: {name}" for name, number in told.items() if there.get(name) != number]
    found += ["double"] if len(set(keys)) != len(keys) else []
    found += [f"half: {number}" for number in ids if scored.get(number) != len(TASKS) or counted[number] != 1]
    return found + [f"orphan: {number}" for number in (set(scored) | set(counted)) - ids]


def state(engine: Engine) -> str:
    with engine.begin() as connection:
        states = Counter(job.state for job in jobs.jobs(connection, 10_000))
    return "jobs " + ", ".join(f"{n} {name}" for name, n in sorted(states.items()))


def settled(engine: Engine, folder: Path, rounds: int) -> list[str]:
    """The queue goes on: what was given up after too many kills is asked for again, and each job has one result."""
    with store.writing(engine) as connection:
        user = accounts.find_user(connection, "kill")
    for n in range(rounds):
        ask(engine, user, n)
    shutil.rmtree(folder / "out")
    (folder / "out").mkdir()
    worker = started(engine, [str(folder / "worker.py"), str(folder), "1", str(SILENT)])
    worker.wait(300)
    with engine.begin() as connection:
        queued: list[Any] = jobs.jobs(connection, 10_000)
        rows = select(tables.submissions.c.claim).where(tables.submissions.c.provenance == "reproduced")
        models = Counter(row.claim["model"] for row in connection.execute(rows))
    found = [f"job {job.id} is {job.state}: {job.message}" for job in queued if job.state != "done"]
    found += [f"{len(queued)} jobs of {MODELS * rounds}"] if len(queued) != MODELS * rounds else []
    return found + [
        f"{model}: {models[model]} results" for model in {job.model for job in queued} if models[model] != 1
    ]


if __name__ == "__main__":
    main()
