"""The board's first page with 200 systems × 20 tasks: how soon it is there, how large it is, what recomputing costs.

    OMP_NUM_THREADS=1 python benchmarks/board_pages.py          # needs a Chromium; --systems 20 for a quick look

Synthetic counts with the document numbers of the real tasks. A real server on loopback, a fresh browser context (empty
cache) for each opening; the table is visible when its last row has been laid out. Our own data: the page and what it
loads of ours, compressed as sent, without Gradio's files.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.pages import gradio_shell
from ita_med.leaderboard.results.ranking import Board
from ita_med.leaderboard.web.settings import Settings
from leaderboard import add

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
GRADIO = ("/it/assets/", "/it/static/", "/it/theme.css")
TARGETS = {"table": "<= 1.5 s", "size": "<= 100 kB", "recompute": "<= 3 s", "cached": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--openings", type=int, default=5)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        engine = store.connect(Path(folder) / "board.sqlite")
        with store.writing(engine) as connection:
            user = accounts.add_user(connection, "benchmark")
            for n in range(asked.systems):
                add(connection, user.id, n, rng)
        board = Board(engine)
        board.ranking()
        with store.writing(engine) as connection:
            add(connection, user.id, asked.systems, rng)
        lines = [("ranking, one more submission", _seconds(board.ranking), TARGETS["recompute"])]
        lines.append(("ranking, cached", _seconds(board.ranking), TARGETS["cached"]))
        lines += _in_a_browser(make_app(engine, "", Settings(check_processes=0)), asked.openings)
    print(f"{asked.systems + 1} systems, {asked.openings} openings")
    for name, value, target in lines:
        print(f"{name:<44} {value:>12} {target:>12}")


def _seconds(run: Any) -> str:
    started = time.perf_counter()
    run()
    return f"{time.perf_counter() - started:.4f} s"


def _in_a_browser(app: Any, openings: int) -> list[tuple[str, str, str]]:
    from playwright.sync_api import sync_playwright

    gradio_shell.gradio()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/it/"
    visible, ours, all_of_it = [], 0, 0
    with sync_playwright() as opened:
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = opened.chromium.launch(executable_path=executable, args=list(QUIET))
        for _ in range(openings + 1):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            network = page.context.new_cdp_session(page)
            network.send("Network.enable")
            sent: dict[str, int] = {}
            names: dict[str, str] = {}
            network.on(
                "Network.responseReceived", lambda m, to=names: to.update({m["requestId"]: m["response"]["url"]})
            )
            network.on(
                "Network.loadingFinished", lambda m, to=sent: to.update({m["requestId"]: m["encodedDataLength"]})
            )
            started = time.perf_counter()
            page.goto(url, wait_until="commit")
            page.locator("table.ranked tbody tr").last.wait_for()
            visible.append(time.perf_counter() - started)
            page.wait_for_load_state("networkidle")
            all_of_it = sum(sent.values())
            ours = sum(size for key, size in sent.items() if not any(part in names[key] for part in GRADIO))
            page.close()
        browser.close()
    server.should_exit = True
    thread.join()
    return [
        ("first opening after a start, nothing computed", f"{visible[0]:.2f} s", ""),
        ("table visible, median", f"{statistics.median(visible[1:]):.2f} s", TARGETS["table"]),
        ("table visible, slowest", f"{max(visible[1:]):.2f} s", TARGETS["table"]),
        ("our own data, compressed", f"{ours / 1000:.0f} kB", TARGETS["size"]),
        ("with Gradio's frame", f"{all_of_it / 1000:.0f} kB", ""),
    ]


if __name__ == "__main__":
    main()
