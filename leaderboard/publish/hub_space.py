"""A board as a Docker Space of the Hub: files, a bucket for what must last, secrets by their names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from ita_med import upload
from ita_med.errors import ItaMedError
from ita_med.upload import Change, one_line, patiently
from ita_med.version import __version__

FOLDER = Path(__file__).parents[1] / "deploy"
MOUNT = "/data"
UNPINNED = "ARG VERSION=\n"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
README = """---
title: ita-med leaderboard
emoji: 🩺
colorFrom: green
colorTo: blue
sdk: docker
app_port: 7860
license: apache-2.0
short_description: Italian clinical NLP, re-scored and ranked with honest ties
{sign_in}---

The leaderboard of ita-med, version {version}. Deployed by `ita-med leaderboard deploy`; changes belong there.
"""

SIGN_IN = """hf_oauth: true
hf_oauth_scopes: [openid, profile]
"""
"""The Hub then gives the Space a client of its own, whose address and secret stand in the board's environment."""


@dataclass(frozen=True)
class Deployed:
    """What was done.

    Attributes:
        change: Of the Space's files.
        bucket: ORG/NAME of the bucket mounted at /data; "" for none.
        secrets: Names of the secrets that were set.
    """

    change: Change
    bucket: str
    secrets: list[str] = field(default_factory=list)


def deploy(
    space: str, *, bucket: str = "", secrets: list[str] | None = None, wheel: Path | None = None,
    private: bool = False, dry_run: bool = False, sign_in: bool = False,
) -> Deployed:  # fmt: skip
    """Create or update a Space of the Hub that runs a board; safe to repeat.

    Its secrets and its bucket come before its files, so that it never starts without them.

    Args:
        space: ORG/NAME of the Space; it is made where there is none.
        bucket: ORG/NAME of a private bucket for backups and gold data; it is made where there is none.
        secrets: Names of environment variables of this process that become secrets of the Space.
        wheel: A wheel of ita-med, installed instead of the release of this version.
        private: Whether a new Space is private.
        dry_run: Say what would be done, and write nothing.
        sign_in: Whether people may sign in with their account of the Hub.

    Raises:
        ItaMedError: A name is not allowed, nothing would survive a restart, or the Hub refuses.
    """
    for name in filter(None, (space, bucket)):
        if not NAME.fullmatch(name) or ".." in name:
            raise ItaMedError(f'"{name}" is no name on the Hub: ORG/NAME')
    found = _secrets(secrets or [])
    if not bucket and "ITA_MED_DB" not in found:
        raise ItaMedError(
            "a Space forgets its disk: give --bucket ORG/NAME, or --secret ITA_MED_DB with a PostgreSQL address in it"
        )
    files = contents(wheel, sign_in=sign_in)
    api = upload.account(space.partition("/")[0])
    with one_line(space):
        if not dry_run:
            patiently(
                lambda: api.create_repo(
                    space, repo_type="space", space_sdk="docker", private=private or None, exist_ok=True
                )
            )
            for name, value in found.items():
                patiently(lambda name=name, value=value: api.add_space_secret(space, name, value))  # type: ignore[misc]
            if bucket:
                _mount(api, space, bucket)
    change = upload.put_files(
        api, space, "space", files, message=f"ita-med {__version__}", private=private, dry_run=dry_run,
        stale=lambda others: [path for path in others if path.endswith(".whl")],
    )  # fmt: skip
    return Deployed(change, bucket, list(found))


def _secrets(names: list[str]) -> dict[str, str]:
    """Values from the environment: they stand neither on a command line nor in a file."""
    for name in names:
        if not SECRET.fullmatch(name):
            raise ItaMedError(f'"{name[:40]}" is no name of a secret; give the name of an environment variable')
        if not os.environ.get(name):
            raise ItaMedError(f"--secret {name}: there is no environment variable {name} to take it from")
    return {name: os.environ[name] for name in names}


def _mount(api, space, bucket):  # type: ignore[no-untyped-def]
    from huggingface_hub import Volume

    patiently(lambda: api.create_bucket(bucket, private=True, exist_ok=True))
    volume = Volume(type="bucket", source=bucket, mount_path=MOUNT)
    patiently(lambda: api.set_space_volumes(space, [volume]))


def contents(wheel: Path | None = None, *, sign_in: bool = False) -> dict[str, Path | bytes]:
    """The Space's files. The Dockerfile pins the release that deploys it, unless a wheel lies beside it."""
    dockerfile = (FOLDER / "Dockerfile").read_text("utf-8").replace(UNPINNED, f"ARG VERSION==={__version__}\n", 1)
    files: dict[str, Path | bytes] = {
        "README.md": README.format(version=__version__, sign_in=SIGN_IN if sign_in else "").encode(),
        "Dockerfile": dockerfile.encode(),
        "start.sh": (FOLDER / "start.sh").read_bytes(),
    }
    if wheel is not None:
        if not (wheel.is_file() and re.fullmatch(r"ita_med-[\w.+]+-py3-none-any\.whl", wheel.name)):
            raise ItaMedError(f"{wheel} is no wheel of ita-med; build one with python -m build --wheel")
        files[wheel.name] = wheel
    return files
