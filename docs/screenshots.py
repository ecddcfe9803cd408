"""Pictures of the board's pages for the documentation, from the demo's board, in docs/screenshots/.

python docs/screenshots.py                                  # needs playwright and a Chromium
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path

import uvicorn

from ita_med.leaderboard import demo
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import store
from ita_med.leaderboard.pages import gradio_shell
from ita_med.leaderboard.web.settings import Settings

FOLDER = Path(__file__).parent / "screenshots"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
PICTURES = {
    "ranking": ("/en/?tasks=crf", 1360, 980, "light"),
    "ranking-dark": ("/it/", 1360, 820, "dark"),
    "ranking-phone": ("/it/?q=half", 390, 844, "light"),
    "figures": ("/en/figures", 1100, 1500, "light"),
    "compare": ("/en/compare?systems=4&systems=7", 1360, 1100, "light"),
    "model": ("/en/model?id=4", 1360, 900, "light"),
    "tasks": ("/it/tasks", 1360, 900, "light"),
    "submit": ("/it/submit", 1100, 900, "light"),
}
"""Name -> address, width, height, colour scheme."""


def main() -> None:
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as opened:
        url = _served(Path(folder) / "board.sqlite")
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = opened.chromium.launch(executable_path=executable, args=list(QUIET))
        for name, (address, width, height, scheme) in PICTURES.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(url + address, wait_until="networkidle")
            page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
            print(f"{name}.png: {(FOLDER / f'{name}.png').stat().st_size / 1000:.0f} kB")
        browser.close()


def _served(database: Path) -> str:
    """The address of a server that ends with this program."""
    engine = store.connect(database)
    demo.seed(engine)
    server = uvicorn.Server(
        uvicorn.Config(make_app(engine, "embedded", Settings(check_processes=0)), port=0, log_config=None)
    )
    threading.Thread(target=server.run, daemon=True).start()
    while not (server.started and gradio_shell.ready()):
        time.sleep(0.1)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


if __name__ == "__main__":
    main()
