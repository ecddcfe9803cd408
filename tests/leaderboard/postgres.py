"""A PostgreSQL of the tests' own: a fresh cluster in a temporary folder, on loopback, gone with the tests."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "board"
SETTINGS = (
    "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=60", "shared_buffers=32MB",
    "timezone=America/New_York", "log_timezone=America/New_York",
)  # fmt: skip
"""fsync is off: a killed board is tested, not a power cut. The time zone is one that shows a forgotten UTC."""


def binaries() -> Path | None:
    """The folder with initdb and pg_ctl, None where PostgreSQL's server is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return debian[-1].parent if debian else None


@contextmanager
def cluster() -> Iterator[str]:
    """postgresql://… of a running server with one empty database; initdb refuses to run as root, so root steps down."""
    programs = binaries()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="ita-med-postgres-") as name:
        folder, password = Path(name), secrets.token_hex(8)
        (folder / "password").write_text(password)
        down: list[str] = []
        if os.getuid() == 0:
            down = ["runuser", "-u", "postgres", "--"]
            shutil.chown(folder, "postgres")
            shutil.chown(folder / "password", "postgres")

        def run(program: str, *arguments: str) -> None:
            command = [*down, str(programs / program), "-D", str(folder / "data"), *arguments]
            with (folder / "said").open("w+") as said:  # no pipe: the server would keep it open
                code = subprocess.run(command, cwd=folder, stdout=said, stderr=said).returncode
                said.seek(0)
                assert code == 0, f"{program}: {said.read()}"

        login = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={folder / 'password'}"]
        run("initdb", *login, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        port = free_port()
        options = " ".join(f"-c {setting}" for setting in (*SETTINGS, f"port={port}"))
        run("pg_ctl", "-l", str(folder / "log"), "-w", "-o", options, "start")
        try:
            yield f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
