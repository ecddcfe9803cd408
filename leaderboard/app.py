"""The board's server: FastAPI around the store; one process, loopback by default."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from ita_med import sources
from ita_med.leaderboard.pages import gradio_shell, routes
from ita_med.leaderboard.results.ranking import Board
from ita_med.leaderboard.web import api_compare, api_read, api_submit
from ita_med.leaderboard.web.http_cache import Cache
from ita_med.leaderboard.web.middleware import OutermostMiddleware
from ita_med.leaderboard.web.rate_limit import RateLimit
from ita_med.leaderboard.web.responses import Problem
from ita_med.leaderboard.web.settings import Settings
from ita_med.leaderboard.web.state import SharedState
from ita_med.leaderboard.web.uploads import Checkers
from ita_med.version import __version__

log = logging.getLogger(__name__)


def make_app(engine: Engine, mirror: str | None = None, settings: Settings | None = None) -> FastAPI:
    """The web application of a board.

    Args:
        engine: The board's database.
        mirror: Where the gold data lie; None for the cache, or for the embedded sample where the cache is empty.
        settings: How the board is set up.
    """
    mirror = sources.or_sample(mirror)
    settings = settings or Settings()
    state = SharedState(
        engine,
        mirror,
        settings,
        Board(engine, settings.patience, settings.pace),
        Checkers(mirror, settings.check_processes, settings.check_seconds),
        RateLimit(settings.user_per_minute),
        RateLimit(settings.address_per_minute),
        Cache(patience=settings.patience),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=_first_view, args=(state,), name="first view", daemon=True).start()
        if settings.shell:
            gradio_shell.load_beside()
        yield
        state.checkers.close()
        state.board.close()
        state.cache.close()

    app = FastAPI(
        title="ita-med leaderboard",
        version=__version__,
        summary="Rankings of the Italian clinical NLP benchmark; submissions are re-scored from their predictions.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.shared = state

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    def document(request: Request) -> Response:
        return state.files.answer(request, app.openapi, "", "openapi")

    app.include_router(api_read.router)
    app.include_router(api_submit.router)
    app.include_router(api_compare.router)
    if settings.sign_in:
        # a board without sign-in loads no line of it
        from ita_med.leaderboard.pages import sign_in_page
        from ita_med.leaderboard.sign_in import oauth

        app.include_router(sign_in_page.router(oauth.ready(settings.sign_in)))
    app.include_router(routes.router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OperationalError, _no_database)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(OutermostMiddleware, counters=state.counters)
    return app


def _first_view(state: SharedState) -> None:
    """Compute what the first reader will ask for, while the server already answers."""
    try:
        state.board.ranking(synthetic=state.synthetic)
    except Exception:
        log.exception("the ranking could not be computed beforehand")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Problem(str(error.detail), error.status_code, headers=dict(error.headers or {})).response()


async def _invalid(request: Request, error: Exception) -> Response:
    """A 422 with places and reasons; the input itself is not echoed, for it may hold personal data."""
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:20]]
    return Problem("Invalid request", 422, found[0] if found else "", problems=found).response()


async def _no_database(request: Request, error: Exception) -> Response:
    """A 503: the database is down, or has been busy for longer than writers wait."""
    log.error("the database does not answer (%s)", type(error).__name__)
    return Problem("The database does not answer", 503, headers={"retry-after": "10"}).response()
