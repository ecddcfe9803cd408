"""A real board on loopback, and Debian's Chromium to read it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium)")


@contextmanager
def serving(app: Any, ready: Callable[[], bool] = lambda: True, port: int = 0) -> Iterator[str]:
    """The address of an app that is served until the block ends; ready: what else must hold before it begins."""
    # uvicorn's own logging settings shut all handlers down; absl's would close the stderr that pytest has lent it
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 120
        while not (server.started and ready()) and time.monotonic() < until:
            time.sleep(0.01)
        assert server.started
        assert ready()
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that asks nobody but the board."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as opened:
        found = opened.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield found
        found.close()
