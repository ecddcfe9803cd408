"""What is kept in memory: made once, dropped when it is too much, never older than its key says."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from starlette.requests import Request

from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.results.ranking import Board, Ranking
from ita_med.leaderboard.submissions.check import check
from ita_med.leaderboard.web.http_cache import YOUNG_SECONDS, Cache
from ita_med.leaderboard.web.settings import Settings

from ..conftest import Files, change_manifest

REQUEST = Request({"type": "http", "headers": [(b"accept-encoding", b"identity")]})


def test_what_many_ask_for_at_once_is_made_once() -> None:
    cache, made = Cache(), []

    def make() -> list[int]:
        made.append(1)
        time.sleep(0.05)
        return [1]

    with ThreadPoolExecutor(8) as pool:
        bodies = {pool.submit(cache.answer, REQUEST, make, "1", "x").result().body for _ in range(8)}
    assert (bodies, made) == ({b"[1]"}, [1])


def test_one_that_fails_is_tried_again_by_the_next() -> None:
    cache, tries = Cache(), iter([ValueError("no"), None])

    def make() -> int:
        if error := next(tries):
            raise error
        return 1

    with pytest.raises(ValueError, match="no"):
        cache.answer(REQUEST, make, "1")
    assert cache.answer(REQUEST, make, "1").body == b"1"


def test_the_least_used_are_dropped_beyond_the_size() -> None:
    cache = Cache(most=600)
    for n in range(40):
        cache.answer(REQUEST, lambda n=n: str(n) * 9, "1", str(n))  # type: ignore[misc]
        cache.answer(REQUEST, lambda: "always", "1", "0")
    assert cache._size == sum(len(packed) for _, packed in cache._kept.values()) <= 600
    assert {key for key, _ in cache._last.values()} == set(cache._kept)
    assert cache.known("1", "0")
    assert not cache.known("1", "1")


def test_readers_get_the_last_answer_while_the_next_one_is_made() -> None:
    """And nobody does afterwards, nor where the last one is old, nor for another question."""
    cache, go = Cache(patience=0.0), threading.Event()

    def slow() -> str:
        assert go.wait(30)
        return "new"

    cache.answer(REQUEST, lambda: "old", "1", "page")
    assert cache.answer(REQUEST, slow, "2", "page").body == b'"old"'
    assert cache.answer(REQUEST, slow, "2", "page").body == b'"old"'
    assert cache.answer(REQUEST, lambda: "other", "2", "other page").body == b'"other"'
    go.set()
    cache._flights.within(30, "after the others", lambda: None)
    assert cache.answer(REQUEST, slow, "2", "page").body == b'"new"'

    cache._last[("page",)] = ("2", "page"), time.monotonic() - YOUNG_SECONDS - 1
    assert cache.answer(REQUEST, lambda: "newest", "3", "page").body == b'"newest"', "too old: waited for"
    cache.close()


def test_an_answer_that_cannot_be_renewed_fails_and_is_tried_again() -> None:
    cache = Cache(patience=30.0)
    cache.answer(REQUEST, lambda: "old", "1", "page")

    def fail() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.answer(REQUEST, fail, "2", "page")
    assert cache.answer(REQUEST, lambda: "new", "2", "page").body == b'"new"'
    cache.close()


def test_no_page_made_from_an_older_ranking_outlives_it(
    engine: Engine, user: accounts.User, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a ranking is computed, readers without patience see the last one; afterwards nobody does."""

    def submit(model: str) -> int:
        checked = check(change_manifest(files, model=model), "embedded")
        assert checked.submission is not None
        with store.writing(engine) as connection:
            return store.add_submission(connection, user.id, checked.submission, checked.scores)[0]

    app = make_app(engine, "embedded", Settings(check_processes=0, patience=0.0))
    client = TestClient(app)
    first = submit("model-one")
    names = [f"/{language}/{name}" for language in ("it", "en") for name in ("", "fragments/ranking")]
    names += ["/api/v1/ranking", "/api/v1/tasks"]
    before = {name: client.get(name).content for name in names}
    go, compute = threading.Event(), Board._compute

    def slow(*given: Any) -> Ranking:
        assert go.wait(30)
        return compute(*given)

    monkeypatch.setattr(Board, "_compute", slow)
    second = submit("model-two")
    assert {name: client.get(name).content for name in names} == before
    go.set()
    app.state.shared.cache.patience = 30.0  # else the very next reader may get the last page while this one is made
    assert client.get(f"/api/v1/systems/{second}").json()["row"]["model"] == "model-two", "this one waits"
    for name in names[:-1]:
        assert b"model-two" in client.get(name).content, name
    assert client.get(f"/api/v1/systems/{first}").status_code == 200
    app.state.shared.board.close()
