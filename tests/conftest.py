"""Fixtures shared by all tests. No test reaches the network: servers are on loopback, data embedded or mirrored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from .hub import TOKEN, Client, environment
from .hub_server import Hub, User

for name, value in {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONSAFEPATH": "1",  # sub-processes test what is installed, not the checkout that they run in
}.items():
    os.environ.setdefault(name, value)

# The same examples in every run, so that a test fails where something was changed; ITA_MED_TEST_RANDOM=1 draws others.
settings.register_profile("same", deadline=None, derandomize=not os.environ.get("ITA_MED_TEST_RANDOM"))
settings.load_profile("same")

REAL_MIRROR = os.environ.pop("ITA_MED_MIRROR", os.environ.get("ITA_MED_TEST_MIRROR", ""))
"""Taken out of the environment, so that tests see real data only through the fixture `real_mirror`."""
os.environ["ITA_MED_TEST_MIRROR"] = REAL_MIRROR  # for the workers of pytest-xdist, which begin with this environment


TORCH_FIXTURES = {"tiny", "tiny_model", "tiny_encoders"}
SLOW_FIXTURES = {"real_mirror", "engine", "demo_board", "shown", "hub_server"}
"""Real files, a board's database, a Hub."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on a model made here carry the mark `torch` by themselves, and those on SLOW_FIXTURES the mark `slow`."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
        if TORCH_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("torch")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty download cache for every test."""
    monkeypatch.setenv("ITA_MED_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def real_mirror() -> str:
    """The folder of real upstream files; tests that use it carry the mark `real_data`."""
    if not REAL_MIRROR or not Path(REAL_MIRROR).is_dir():
        pytest.skip("ITA_MED_MIRROR names no folder of real upstream files")
    return REAL_MIRROR


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One Hub on loopback for all tests; use `hub`."""
    server = Hub(tmp_path_factory.mktemp("hub")).start()
    yield server
    server.stop()


@pytest.fixture
def hub(hub_server: Hub) -> Iterator[Hub]:
    """The Hub with one user, "tester", and without repositories."""
    hub_server.users = {TOKEN: User("tester")}
    hub_server.clear()
    yield hub_server
    hub_server.faults.clear()


@pytest.fixture
def org(hub: Hub) -> str:
    """An organisation in which the user may write."""
    hub.users[TOKEN].orgs["clinica"] = "write"
    return "clinica"


@pytest.fixture(scope="session")
def hub_client(hub_server: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A process whose Hub is the one on loopback."""
    client = Client(environment(hub_server, tmp_path_factory.mktemp("home")))
    yield client
    client.stop()
