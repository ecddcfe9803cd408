"""Files from the network: tried again when a server is busy, resumed when a connection breaks, checked before use."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ita_med.errors import SourceError

if TYPE_CHECKING:
    import requests

ATTEMPTS = 5
BACKOFF = 1.0
"""Seconds before the second attempt; doubled before each further one."""
LONGEST_WAIT = 120.0
"""A server that asks for more patience than these seconds has failed."""
TIMEOUT = 60
CHUNK = 2**20
"""What a broken connection loses at most."""


def fetch(dataset: str, url: str, path: Path, checksum: str = "") -> None:
    """Download one file, with a progress bar on a terminal; where it fails, what `path` holds is of no use.

    Args:
        dataset: What messages begin with.
        url: The file.
        path: Where it is put.
        checksum: "sha256:…" or "md5:…", verified over the whole file; without one only its length is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    _persist(dataset, url, lambda: _receive(dataset, url, path))
    algorithm, _, expected = checksum.partition(":")
    if expected:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != expected:
            raise SourceError(f"{dataset}: {path.name} has {algorithm} {found}, expected {expected}; try again")


def fetch_json(dataset: str, url: str) -> Any:
    """GET a URL and return the decoded JSON; a SourceError after `ATTEMPTS` tries."""
    import requests

    def ask() -> Any:
        response = requests.get(url, timeout=TIMEOUT)
        response.raise_for_status()
        return response.json()

    return _persist(dataset, url, ask)


def _persist(dataset: str, url: str, attempt: Any) -> Any:
    """The result of `attempt`, which is made again after what may pass: 429, 5xx, a lost connection."""
    import requests

    for number in range(1, ATTEMPTS + 1):
        try:
            return attempt()
        except requests.RequestException as error:
            wait = _wait(error, number)
            if wait is None or number == ATTEMPTS:
                why = f"cannot download {url} ({error})"
                raise SourceError(f"{dataset}: {why}; a mirror works without a network") from error
            time.sleep(wait)


def _wait(error: requests.RequestException, number: int) -> float | None:
    """Seconds until the next attempt; None if there is no point in one."""
    import requests

    if isinstance(error, requests.HTTPError):
        if error.response.status_code != 429 and error.response.status_code < 500:
            return None
        asked = error.response.headers.get("Retry-After", "")
        if asked.isdigit():
            return float(asked) if float(asked) <= LONGEST_WAIT else None
    elif not isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
        return None
    return BACKOFF * 2.0 ** (number - 1)


def _receive(dataset: str, url: str, path: Path) -> None:
    """Append to `path` what is missing, or start over where the server does not resume."""
    import requests
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    done = path.stat().st_size
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with (
        requests.get(url, stream=True, timeout=TIMEOUT, headers=headers) as response,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        if done and response.status_code != requests.codes.partial:
            done = 0
            path.write_bytes(b"")
        response.raise_for_status()
        size = int(response.headers.get("content-length", 0))
        bar = progress.add_task(f"{dataset}/{path.name}", total=done + size if size else None, completed=done)
        with path.open("ab") as out:
            for chunk in response.iter_content(CHUNK):
                out.write(chunk)
                progress.update(bar, advance=len(chunk))
