"""A run of the baseline on the embedded sample, as a submission; and databases."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import argon2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine

from ita_med.leaderboard import demo
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, store, tables
from ita_med.leaderboard.submissions.submission import read_folder
from ita_med.leaderboard.web.settings import Settings
from ita_med.tasks.evaluation.evaluate import Run, evaluate

from .postgres import binaries, cluster
from .provider import Idp, serving_idp

BOTH = ["sqlite", "postgresql"]
LOOSE = Settings(check_processes=0, user_per_minute=10_000, address_per_minute=10_000, quota=1000, upload_bytes=300_000)
TASKS = ["ita_med_ner_e3c_disorder", "ita_med_qa_med_ita"]
Files = dict[str, bytes]


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "majority"
    evaluate(Run("baseline", "kind=majority"), TASKS, folder, "embedded")
    return folder


@pytest.fixture
def files(run_folder: Path) -> Files:
    """The files of a good submission, to be damaged freely."""
    return read_folder(run_folder)


def change_manifest(files: Files, **values: Any) -> Files:
    manifest = json.loads(files["manifest.json"]) | values
    return files | {"manifest.json": json.dumps(manifest).encode()}


def zipped(files: Files, top: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(top + name, content)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def empty_board(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with its tables: migrations are slow to run for every test."""
    path = tmp_path_factory.mktemp("empty") / "board.sqlite"
    store.connect(path).dispose()
    return path.read_bytes()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module that says DATABASES = BOTH runs its tests with a database on SQLite and on PostgreSQL."""
    if "engine" in metafunc.fixturenames and hasattr(metafunc.module, "DATABASES"):
        metafunc.parametrize("engine", metafunc.module.DATABASES, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """postgresql://… of a server on loopback, its database with the board's tables."""
    if binaries() is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    with cluster() as url:
        store.connect(url).dispose()
        yield url


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path, empty_board: bytes) -> Iterator[Engine]:
    """An empty board: SQLite (board.sqlite in tmp_path), or PostgreSQL where the module asks for both."""
    if getattr(request, "param", "sqlite") == "postgresql":
        opened = create_engine(store.address(request.getfixturevalue("postgres")))
        names = ", ".join(table.name for table in tables.metadata.sorted_tables)
        with opened.begin() as connection:
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
        opened.dispose()
        opened = store.connect(request.getfixturevalue("postgres"))
    else:
        (tmp_path / "board.sqlite").write_bytes(empty_board)
        opened = store.connect(tmp_path / "board.sqlite")
    yield opened
    opened.dispose()


def url_of(engine: Engine) -> str:
    """For --db."""
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def demo_board(tmp_path_factory: pytest.TempPathFactory, empty_board: bytes) -> bytes:
    """A database with the demo's runs."""
    path = tmp_path_factory.mktemp("demo") / "board.sqlite"
    path.write_bytes(empty_board)
    opened = store.connect(path)
    demo.seed(opened)
    opened.dispose()
    return path.read_bytes()


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes are made to be slow; test_store makes real ones."""
    cheap = partial(argon2.PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(argon2, "PasswordHasher", cheap)


@pytest.fixture
def user(engine: Engine) -> accounts.User:
    with store.writing(engine) as connection:
        return accounts.add_user(connection, "giulia.rossi")


@pytest.fixture
def idp() -> Iterator[Idp]:
    """A provider of sign-in."""
    with serving_idp() as found:
        yield found


Zipped = Callable[..., bytes]


def client_of(engine: Engine, settings: Settings = LOOSE) -> TestClient:
    return TestClient(make_app(engine, "embedded", settings), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, demo_board: bytes) -> Iterator[TestClient]:
    """A board with the demo's runs."""
    path = tmp_path_factory.mktemp("shown") / "board.sqlite"
    path.write_bytes(demo_board)
    opened = store.connect(path)
    yield client_of(opened)
    opened.dispose()
