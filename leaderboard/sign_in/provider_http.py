"""A provider of sign-in asked by this server: a JSON object, whole, small, soon, and from where it was asked.

Authlib and HTTPX make the requests. They take an answer of any size, for as long as bytes keep coming, and unpack it:
the limits are our own, so that a provider cannot use up the server's memory or connections.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import cache
from typing import TYPE_CHECKING, Any

from ita_med.dataset_builders.formats.json_lines import loads

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

SECONDS = 10.0
MOST_BYTES = 2**20
STATUS = {"stale": 400, "denied": 403, "disabled": 403, "limit": 429, "untrue": 502, "away": 503}
"""Why there is no sign-in -> the status of the page that says so."""


class Refused(Exception):
    """No sign-in. why: one of `STATUS`; detail: for the log, without what a provider answered or who a person is."""

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(detail)
        self.why = why


@cache
def client_class() -> type[AsyncOAuth2Client]:
    """Authlib's client, for which an answer is a JSON object with status 200, whole within `SECONDS` and `MOST_BYTES`;
    it raises `Refused` where there is none. HTTPX's own timeout is off: it limits each wait, but not their sum."""
    import httpx2
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    tls = httpx2.create_ssl_context()
    headers = {"accept": "application/json", "accept-encoding": "identity"}

    class LimitedClient(AsyncOAuth2Client):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, verify=tls, headers=headers, timeout=None, follow_redirects=False, **more)

        async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
            step, content = f"{request.method} {request.url.path[:80]}", b""
            try:
                async with (
                    asyncio.timeout(SECONDS),
                    aclosing(await super().send(request, **more | {"stream": True})) as answer,
                ):
                    if answer.status_code != 200:
                        why = "away" if answer.status_code >= 500 else "untrue"
                        raise Refused(why, f"{step}: {answer.status_code}")
                    async for chunk in answer.aiter_raw():  # as it came: what is packed small may be large
                        content += chunk
                        if len(content) > MOST_BYTES:
                            raise Refused("untrue", f"{step}: too large")
            except (httpx2.HTTPError, TimeoutError) as error:
                raise Refused("away", f"{step}: no answer ({type(error).__name__})") from error
            if not isinstance(loads(content.decode("utf-8")), dict):
                raise Refused("untrue", f"{step}: no object")
            return httpx2.Response(200, content=content, request=request)

    return LimitedClient
