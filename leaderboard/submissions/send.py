"""Send a run to a board."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests

from ita_med.errors import ItaMedError
from ita_med.leaderboard.submissions.submission import MAX_UPLOAD_BYTES, read_folder

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SECONDS = 300


@dataclass
class BoardReply:
    """What a board answers: a message for the submitter, or the problems for which it did not accept the run."""

    message: str = ""
    problems: list[str] = field(default_factory=list)


def send(run: Path, to: str, token: str, *, dry_run: bool = False, provenance: str = "re-scored") -> BoardReply:
    """Zip the files of a run and post them to a board. The token is never sent along a redirect.

    Args:
        run: The folder of a run, or its zip.
        to: The board's address.
        token: Of the submitter.
        dry_run: Only let the board check the run.
        provenance: "reproduced" or "floor" may be stated by maintainers.

    Raises:
        ItaMedError: The address is not safe or not a board's, the token is missing or wrong, or the run is too large.
    """
    address = urlsplit(to)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
        raise ItaMedError(f"{to}: a board is at an https:// address; the token would be readable on the way")
    if not token:
        raise ItaMedError("set ITA_MED_TOKEN to your token of this board")
    content = zipped(read_folder(run))
    if len(content) > MAX_UPLOAD_BYTES:
        raise ItaMedError(f"{run} has {len(content):,} bytes as a zip, more than {MAX_UPLOAD_BYTES:,}")
    url = f"{to.rstrip('/')}/api/v1/{'check' if dry_run else 'submissions'}"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/zip"}
    asked = {} if provenance == "re-scored" or dry_run else {"provenance": provenance}
    try:
        answer = requests.post(url, data=content, headers=headers, params=asked, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise ItaMedError(f"{to} cannot be reached ({type(error).__name__}); nothing is lost, try again") from error
    return _read(answer, to)


def zipped(files: dict[str, bytes]) -> bytes:
    """Files by path as one zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def _read(answer: requests.Response, to: str) -> BoardReply:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or 300 <= answer.status_code < 400:
        raise ItaMedError(f"{to} does not answer like a board (HTTP {answer.status_code}); look at the address")
    if answer.status_code == 422:
        return BoardReply(problems=[str(p) for p in body.get("problems") or [body.get("detail", "refused")]])
    if answer.status_code not in (200, 201):
        detail = f"{body.get('title', '')}: {body.get('detail', '')}".strip(": ")
        raise ItaMedError(f"{to}: {detail} (HTTP {answer.status_code})")
    if "id" not in body:
        return BoardReply(f"the board would accept it: {len(body.get('scores', {}))} tasks")
    known = "was there already: " if body.get("duplicate") else "accepted: "
    return BoardReply(f"{known}{to.rstrip('/')}/en/model?id={body['id']}")
