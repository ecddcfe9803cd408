"""Answers of the API: problems by RFC 9457, cached JSON with ETags, security headers, counters for Prometheus."""

from __future__ import annotations

import gzip
import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

log = logging.getLogger("ita_med.leaderboard")
HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""An answer that sets one of these itself keeps its own (pages need scripts, data do not)."""
MOST_CACHED_BYTES = 64 * 2**20
Message = MutableMapping[str, Any]


@dataclass
class Problem(Exception):
    """What went wrong, as the body of the answer; problems: of an upload, line by line."""

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"
    problems: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail}
        if self.problems:
            body["problems"] = self.problems
        headers = {"cache-control": "no-store"} | self.headers
        return Response(orjson.dumps(body), self.status, headers, "application/problem+json")


@dataclass
class Cache:
    """Answers by key, compressed; the least used ones are dropped beyond `most` bytes. Each is made once, however many
    ask for it at the same time."""

    most: int = MOST_CACHED_BYTES
    _kept: OrderedDict[tuple[str, ...], tuple[str, bytes]] = field(default_factory=OrderedDict)
    _making: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
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
        etag, packed = self._get(key) or self._made(key, make)
        headers = {"cache-control": "no-cache"} | headers | {"etag": etag, "vary": "accept-encoding"}
        if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, headers=headers | {"content-encoding": "gzip"}, media_type=media_type)
        return Response(gzip.decompress(packed), headers=headers, media_type=media_type)

    def _get(self, key: tuple[str, ...]) -> tuple[str, bytes] | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _made(self, key: tuple[str, ...], make: Callable[[], bytes]) -> tuple[str, bytes]:
        with self._lock:
            mine = self._making.setdefault(key, threading.Lock())
        with mine:
            if found := self._get(key):  # another reader's thread has made it
                return found
            try:
                body = make()
                made = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', gzip.compress(body, 6)
                self._keep(key, made)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return made

    def _keep(self, key: tuple[str, ...], made: tuple[str, bytes]) -> None:
        with self._lock:
            before = self._kept.pop(key, ("", b""))
            self._kept[key] = made
            self._size += len(made[1]) - len(before[1])
            while self._size > self.most and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1][1])


BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass
class Counters:
    """Requests by method, route and status, and a histogram of seconds by route."""

    requests: dict[tuple[str, str, int], int] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Route -> requests within each of `BUCKETS` and in all, then the sum of seconds."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        with self._lock:
            key = method, route, status
            self.requests[key] = self.requests.get(key, 0) + 1
            row = self.seconds.setdefault(route, [0.0] * (len(BUCKETS) + 2))
            for n, most in enumerate((*BUCKETS, float("inf"))):
                row[n] += seconds <= most
            row[-1] += seconds

    def lines(self) -> list[str]:
        with self._lock:
            out = ["# TYPE itamed_requests_total counter"]
            out += [
                f'itamed_requests_total{{method="{method}",route="{route}",status="{status}"}} {n}'
                for (method, route, status), n in sorted(self.requests.items())
            ]
            out += ["# TYPE itamed_request_seconds histogram"]
            for route, row in sorted(self.seconds.items()):
                for most, n in zip((*map(str, BUCKETS), "+Inf"), row, strict=False):
                    out.append(f'itamed_request_seconds_bucket{{route="{route}",le="{most}"}} {n:.0f}')
                out.append(f'itamed_request_seconds_sum{{route="{route}"}} {row[-1]:.6f}')
                out.append(f'itamed_request_seconds_count{{route="{route}"}} {row[-2]:.0f}')
        return out


class Guard:
    """Outermost of the app: security headers on every answer, counters, and errors without a trace for the reader."""

    def __init__(self, app: Any, counters: Counters) -> None:
        self.app = app
        self.counters = counters

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name for name, _ in message["headers"]}
                added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in own]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception:
            log.exception("%s failed", getattr(scope.get("route"), "path", "a request"))
            if status:
                raise
            await Problem("Internal error", 500).response()(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
            self.counters.count(method, route, status, time.perf_counter() - started)
