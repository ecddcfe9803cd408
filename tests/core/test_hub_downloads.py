"""`ita-med data pull` of Hub repositories: real downloads from a Hub on loopback, whole or not at all."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from ita_med import sources
from ita_med.dataset_builders import build

from ..hub import TOKEN, Client, environment, start_command
from ..hub_http import Fault
from ..hub_server import Hub, User

pytestmark = pytest.mark.slow

UPLOAD = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo({repo!r}, repo_type="dataset")
api.upload_folder(repo_id={repo!r}, folder_path={folder!r}, repo_type="dataset")
"""


def sample(name: str) -> tuple[str, Path]:
    """The Hub repository of a builder, and the folder of the sample that imitates it."""
    source = next(source for source in build.builder(name).SOURCES if isinstance(source, sources.Hub))
    return source.repo, build.folder(name) / "sample" / source.repo.split("/")[1]


def upload(hub: Hub, client: Client, name: str) -> None:
    """Fill the builder's repository with its sample, as its owner would."""
    repo, folder = sample(name)
    hub.users[TOKEN].orgs[repo.split("/")[0]] = "write"
    ran = client.run(code=UPLOAD.format(repo=repo, folder=str(folder)))
    assert ran.code == 0, ran.err
    hub.users[TOKEN] = User("tester")
    hub.log.clear()


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", ["medqa_it", "humadex", "pharmaer"])
def test_the_pulled_folder_is_upstreams(hub: Hub, hub_client: Client, tmp_path: Path, name: str) -> None:
    upload(hub, hub_client, name)
    repo, folder = sample(name)
    hub.repos["datasets", repo].gated = next(s for s in build.builder(name).SOURCES if s.repo == repo).gated  # type: ignore[union-attr]
    hub.users[TOKEN].access.add(repo)
    ran = hub_client.run("data", "pull", name, "--to", tmp_path / "mirror")
    assert (ran.code, ran.err) == (0, "")
    pulled = tree(tmp_path / "mirror" / name / folder.name)
    assert pulled.pop(".gitattributes")
    assert pulled == tree(folder)
    assert [path.name for path in (tmp_path / "mirror").iterdir()] == [name]
    rebuilt = build.build(name, tmp_path / "out", str(tmp_path / "mirror")).report.as_dict()
    assert rebuilt["configs"] == build.build(name, tmp_path / "other", "embedded").report.as_dict()["configs"]


@pytest.mark.parametrize("token", [TOKEN, None], ids=["no access", "anonymous"])
def test_gated_without_access(hub: Hub, hub_client: Client, tmp_path: Path, token: str | None) -> None:
    upload(hub, hub_client, "pharmaer")
    hub.repos["datasets", "expertai/PharmaER.IT"].gated = "manual"
    ran = hub_client.run("data", "pull", "pharmaer", "--to", tmp_path, HF_TOKEN=token)
    assert ran.refused() == (
        "ita-med: pharmaer: https://huggingface.co/datasets/expertai/PharmaER.IT is gated; "
        'ask for access there, then "hf auth login" and try again'
    )
    assert len(ran.err.splitlines()) == 1
    assert any(line.endswith(" 403" if token else " 401") for line in hub.log)
    assert list(tmp_path.iterdir()) == []


def test_a_repository_that_is_not_there(hub: Hub, hub_client: Client, tmp_path: Path) -> None:
    line = hub_client.run("data", "pull", "medexpqa", "--to", tmp_path).refused()
    assert line.startswith("ita-med: medexpqa: https://huggingface.co/datasets/HiTZ/MedExpQA does not exist")
    assert list(tmp_path.iterdir()) == []


def test_a_revision_that_is_not_there(hub: Hub, hub_client: Client, tmp_path: Path) -> None:
    """INCLUDE is pinned to a commit that this Hub does not have."""
    upload(hub, hub_client, "include")
    line = hub_client.run("data", "pull", "include", "--to", tmp_path).refused()
    assert line.endswith("/CohereForAI/include-base-44 has no revision 933d2d9a932145261410315c387baeaa32ecc93c")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("HEAD .*/resolve/", lost=True, times=99),
        Fault("GET .*/resolve/.*jsonl", status=500, times=99),
        Fault("GET .*/revision/main", lost=True, times=99),
    ],
    ids=["connection lost", "500", "no listing"],
)
def test_what_was_there_is_kept_on_failure(hub: Hub, hub_client: Client, tmp_path: Path, fault: Fault) -> None:
    upload(hub, hub_client, "humadex")
    (tmp_path / "humadex").mkdir()
    (tmp_path / "humadex" / "old.txt").write_text("vecchio")
    hub.faults = [Fault(**vars(fault))]
    ran = hub_client.run("data", "pull", "humadex", "--to", tmp_path)
    assert "cannot download HUMADEX/italian_ner_dataset from the Hub" in ran.refused()
    assert tree(tmp_path) == {"humadex/old.txt": b"vecchio"}
    assert [path.name for path in tmp_path.iterdir()] == ["humadex"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET .*/resolve/.*jsonl", cut=100),
        Fault("GET .*/resolve/.*jsonl", status=429, headers={"Retry-After": "0"}),
    ],
    ids=["connection lost", "429"],
)
def test_trouble_that_passes(hub: Hub, hub_client: Client, tmp_path: Path, fault: Fault) -> None:
    upload(hub, hub_client, "humadex")
    hub.faults = [Fault(**vars(fault))]
    hub_client.ok("data", "pull", "humadex", "--to", tmp_path)
    assert hub.faults[0].times == 0
    _, folder = sample("humadex")
    assert tree(tmp_path / "humadex" / folder.name).items() >= tree(folder).items()


def test_a_killed_pull_leaves_no_dataset(
    hub: Hub, hub_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(hub, hub_client, "humadex")
    asked, killed = threading.Event(), threading.Event()
    hub.faults = [Fault("GET .*/resolve/.*jsonl", before=lambda: (asked.set(), killed.wait(60)), cut=100)]
    env = environment(hub, tmp_path)
    process = start_command(env, "data", "pull", "humadex")
    assert asked.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    killed.set()
    cache = env["ITA_MED_CACHE"]
    monkeypatch.setenv(sources.CACHE_VARIABLE, cache)
    assert not (Path(cache) / "sources" / "humadex").exists()
    assert sources.nothing_real()
    hub_client.ok("data", "pull", "humadex", ITA_MED_CACHE=cache)
    assert not sources.nothing_real()
    assert sources.resolve("humadex", tmp_path, (), download=False).kind == "cache"
