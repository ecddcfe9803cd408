"""A provider of sign-in asked by this server: a JSON object, whole, small, soon, and from where it was asked."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from ita_med.dataset_builders.formats.json_lines import loads

SECONDS = 10.0
MOST_BYTES = 2**20
STATUS = {"stale": 400, "denied": 403, "disabled": 403, "limit": 429, "untrue": 502, "away": 503}
"""Why there is no sign-in -> the status of the page that says so."""


class Refused(Exception):
    """No sign-in. why: one of `STATUS`; detail: for the log, without a word of provider or person."""

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(detail)
        self.why = why


async def ask(what: str, method: str, address: str, **more: Any) -> dict[str, Any]:
    """The JSON object that an address answers with 200, whole within ten seconds and a megabyte."""
    import httpx

    headers = {"accept": "application/json", "accept-encoding": "identity"} | more.pop("headers", {})
    content = b""
    try:
        async with (
            asyncio.timeout(SECONDS),
            httpx.AsyncClient(verify=_tls(), timeout=None, follow_redirects=False) as client,
            client.stream(method, address, headers=headers, **more) as answer,
        ):
            if answer.status_code != 200:
                raise Refused("away" if answer.status_code >= 500 else "untrue", f"{what}: {answer.status_code}")
            async for chunk in answer.aiter_raw():  # as it came: what is packed small may be large
                content += chunk
                if len(content) > MOST_BYTES:
                    raise Refused("untrue", f"{what}: too large")
        found = loads(content.decode("utf-8"))
    except (httpx.HTTPError, TimeoutError) as error:
        raise Refused("away", f"{what}: no answer ({type(error).__name__})") from error
    except (httpx.InvalidURL, ValueError, RecursionError) as error:
        raise Refused("untrue", f"{what}: no JSON") from error
    if not isinstance(found, dict):
        raise Refused("untrue", f"{what}: no object")
    return found


@cache
def _tls() -> Any:
    import httpx

    return httpx.create_ssl_context()
