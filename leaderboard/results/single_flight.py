"""Work that several readers ask for at the same time is done once, and who does not want to wait goes on without it.

The board keeps answering with what it has while the next state of it is computed (stale-while-revalidate, RFC 5861):
`ranking.Board` with rankings, `answers.Cache` with pages. Both wait here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class SingleFlight:
    """Calls by key, of which one is under way at a time; those who come meanwhile get its result, or its error."""

    def __init__(self, name: str) -> None:
        self._worker = ThreadPoolExecutor(1, name)
        self._flights: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def do(self, key: Hashable, call: Callable[[], T]) -> T:
        """The result of the call that is under way, else of this one, made in the thread of the caller."""
        with self._lock:
            flight = self._flights.get(key)
            if mine := flight is None:
                flight = self._flights[key] = Future()
        if mine:
            try:
                flight.set_result(self._land(key, call))
            except BaseException as error:
                flight.set_exception(error)
        return flight.result()

    def within(self, seconds: float | None, key: Hashable, call: Callable[[], T]) -> T:
        """The same, made in this object's own thread, one call after the other.

        Raises:
            TimeoutError: after `seconds`; the call goes on.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = self._worker.submit(self._land, key, call)
        return flight.result(seconds)

    def _land(self, key: Hashable, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            with self._lock:
                del self._flights[key]

    def close(self) -> None:
        self._worker.shutdown(wait=True, cancel_futures=True)
