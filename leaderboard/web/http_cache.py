"""Answers kept in memory, compressed, with ETags: each is made once, however many readers ask for it."""

from __future__ import annotations

import gzip
import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ita_med.leaderboard.results.single_flight import SingleFlight

MOST_CACHED_BYTES = 64 * 2**20
YOUNG_SECONDS = 60.0
CacheKey = tuple[str, ...]
PackedBody = tuple[str, bytes]
"""ETag, and the body packed with gzip."""


@dataclass
class Cache:
    """Answers by key, compressed; the least used ones are dropped beyond `most` bytes. Each is made once, however many
    ask for it at the same time.

    patience: seconds that a reader waits for an answer from a new state of the board before getting the one from the
    state before it; what nobody has asked for in the last `YOUNG_SECONDS` is waited for.
    """

    most: int = MOST_CACHED_BYTES
    patience: float = math.inf
    _kept: OrderedDict[CacheKey, PackedBody] = field(default_factory=OrderedDict)
    _last: dict[CacheKey, tuple[CacheKey, float]] = field(default_factory=dict)
    """Question, the key without its state -> the key that was answered last, and when."""
    _flights: SingleFlight = field(default_factory=lambda: SingleFlight("answers"), repr=False)
    _size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def known(self, *key: str) -> bool:
        return key in self._kept

    def answer(self, request: Request, make: Callable[[], Any], *key: str) -> Response:
        """The value of `make` as JSON, made once for each key; key[0] is the state of the board: the stamp of the
        ranking that the answer is made from."""
        return self.content(
            request, lambda: orjson.dumps(make(), option=orjson.OPT_SERIALIZE_NUMPY), "application/json", {}, *key
        )

    def content(
        self, request: Request, make: Callable[[], bytes], media_type: str, headers: dict[str, str], *key: str
    ) -> Response:
        """The same for bytes of any type. 304 where the reader has them already."""
        etag, packed = self._get(key) or self._made_or_last(key, make)
        headers = {"cache-control": "no-cache"} | headers | {"etag": etag, "vary": "accept-encoding"}
        if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, headers=headers | {"content-encoding": "gzip"}, media_type=media_type)
        return Response(gzip.decompress(packed), headers=headers, media_type=media_type)

    def close(self) -> None:
        self._flights.close()

    def _get(self, key: CacheKey) -> PackedBody | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                self._last[key[1:]] = key, time.monotonic()
            return self._kept.get(key)

    def _made_or_last(self, key: CacheKey, make: Callable[[], bytes]) -> PackedBody:
        """The new answer; the last one where that is young and the new one is not there in time."""
        with self._lock:
            before, when = self._last.get(key[1:], (key, -math.inf))
            last = self._kept.get(before)
        if last is None or self.patience == math.inf or time.monotonic() - when > YOUNG_SECONDS:
            return self._flights.do(key, lambda: self._made(key, make))
        try:
            return self._flights.within(self.patience, key, lambda: self._made(key, make))
        except TimeoutError:
            return last

    def _made(self, key: CacheKey, make: Callable[[], bytes]) -> PackedBody:
        if found := self._get(key):  # made between the reader's look and the beginning of this flight
            return found
        body = make()
        made = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', gzip.compress(body, 6)
        self._keep(key, made)
        return made

    def _keep(self, key: CacheKey, made: PackedBody) -> None:
        with self._lock:
            before = self._kept.pop(key, ("", b""))
            self._kept[key] = made
            self._last[key[1:]] = key, time.monotonic()
            self._size += len(made[1]) - len(before[1])
            while self._size > self.most and len(self._kept) > 1:
                dropped, answer = self._kept.popitem(last=False)
                self._size -= len(answer[1])
                if self._last.get(dropped[1:], ("", 0.0))[0] == dropped:
                    del self._last[dropped[1:]]
