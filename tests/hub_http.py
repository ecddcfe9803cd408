"""The HTTP side of the Hub on loopback: requests, answers, ranges, and faults that tests inject."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Fault:
    """What goes wrong in the next `times` requests whose "METHOD /path" holds the pattern.

    status, headers: answered instead of the work.
    before: called first (a rival's commit, a wait).
    meanwhile: called when the whole request has been read.
    cut: the connection breaks after so many bytes of the request's body, or of the answer's if it has none.
    lost: the work is done and the connection breaks before the answer.
    """

    pattern: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], object] | None = None
    meanwhile: Callable[[], object] | None = None
    cut: int | None = None
    lost: bool = False


class HubError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Answer:
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Any
    routes: list[Any]

    def setup(self) -> None:
        super().setup()
        self.hub.connections.add(self.connection)

    def finish(self) -> None:
        self.hub.connections.discard(self.connection)
        super().finish()

    def serve(self) -> None:
        fault = self._fault()
        try:
            if fault.before:
                fault.before()
            length = self.headers.get("Content-Length")
            has_body = bool(int(length or 0)) or "chunked" in self.headers.get("Transfer-Encoding", "")
            if fault.cut is not None and has_body:
                self.rfile.read(fault.cut)
                return self._break()
            body = self._chunks() if length is None and has_body else self.rfile.read(int(length or 0))
            if len(body) < int(length or 0):
                return self._break()
            if fault.meanwhile:
                fault.meanwhile()
            answer = Answer({"error": "fault"}, fault.headers, fault.status) if fault.status else self._answer(body)
            if fault.lost:
                return self._break(answer.status)
            self._send(answer, fault.cut)
        except OSError:  # the client is gone
            self._break()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

    def _fault(self) -> Fault:
        with self.hub.lock:
            for fault in self.hub.faults:
                if fault.times > 0 and re.search(fault.pattern, f"{self.command} {self.path}"):
                    fault.times -= 1
                    return fault
        return Fault("")

    def _answer(self, body: bytes) -> Answer:
        url = urlsplit(self.path)
        method = "GET" if self.command == "HEAD" else self.command
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            if token and token not in self.hub.users:
                raise HubError(401, "", "Invalid credentials in Authorization header")
            for verb, pattern, answer in self.routes:
                if verb == method and (found := pattern.fullmatch(url.path)):
                    groups = {k: unquote(v) for k, v in found.groupdict().items() if v is not None}
                    query = {k: values[-1] for k, values in parse_qs(url.query).items()}
                    parsed = _parse(body, self.headers.get("Content-Type", ""))
                    return answer(self.hub, user=self.hub.users.get(token), query=query, body=parsed, **groups)
            raise HubError(404, "", f"no such page: {self.command} {url.path}")
        except HubError as error:
            codes = {"X-Error-Code": error.code} if error.code else {}
            return Answer({"error": str(error)}, codes | {"X-Error-Message": str(error)}, error.status)

    def _send(self, answer: Answer, cut: int | None) -> None:
        raw = isinstance(answer.body, bytes)
        content = answer.body if raw else json.dumps({} if answer.body is None else answer.body).encode()
        status, headers = answer.status, dict(answer.headers)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if raw and status == 200 else None
        if wanted:
            first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
            status, headers["Content-Range"] = 206, f"bytes {first}-{last}/{len(content)}"
            content = content[first : last + 1]
        self.hub.log.append(f"{self.command} {self.path} {status}")
        self.send_response(status)
        headers |= {"Content-Type": "application/octet-stream" if raw else "application/json"}
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if cut is not None:
            self.wfile.write(content[:cut])
            self.close_connection = True
            return break_connection(self.connection)
        if self.command != "HEAD":
            self.wfile.write(content)

    def _break(self, status: int = 0) -> None:
        self.hub.log.append(f"{self.command} {self.path} {status}")
        self.close_connection = True
        break_connection(self.connection)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: Any) -> None:
        pass


def break_connection(connection: socket.socket) -> None:
    """With a reset, as a lost peer."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _parse(body: bytes, kind: str) -> Any:
    if "ndjson" in kind:
        return [json.loads(line) for line in body.splitlines() if line]
    if "json" in kind and body:
        return json.loads(body)
    if "x-www-form-urlencoded" in kind:
        return {k: values if k == "paths" else values[-1] for k, values in parse_qs(body.decode()).items()}
    return body
