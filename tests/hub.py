"""Clients of the Hub on loopback, each in a process of its own; conftest.py has the fixtures.

huggingface_hub reads HF_ENDPOINT and HF_HUB_OFFLINE when it is imported, and the tests' own process is offline;
so every client of the server is another process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .hub_server import Hub

TOKEN = "hf_only_for_tests_0123456789"

WORKER = """
import contextlib, io, json, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
from ita_med import cli
for line in sys.stdin:
    job = json.loads(line)
    before = dict(os.environ)
    os.environ.update({name: value for name, value in job["env"].items() if value is not None})
    for name in [name for name, value in job["env"].items() if value is None]:
        os.environ.pop(name, None)
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if job["code"]:
                exec(job["code"], {})
            else:
                sys.argv = ["ita-med", *job["args"]]
                cli.main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = 99
    os.environ.clear()
    os.environ.update(before)
    answers.write(json.dumps([code, out.getvalue(), err.getvalue()]) + "\\n")
    answers.flush()
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line of a command that must have failed."""
        assert (self.code, self.out) == (1, ""), self
        line = self.err.splitlines()[-1]
        assert line.startswith("ita-med: "), self
        assert "Traceback" not in self.err, self
        assert TOKEN not in self.err
        return line


def environment(hub: Hub, home: Path, token: str | None = TOKEN) -> dict[str, str]:
    """The environment of a client: the Hub's address, a token, caches below `home`, LFS instead of Xet."""
    env = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    env |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
    env |= {"ITA_MED_CACHE": str(home / "ita-med"), "HF_DATASETS_CACHE": str(home / "datasets")}
    return env | ({"HF_TOKEN": token} if token else {})


class Client:
    """One long-lived process that runs `ita-med` commands, or Python code, one after the other."""

    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )

    def run(self, *args: str | Path, code: str = "", **env: str | None) -> Ran:
        """Run a command (or code) with some other environment variables; None removes one."""
        assert self.process.stdin
        assert self.process.stdout
        job: dict[str, Any] = {"args": [str(arg) for arg in args], "code": code, "env": env}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return Ran(*json.loads(self.process.stdout.readline()))

    def ok(self, *args: str | Path, **env: str | None) -> str:
        """What a command printed that must have succeeded."""
        ran = self.run(*args, **env)
        assert ran.code == 0, ran
        return ran.out

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)


def start_command(env: dict[str, str], *args: str | Path) -> subprocess.Popen[str]:
    """`ita-med ARGS…` in a process of its own, not waited for."""
    command = [sys.executable, "-m", "ita_med.cli", *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
