"""A board under load: 50 readers and 8 submitters for a minute, on loopback, with 200 systems.

    OMP_NUM_THREADS=1 python benchmarks/board_load.py            # --seconds 60 --readers 50 --submitters 8 --think 1
    OMP_NUM_THREADS=1 python benchmarks/board_load.py --db postgresql://user:password@127.0.0.1/empty

A real `ita-med leaderboard serve` in a process of its own; the clients are in two more. A reader visits a page, what
the page asks for, and the API, with ETags as a browser has them, and then reads for --think seconds (half to one and a
half times that; 0: no pause at all). A submitter sends whole runs on the embedded sample, each another one, --pause
seconds after the board's answer (0: it floods the board, which grows by hundreds of systems in a minute); every fifth
one it sends twice. Afterwards the database is held against what the clients were told:
lost: accepted and not there or not whole; double: one run twice, or more rows than accepted runs.
Ends with 1 where there is an error, a lost or a double submission.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, func, select

from ita_med import catalogue, sources
from ita_med.leaderboard import demo
from ita_med.leaderboard.database import accounts, store, tables
from ita_med.leaderboard.submissions.check import gold
from ita_med.leaderboard.submissions.send import zipped
from ita_med.leaderboard.submissions.submission import Claim, Submission

SYSTEMS = 200
VISITS = [
    ["/it/", "/it/fragments/ranking", "/api/v1/ranking"],
    ["/en/", "/en/fragments/ranking?part=id"],
    ["/it/?part=ood", "/it/fragments/ranking?part=ood", "/api/v1/systems/7"],
    ["/en/model?id=9", "/api/v1/systems/9", "/api/v1/queue"],
    ["/it/tasks", "/api/v1/tasks"],
    ["/en/figures", "/en/fragments/figures", "/api/v1/figures/ranks"],
    ["/it/compare?systems=3,7", "/api/v1/compare?systems=3,7", "/health"],
    ["/it/method", "/static/board.css", "/metrics"],
]
Timings = dict[str, list[float]]


def main() -> None:
    given = arguments()
    if given.client:
        clients = readers if given.client == "readers" else submitters
        print(json.dumps(asyncio.run(clients(given.url, given))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = store.connect(given.db or folder / "board.sqlite")
        tokens = fill(engine, given.submitters)
        upload = demo.files(Claim("load/model", "4-shot"), "majority", 0.3)
        (folder / "upload.json").write_text(json.dumps({k: v.decode() for k, v in upload.items()}))
        with server(engine) as url:
            processes = [client(kind, url, folder, tokens, given) for kind in ("readers", "submitters")]
            told = [json.loads(process.communicate(timeout=given.seconds + 300)[0]) for process in processes]
        ok = report(told, engine, given)
    sys.exit(0 if ok else 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--submitters", type=int, default=8)
    parser.add_argument("--think", type=float, default=1.0)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--db", default="", help="an empty PostgreSQL; without it an SQLite file")
    parser.add_argument("--client", choices=["readers", "submitters"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def fill(engine: Engine, submitters: int) -> list[str]:
    """200 drawn systems over the documents of the embedded sample; returns a token for each submitter."""
    rng = np.random.default_rng(0)
    with store.writing(engine) as connection:
        owner = accounts.add_user(connection, "load")
        for n in range(SYSTEMS):
            scored = []
            for task in catalogue.tasks(ready=True):
                data = gold(task.id, sources.EMBEDDED)
                clusters = len(set(data.clusters))
                scores = demo.synthetic_scores(task, clusters, float(rng.uniform(0.2, 0.9)), rng)
                scores.source, scores.fingerprint = data.source, data.fingerprint
                scored.append(scores)
            predictions = {scores.task: f"{n}".encode() for scores in scored}
            claim = Claim(f"load/system-{n}", "4-shot", parameters=float(n * 10), licence="Apache-2.0")
            store.add_submission(connection, owner.id, Submission(claim, {}, predictions), scored)
        users = [accounts.add_user(connection, f"submitter-{n}") for n in range(submitters)]
        return [accounts.issue_token(connection, user) for user in users]


@contextmanager
def server(engine: Engine) -> Iterator[str]:
    command = [sys.executable, "-m", "ita_med.cli", "leaderboard", "serve", "--port", "0", "--mirror", "embedded"]
    command += ["--posts", "1000000", "--quota", "1000000"]
    env = dict(os.environ) | {"ITA_MED_DB": engine.url.render_as_string(hide_password=False)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    try:
        yield re.findall(r"http://[^/\s]+", process.stdout.readline())[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def client(kind: str, url: str, folder: Path, tokens: list[str], given: argparse.Namespace) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--client", kind, "--url", url, "--folder", str(folder)]
    for name in ("seconds", "readers", "submitters", "think", "pause"):
        command += [f"--{name}", str(getattr(given, name))]
    env = dict(os.environ) | {"TOKENS": " ".join(tokens)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


async def readers(url: str, given: argparse.Namespace) -> dict[str, Any]:
    import aiohttp

    timings: Timings = defaultdict(list)
    errors: Counter[str] = Counter()
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        there = {}
        for path in {path for visit in VISITS for path in visit}:
            async with session.get(path) as answer:
                await answer.read()
                there[path] = answer.status == 200
        until = time.monotonic() + given.seconds

        async def reader(n: int) -> None:
            drawn, etags = random.Random(n), {}
            await asyncio.sleep(drawn.uniform(0, given.think or 0.1))
            while time.monotonic() < until:
                for path in drawn.choice(VISITS):
                    if not there[path]:
                        continue
                    headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": etags[path]} if path in etags else {})
                    started = time.perf_counter()
                    try:
                        async with session.get(path, headers=headers) as answer:
                            await answer.read()
                            if answer.status not in (200, 304):
                                errors[f"{path} {answer.status}"] += 1
                            if "ETag" in answer.headers:
                                etags[path] = answer.headers["ETag"]
                    except aiohttp.ClientError as error:
                        errors[f"{path} {type(error).__name__}"] += 1
                    timings[kind_of(path)].append(time.perf_counter() - started)
                await asyncio.sleep(given.think * drawn.uniform(0.5, 1.5))

        await asyncio.gather(*(reader(n) for n in range(given.readers)))
    absent = sorted(path for path, found in there.items() if not found)
    return {"timings": timings, "errors": errors, "absent": absent}


def kind_of(path: str) -> str:
    return (
        "API"
        if path.startswith("/api") or path in ("/health", "/metrics")
        else ("fragment" if "/fragments/" in path else "page")
    )


async def submitters(url: str, given: argparse.Namespace) -> dict[str, Any]:
    import aiohttp

    files = json.loads((given.folder / "upload.json").read_text())
    manifest = json.loads(files["manifest.json"])
    contents = {name: text.encode() for name, text in files.items()}
    timings: Timings = defaultdict(list)
    errors: Counter[str] = Counter()
    told: list[tuple[str, int, bool]] = []
    until = time.monotonic() + given.seconds
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(body: bytes, token: str, revision: str) -> None:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/zip"}
            started = time.perf_counter()
            try:
                async with session.post("/api/v1/submissions", data=body, headers=headers) as answer:
                    found = await answer.json()
                    if answer.status in (200, 201):
                        told.append((revision, found["id"], found["duplicate"]))
                    else:
                        errors[f"submit {answer.status} {found.get('title')}"] += 1
            except aiohttp.ClientError as error:
                errors[f"submit {type(error).__name__}"] += 1
            timings["submission"].append(time.perf_counter() - started)

        async def submitter(token: str, n: int) -> None:
            k = 0
            while time.monotonic() < until:
                revision = f"{n}.{k}"
                changed = {"manifest.json": json.dumps(manifest | {"revision": revision}).encode()}
                body = await asyncio.to_thread(zipped, contents | changed)
                await asyncio.gather(*(send(body, token, revision) for _ in range(2 if k % 5 == 4 else 1)))
                k += 1
                await asyncio.sleep(given.pause)

        await asyncio.gather(*(submitter(token, n) for n, token in enumerate(os.environ["TOKENS"].split())))
    return {"timings": timings, "errors": errors, "told": told}


def report(found: list[dict[str, Any]], engine: Engine, given: argparse.Namespace) -> bool:
    told = found[1]["told"]
    new = {revision: number for revision, number, duplicate in told if not duplicate}
    with engine.begin() as connection:
        claims = select(tables.submissions.c.id, tables.submissions.c.claim)
        there: dict[str, list[int]] = defaultdict(list)
        for row in connection.execute(claims):
            if row.claim["model"] == "load/model":
                there[row.claim["revision"]].append(row.id)
        results = select(tables.results.c.submission_id, func.count()).group_by(tables.results.c.submission_id)
        whole = {number for number, n in connection.execute(results) if n == len(catalogue.tasks(ready=True))}
    lost = [r for r, number, _ in told if number not in there[r] or number not in whole]
    doubled = [r for r, rows in there.items() if len(rows) > 1] + [
        r for r, n in Counter(revision for revision, _, duplicate in told if not duplicate).items() if n > 1
    ]
    errors = Counter(found[0]["errors"]) + Counter(found[1]["errors"])
    print(
        f"{given.readers} readers (think {given.think} s), {given.submitters} submitters (pause {given.pause} s), "
        f"{given.seconds:.0f} s, {SYSTEMS} to {len(whole)} systems, {engine.dialect.name}"
    )
    if found[0]["absent"]:
        print("not on this board, not asked:", *found[0]["absent"])
    print(f"{'':<12}{'requests':>10}{'per s':>8}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}")
    for kind, seconds in sorted({**found[0]["timings"], **found[1]["timings"]}.items()):
        p50, p95, most = 1000 * np.quantile(seconds, [0.5, 0.95, 1.0])
        rate = len(seconds) / given.seconds
        print(f"{kind:<12}{len(seconds):>10,}{rate:>8.1f}{p50:>9.1f}{p95:>9.1f}{most:>9.1f}")
    print(f"errors {sum(errors.values())}, lost {len(lost)}, double {len(doubled)}, accepted {len(new)}")
    for text, n in errors.most_common(10):
        print(f"  {n} × {text}")
    return not (errors or lost or doubled)


if __name__ == "__main__":
    main()
