"""What the routes of one server share: the database, the ranking, caches, limits; made once, by `make_app`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from ita_med import sources
from ita_med.leaderboard.results.ranking import Board
from ita_med.leaderboard.web.counters import Counters
from ita_med.leaderboard.web.http_cache import Cache
from ita_med.leaderboard.web.rate_limit import RateLimit
from ita_med.leaderboard.web.responses import too_many
from ita_med.leaderboard.web.settings import Settings
from ita_med.leaderboard.web.uploads import Checkers


@dataclass
class SharedState:
    """What the routes of one server share, as `app.state.shared`.

    Attributes:
        engine: The board's database.
        mirror: Where the gold data lie; `sources.EMBEDDED` for the sample, None for the cache.
        settings: How this board is set up.
        board: The rankings of the database, kept until it changes.
        checkers: The processes that check uploads.
        users: Requests of each user.
        addresses: Requests of each address.
        cache: Answers and pages that depend on the board's results.
        files: Answers that never change while the server runs: scripts, styles, the OpenAPI document.
        counters: Of requests, for Prometheus.
    """

    engine: Engine
    mirror: str | None
    settings: Settings
    board: Board
    checkers: Checkers
    users: RateLimit
    addresses: RateLimit
    cache: Cache = field(default_factory=Cache)
    files: Cache = field(default_factory=Cache)
    counters: Counters = field(default_factory=Counters)

    @property
    def synthetic(self) -> bool:
        """Whether the board shows runs on the embedded sample; its pages then say so."""
        return self.mirror == sources.EMBEDDED


def state_of(request: Request) -> SharedState:
    """The state of the server that takes a request."""
    found: SharedState = request.app.state.shared
    return found


CurrentState = Annotated[SharedState, Depends(state_of)]
"""A route that has a parameter of this type gets the server's state."""


def spend(state: SharedState, request: Request) -> None:
    """Count a request that costs work against its address; a `Problem` 429 where the address has sent too many."""
    if wait := state.addresses.wait(request.client.host if request.client else ""):
        raise too_many("Too many requests from this address", wait)
