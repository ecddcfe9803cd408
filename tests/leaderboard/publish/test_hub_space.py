"""A board as a Space: published to a Hub on loopback; and the container's own commands, run in a fresh folder.

There is no container engine in the tests: Dockerfile and compose.yaml are parsed, start.sh and the health check run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.publish import hub_space
from ita_med.version import __version__

from ...hub import Client
from ...hub_server import Hub
from ..postgres import free_port

pytestmark = pytest.mark.slow

SPACE = "clinica/board"
INSTRUCTIONS = {"FROM", "ARG", "RUN", "COPY", "USER", "WORKDIR", "ENV", "EXPOSE", "HEALTHCHECK", "CMD"}
SECRET = "postgresql://board:very-secret@db.example.org/board"


def test_a_space_is_made_with_its_bucket_and_secrets_before_its_files(hub: Hub, hub_client: Client, org: str) -> None:
    given = ["leaderboard", "deploy", "--space", SPACE, "--bucket", "clinica/board-data", "--secret", "ITA_MED_DB"]
    dry = hub_client.run(*given, "--dry-run", ITA_MED_DB=SECRET)
    assert (dry.code, hub.repos, hub.buckets) == (0, {}, {}), dry
    done = hub_client.run(*given, "--private", ITA_MED_DB=SECRET)
    assert done.code == 0, done
    assert "very-secret" not in done.out + done.err + dry.out
    repo = hub.repos["spaces", SPACE]
    assert (repo.sdk, repo.private, repo.secrets) == ("docker", True, {"ITA_MED_DB": SECRET})
    assert repo.volumes == [{"type": "bucket", "source": "clinica/board-data", "mountPath": "/data"}]
    assert hub.buckets["clinica/board-data"] == {"visibility": "private"}
    files = hub.read("spaces", SPACE)
    assert {"README.md", "Dockerfile", "start.sh"} <= set(files)
    head = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert (head["sdk"], head["app_port"]) == ("docker", 7860)
    assert f"ARG VERSION==={__version__}\n" in files["Dockerfile"].decode()
    assert all(b"very-secret" not in content for content in files.values())
    writes = [line for line in hub.log if line.startswith(("POST", "PUT")) and "/api/" in line]
    order = [next(n for n, line in enumerate(writes) if name in line) for name in ("/secrets", "/volumes", "/commit/")]
    assert order == sorted(order)
    assert "nothing to change" in hub_client.run(*given, ITA_MED_DB=SECRET).out


def test_a_wheel_replaces_the_one_before(hub: Hub, hub_client: Client, org: str, tmp_path: Path) -> None:
    for version in ("0.1.0", "0.1.1"):
        wheel = tmp_path / f"ita_med-{version}-py3-none-any.whl"
        wheel.write_bytes(version.encode())
        done = hub_client.run("leaderboard", "deploy", "--space", SPACE, "--bucket", "clinica/b", "--wheel", wheel)
        assert done.code == 0, done
    wheels = {name: content for name, content in hub.read("spaces", SPACE).items() if name.endswith(".whl")}
    assert wheels == {"ita_med-0.1.1-py3-none-any.whl": b"0.1.1"}


def test_a_space_asks_the_hub_for_sign_in_only_when_told(hub: Hub, hub_client: Client, org: str) -> None:
    given = ["leaderboard", "deploy", "--space", SPACE, "--bucket", "clinica/b"]
    for more, wanted in (([], {}), (["--sign-in"], {"hf_oauth": True, "hf_oauth_scopes": ["openid", "profile"]})):
        assert hub_client.run(*given, *more).code == 0
        head = yaml.safe_load(hub.read("spaces", SPACE)["README.md"].decode().split("---")[1])
        assert {name: value for name, value in head.items() if "oauth" in name} == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--space", SPACE], "forgets its disk"),
        (["--space", "board", "--bucket", "clinica/b"], "ORG/NAME"),
        (["--space", SPACE, "--bucket", "../b"], "ORG/NAME"),
        (["--space", SPACE, "--secret", "ITA_MED_DB"], "no environment variable ITA_MED_DB"),
        (["--space", SPACE, "--secret", "A=very-secret"], "no name of a secret"),
        (["--space", SPACE, "--bucket", "clinica/b", "--wheel", "/etc/passwd"], "no wheel"),
        (["--space", "elsewhere/board", "--bucket", "clinica/b"], "no write right"),
    ],
)
def test_what_cannot_work_is_one_line_and_nothing_is_made(
    hub: Hub, hub_client: Client, org: str, given: list[str], message: str
) -> None:
    assert message in hub_client.run("leaderboard", "deploy", *given).refused()
    assert (hub.repos, hub.buckets) == ({}, {})


def test_the_dockerfile_runs_what_is_there_as_an_ordinary_user() -> None:
    text = (hub_space.FOLDER / "Dockerfile").read_text("utf-8")
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    steps = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    assert {name for name, _ in steps} <= INSTRUCTIONS
    assert [rest for name, rest in steps if name == "USER"] == ["board"]
    assert json.loads(steps[-1][1]) == ["sh", "/build/start.sh"]
    assert hub_space.UNPINNED in text
    assert "start.sh" in hub_space.contents()


def test_the_compose_file_waits_for_a_healthy_postgresql_and_holds_no_secret() -> None:
    text = (hub_space.FOLDER / "compose.yaml").read_text("utf-8")
    services = yaml.safe_load(text)["services"]
    assert services["board"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert "pg_isready" in services["db"]["healthcheck"]["test"][1]
    assert services["board"]["ports"] == ["127.0.0.1:7860:7860"]
    assert "ports" not in services["db"]
    passwords = [services["db"]["environment"]["POSTGRES_PASSWORD"], services["board"]["environment"]["ITA_MED_DB"]]
    assert all("${POSTGRES_PASSWORD:?" in one for one in passwords)


@pytest.fixture
def container(tmp_path: Path) -> dict[str, str]:
    """The environment of the container, in folders of this test."""
    for name in ("home", "data"):
        (tmp_path / name).mkdir()
    shutil.copy(hub_space.FOLDER / "start.sh", tmp_path)
    own = {"HOME": str(tmp_path / "home"), "DATA": str(tmp_path / "data"), "HOST": "127.0.0.1"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if name not in ("ITA_MED_DB", "ITA_MED_MIRROR")}
    return kept | own | {"PORT": str(free_port()), "PATH": path, "BACKUP_SECONDS": "3600"}


def start(env: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["sh", "start.sh"], cwd=Path(env["HOME"]).parent, env=env)
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        try:
            assert json.load(urllib.request.urlopen(f"http://127.0.0.1:{env['PORT']}/health"))["status"] == "ok"
            return process
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"start.sh ended with {process.poll()}")


def test_a_container_that_ends_is_followed_by_one_with_the_same_board(container: dict[str, str]) -> None:
    home, backups = Path(container["HOME"]), Path(container["DATA"]) / "backups"
    process = start(container)
    health = re.search(
        r"HEALTHCHECK.*?CMD (\[.*?\])\n", (hub_space.FOLDER / "Dockerfile").read_text("utf-8"), re.DOTALL
    )
    assert health is not None
    command = [sys.executable, *json.loads(health[1])[1:]]
    assert subprocess.run(command, env=container).returncode == 0
    engine = store.connect(home / "board.sqlite")
    with store.writing(engine) as connection:
        accounts.add_user(connection, "anna.verdi")
    engine.dispose()
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert len(list(backups.glob("board-*.sqlite"))) == 1
    for file in home.iterdir():
        file.unlink()
    process = start(container)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    engine = store.connect(home / "board.sqlite")
    with engine.begin() as connection:
        assert accounts.find_user(connection, "anna.verdi").role == "submitter"
    engine.dispose()


def test_a_container_that_would_forget_does_not_start(container: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "start.sh"], cwd=Path(container["HOME"]).parent, env=container | {"DATA": "/proc/none"},
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert (done.returncode, "would be lost" in done.stderr) == (1, True)
