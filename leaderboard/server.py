"""uvicorn around the app: no access log, no address kept, no server header."""

from __future__ import annotations

import socket

import uvicorn
from sqlalchemy import Engine

from ita_med.errors import ItaMedError
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.web.settings import Settings


def run_server(engine: Engine, mirror: str | None, settings: Settings, host: str, port: int) -> None:
    """Serve a board until SIGINT or SIGTERM; prints its address once requests are taken.

    Args:
        engine: The board's database.
        mirror: Where the gold data lie; see `make_app`.
        settings: How the board is set up.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.

    Raises:
        ItaMedError: The port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise ItaMedError(f"cannot listen on {host}, port {port} ({error.strerror}); choose another --port") from error
    listening.listen(2048)
    shown = f"[{host}]" if ":" in host else host
    print(f"ita-med: the board is at http://{shown}:{listening.getsockname()[1]}/ (API: /api/v1)", flush=True)
    app = make_app(engine, mirror, settings)
    app.state.shared.checkers.warm()
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False,
        proxy_headers=False, timeout_keep_alive=30, limit_concurrency=500,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])
