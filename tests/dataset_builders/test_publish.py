"""`ita-med data push`: real uploads to a Hub on loopback, read back, broken and repeated in every way."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from ita_med import catalogue
from ita_med.dataset_builders import build, publish

from ..hub import TOKEN, Client, environment, start_command
from ..hub_http import Fault
from ..hub_server import Hub, User
from .conftest import Command

pytestmark = pytest.mark.slow

NAME = "multicardioner"
"""CC BY 4.0, open, no pinned checksums; two views in five Parquet files, and the README."""
REPO = f"clinica/{NAME}"
READ_BACK = """
import json, datasets, pyarrow.parquet as pq
for config, splits in json.loads({wanted!r}).items():
    there = datasets.load_dataset({repo!r}, config, revision={revision!r})
    assert set(there) == set(splits), (set(there), splits)
    for split, path in splits.items():
        assert there[split].to_list() == pq.read_table(path).to_pylist()
        print(config, split, len(there[split]))
"""


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """The samples as if they were upstream's files: a mirror that is not called embedded."""
    for name in (NAME, "mmmed"):
        shutil.copytree(build.folder(name) / "sample", tmp_path / "mirror" / name)
    return tmp_path / "mirror"


def files_of(hub: Hub, repo: str = REPO) -> set[str]:
    return set(hub.read("datasets", repo)) - {".gitattributes"}


def titles(hub: Hub, repo: str = REPO) -> list[str]:
    return [commit["title"] for commit in hub.repos["datasets", repo].commits][1:]


def card(hub: Hub, repo: str = REPO) -> tuple[dict[str, Any], str]:
    """The metadata and the text of the published README."""
    _, metadata, text = hub.read("datasets", repo)["README.md"].decode().split("---\n", 2)
    return yaml.safe_load(metadata), text


def writes(hub: Hub) -> list[str]:
    """The requests that were no mere question."""
    return [line for line in hub.log if line.split()[0] not in ("GET", "HEAD")]


def puts(hub: Hub) -> list[str]:
    return [line for line in hub.log if line.startswith("PUT /lfs/") and line.endswith(" 200")]


def change_mirror(mirror: Path) -> None:
    """Another text in one document of DrugTEMIST, so that one Parquet file and the README change."""
    path = next(p for p in sorted((mirror / NAME).rglob("*.txt")) if "drugtemist" in str(p).lower())
    path.write_bytes(path.read_bytes() + b" Dimesso.")


# ----- publishing and reading back -----------------------------------------------------------------------------------


def test_published_rows_are_the_built_rows(
    hub: Hub, org: str, hub_client: Client, mirror: Path, tmp_path: Path
) -> None:
    import json

    said = hub_client.ok("data", "push", NAME, "--to", org, "--mirror", mirror, "--revision-tag", "v1")
    assert said.startswith(f"{REPO}: 12 files")
    assert len(titles(hub)) == 1
    hub_client.ok("data", "build", NAME, "--out", tmp_path / "out", "--mirror", mirror)
    wanted: dict[str, dict[str, str]] = {}
    for path in (tmp_path / "out" / NAME).glob("*/*.parquet"):
        wanted.setdefault(path.parent.name, {})[path.name.partition("-")[0]] = str(path)
    assert {config: set(splits) for config, splits in wanted.items()} == {
        "drugtemist": {"train", "validation", "test"},
        "cardioccc": {"validation", "test"},
        "drugtemist_passages": {"train", "validation", "test"},
        "cardioccc_passages": {"validation", "test"},
    }
    for revision in ("main", "v1"):
        ran = hub_client.run(code=READ_BACK.format(wanted=json.dumps(wanted), repo=REPO, revision=revision))
        assert ran.code == 0, ran.err
        assert len(ran.out.splitlines()) == 10
    metadata, text = card(hub)
    assert (metadata["license"], metadata["language"]) == ("cc-by-4.0", ["it"])
    assert "https://doi.org/10.5281/zenodo.10948354" in text
    assert "no pinned checksum" in text
    assert "non-commercial" not in text
    assert not list(tmp_path.glob("ita-med-*"))


def test_a_non_commercial_licence_is_inherited(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    hub_client.ok("data", "push", "mmmed", "--to", org, "--mirror", mirror)
    metadata, text = card(hub, "clinica/mmmed")
    assert metadata["license"] == "cc-by-nc-4.0"
    assert "for non-commercial use only" in text
    assert "revision main (a branch: not pinned)" in text


def test_the_same_content_is_no_new_commit(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    push = ("data", "push", NAME, "--to", org, "--mirror", mirror)
    hub_client.ok(*push)
    hub.log.clear()
    assert "up to date, no new commit" in hub_client.ok(*push)
    assert writes(hub) == []
    assert len(titles(hub)) == 1


def test_other_content_of_the_same_size_is_replaced(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    push = ("data", "push", NAME, "--to", org, "--mirror", mirror)
    hub_client.ok(*push)
    good = hub.read("datasets", REPO)
    spoilt = {path: content[::-1] for path, content in good.items() if path.startswith(("README", "cardioccc/test"))}
    hub.write(hub.repos["datasets", REPO], spoilt)
    assert "2 files" in hub_client.ok(*push)
    assert hub.read("datasets", REPO) == good


def test_another_build_is_one_commit_of_what_changed(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    push = ("data", "push", NAME, "--to", org, "--mirror", mirror)
    hub_client.ok(*push)
    repo = hub.repos["datasets", REPO]
    hub.write(repo, {"gone/test-00000-of-00001.parquet": b"PAR1", "NOTES.md": b"di altri"})
    before = hub.read("datasets", REPO)
    change_mirror(mirror)
    hub.log.clear()
    said = hub_client.ok(*push)
    after = hub.read("datasets", REPO)
    assert "1 outdated ones deleted" in said
    assert len(puts(hub)) == 2
    assert before.keys() - after.keys() == {"gone/test-00000-of-00001.parquet"}
    changed = {path for path in after if after[path] != before[path]}
    views = {f"{config}/train-00000-of-00001.parquet" for config in ("drugtemist", "drugtemist_passages")}
    assert views <= changed <= views | {"README.md", "croissant.json"}
    assert len(titles(hub)) == 3


def test_a_dry_run_writes_nothing(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    push = ("data", "push", NAME, "--to", org, "--mirror", mirror)
    said = hub_client.ok(*push, "--dry-run")
    assert "would commit 12 files" in said
    assert "+ cardioccc/test-00000-of-00001.parquet" in said
    assert not hub.repos
    hub_client.ok(*push)
    hub.log.clear()
    change_mirror(mirror)
    assert "+ drugtemist/train-00000-of-00001.parquet" in hub_client.ok(*push, "--dry-run", "--revision-tag", "v2")
    assert writes(hub) == []
    assert hub.log


# ----- what may be published -----------------------------------------------------------------------------------------


def test_the_table_of_licences() -> None:
    allowed = {entry.id for entry in catalogue.datasets() if not publish.why_withheld(entry)}
    assert {"e3c", "med_ita", "multicardioner", "mmmed"} <= allowed
    withheld = {"imb_mcqa", "itamed", "pharmaer", "dyspnea_crf", "clinkart", "abstrct", "distemist", "casimedicos_arg"}
    assert not allowed & withheld
    for name in allowed:
        entry = catalogue.dataset(name)
        assert entry.access == "open"
        assert entry.commercial == ("NC" not in entry.licence), name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("imb_mcqa", "access to it is gated"),
        ("dyspnea_crf", "its licence does not clearly allow it: not stated"),
        ("clinkart", "its licence does not clearly allow it: CC BY-NC 4.0 (task site) / CC BY-NC-SA 4.0"),
    ],
)
def test_what_may_not_be_redistributed_gets_a_card_only(
    hub: Hub, org: str, hub_client: Client, name: str, why: str
) -> None:
    said = hub_client.ok("data", "push", name, "--to", org)
    assert f"clinica/{name}: only the builder card, without data, because {why}" in said
    assert files_of(hub, f"clinica/{name}") == {"README.md"}
    metadata, text = card(hub, f"clinica/{name}")
    assert metadata["license"] == "other"
    assert metadata["license_name"] == catalogue.dataset(name).licence
    assert f"ita-med data build {name}" in text
    assert "no new commit" in hub_client.ok("data", "push", name, "--to", org)


def test_data_are_withdrawn_when_the_licence_turns_out_otherwise(hub: Hub, org: str, hub_client: Client) -> None:
    repo = hub.create("datasets", "clinica/imb_mcqa")
    hub.write(repo, {"questions/test-00000-of-00001.parquet": b"PAR1", "croissant.json": b"{}", "LICENSE": b"testo"})
    assert "2 outdated ones deleted" in hub_client.ok("data", "push", "imb_mcqa", "--to", org)
    assert files_of(hub, repo.id) == {"README.md", "LICENSE"}


def test_synthetic_data_never_take_the_real_name(hub: Hub, org: str, hub_client: Client, tmp_path: Path) -> None:
    push = ("data", "push", "med_ita", "--to", org)
    hub_client.ok("data", "build", "med_ita", "--out", tmp_path, "--mirror", "embedded")
    for options in (("--mirror", "embedded"), ("--built", tmp_path)):
        line = hub_client.run(*push, *options).refused()
        assert "synthetic sample" in line
        assert "clinica/med_ita-sample" in line
    assert "synthetic" in hub_client.run(*push, ITA_MED_MIRROR="embedded").refused()
    assert "neither" in hub_client.run(*push, "--sample", "--built", tmp_path).refused()
    assert writes(hub) == []


@pytest.mark.parametrize("name", ["med_ita", "imb_mcqa"])
def test_the_sample_has_its_own_name_and_a_warning(hub: Hub, org: str, hub_client: Client, name: str) -> None:
    """Also where the real data are withheld: the sample is our own."""
    hub_client.ok("data", "push", name, "--to", org, "--sample")
    assert set(hub.repos) == {("datasets", f"clinica/{name}-sample")}
    metadata, text = card(hub, f"clinica/{name}-sample")
    assert metadata["license"] == "apache-2.0"
    assert "synthetic" in metadata["tags"]
    assert text.strip().startswith(f"> **This is not {catalogue.dataset(name).name}.**")
    assert any(path.endswith(".parquet") for path in files_of(hub, f"clinica/{name}-sample"))


def test_only_pinned_versions_are_published(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    ran = hub_client.run("data", "push", NAME, "--to", org, "--mirror", mirror, ITA_MED_UNPINNED="1")
    assert "ITA_MED_UNPINNED" in ran.refused()
    assert hub.log == []


# ----- builds that were made before ----------------------------------------------------------------------------------


@pytest.fixture
def built(mirror: Path, tmp_path: Path) -> Path:
    build.build(NAME, tmp_path / "out", str(mirror))
    return tmp_path / "out"


def test_a_build_is_taken_as_it_is(hub: Hub, org: str, hub_client: Client, built: Path) -> None:
    (built / NAME / "appunti.txt").write_text("non pubblicare")
    assert "12 files" in hub_client.ok("data", "push", NAME, "--to", org, "--built", built)
    assert "no new commit" in hub_client.ok("data", "push", NAME, "--to", org, "--built", built / NAME)
    assert "appunti.txt" not in files_of(hub)


def truncate(folder: Path) -> None:
    path = folder / "cardioccc" / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def other_schema(folder: Path) -> None:
    path = folder / "cardioccc" / "test-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["meta"]), path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncate, "is no Parquet file"),
        (other_schema, 'has not the schema "spans"'),
        (lambda folder: (folder / "cardioccc").rename(folder / "altro"), 'there is no view "altro"'),
        (lambda folder: (folder / "README.md").unlink(), "no build in"),
        (lambda folder: [p.unlink() for p in folder.glob("*/*.parquet")], "holds no Parquet files"),
    ],
)
def test_a_spoilt_build_is_refused(
    hub: Hub, org: str, hub_client: Client, built: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(built / NAME)
    assert words in hub_client.run("data", "push", NAME, "--to", org, "--built", built).refused()
    assert writes(hub) == []


def test_a_partial_build_does_not_take_a_view_from_the_hub(
    hub: Hub, org: str, hub_client: Client, mirror: Path, built: Path
) -> None:
    hub_client.ok("data", "push", NAME, "--to", org, "--built", built)
    build.build(NAME, built, str(mirror), ["cardioccc"])
    assert "the view " in hub_client.run("data", "push", NAME, "--to", org, "--built", built).refused()
    assert len(titles(hub)) == 1


# ----- private repositories and tags ---------------------------------------------------------------------------------


def test_private_is_for_new_repositories(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    push = ("data", "push", NAME, "--to", org, "--mirror", mirror, "--private")
    hub_client.ok(*push)
    assert hub.repos["datasets", REPO].private
    hub.repos["datasets", REPO].private = False
    assert "is public" in hub_client.run(*push).refused()


def test_a_tag_stays_where_it_is(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    push = ("data", "push", NAME, "--to", org, "--mirror", mirror)
    hub_client.ok(*push)
    hub_client.ok(*push, "--revision-tag", "v1")
    hub_client.ok(*push, "--revision-tag", "v1")
    repo = hub.repos["datasets", REPO]
    assert repo.tags == {"v1": repo.branches["main"]}
    change_mirror(mirror)
    hub.log.clear()
    assert 'the tag "v1" names the commit' in hub_client.run(*push, "--revision-tag", "v1").refused()
    assert writes(hub) == []


# ----- accounts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "env", "words"),
    [
        ({}, {"HF_TOKEN": None}, "no Hugging Face token"),
        ({}, {"HF_TOKEN": "hf_unknown"}, "does not accept the token"),
        ({}, {"HF_TOKEN": f"{TOKEN}\x01"}, "holds characters that no token has"),
        ({"role": "read"}, {}, "may only read"),
        ({"orgs": {}}, {}, 'tester has no write right in "clinica" on the Hub, only in tester'),
        ({"orgs": {"clinica": "read"}}, {}, "no write right"),
    ],
)
def test_who_may_not_publish(
    hub: Hub, org: str, hub_client: Client, change: dict[str, Any], env: dict[str, str | None], words: str
) -> None:
    hub.users[TOKEN] = User(**({"name": "tester", "orgs": {"clinica": "write"}} | change))
    assert words in hub_client.run("data", "push", "imb_mcqa", "--to", org, **env).refused()
    assert [line for line in hub.log if "whoami" not in line] == []


def test_a_right_that_only_the_hub_knows_of(hub: Hub, org: str, hub_client: Client) -> None:
    hub.faults = [Fault("POST /api/repos/create", status=403, headers={"X-Error-Message": "no new repositories"})]
    line = hub_client.run("data", "push", "imb_mcqa", "--to", org).refused()
    assert "the token may not write there (no new repositories" in line


def test_a_name_that_is_taken_by_something_else(hub: Hub, org: str, hub_client: Client) -> None:
    hub.faults = [Fault("POST /api/repos/create", status=409)]
    assert (
        "exists on the Hub, but not as a dataset" in hub_client.run("data", "push", "imb_mcqa", "--to", org).refused()
    )


def test_a_repository_that_is_gated_for_the_pusher(hub: Hub, org: str, hub_client: Client) -> None:
    hub.faults = [Fault("GET /api/datasets/clinica/", status=403, headers={"X-Error-Code": "GatedRepo"})]
    assert "clinica/imb_mcqa: the repository is gated" in hub_client.run(*CARD_ONLY).refused()
    assert writes(hub) == []


@pytest.mark.parametrize("namespace", ["../x", "a/b", "", "-x-"])
def test_a_namespace_that_cannot_be(hub: Hub, hub_client: Client, namespace: str) -> None:
    assert "no write right" in hub_client.run("data", "push", "imb_mcqa", "--to", namespace).refused()


def test_offline_mode_and_unavailable_datasets(hub: Hub, org: str, hub_client: Client, command: Command) -> None:
    """The tests' own process is offline."""
    assert "unavailable" in hub_client.run("data", "push", "e3c_crf", "--to", org).refused()
    ran = command(*CARD_ONLY)
    assert (ran.code, ran.out, ran.err) == (1, "", "ita-med: HF_HUB_OFFLINE is set: unset it to publish\n")
    assert hub.log == []


CARD_ONLY = ("data", "push", "imb_mcqa", "--to", "clinica")


# ----- a Hub in trouble ----------------------------------------------------------------------------------------------

TROUBLE = {
    "whoami 429": Fault("whoami", status=429, headers={"Retry-After": "0"}, times=2),
    "create 500": Fault("POST /api/repos/create", status=500),
    "create, answer lost": Fault("POST /api/repos/create", lost=True),
    "head 503": Fault("GET /api/datasets/clinica/[^/]+$", status=503),
    "upload broken": Fault("PUT /lfs/", cut=100),
    "upload 500": Fault("PUT /lfs/", status=500),
    "commit 429, rate limit": Fault("POST .*/commit/", status=429, headers={"RateLimit": '"api";r=0;t=0'}),
    "commit broken": Fault("POST .*/commit/", cut=100),
    "commit, answer lost": Fault("POST .*/commit/", lost=True),
    "tag, answer lost": Fault("POST .*/tag/", lost=True),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_that_passes(hub: Hub, org: str, hub_client: Client, mirror: Path, trouble: str) -> None:
    hub.faults = [Fault(**vars(TROUBLE[trouble]))]
    name, files = (NAME, 12) if "upload" in trouble else ("imb_mcqa", 1)
    said = hub_client.ok("data", "push", name, "--to", org, "--mirror", mirror, "--revision-tag", "v1")
    assert hub.faults[0].times == 0
    assert list(hub.repos["datasets", f"clinica/{name}"].tags) == ["v1"]
    assert len(titles(hub, f"clinica/{name}")) == 1
    assert len(files_of(hub, f"clinica/{name}")) == files
    assert hub.repos["datasets", f"clinica/{name}"].branches["main"][:8] in said
    assert "no new commit" not in said


def test_the_wait_is_the_one_that_the_hub_asks_for(hub: Hub, org: str, hub_client: Client) -> None:
    hub.faults = [Fault("POST .*/commit/", status=429, headers={"Retry-After": "1"})]
    ran = hub_client.run(*CARD_ONLY)
    assert (ran.code, ran.err.splitlines()) == (
        0,
        ["ita-med: the Hub refuses more requests for now (429), for 1 s; trying again in 1 s"],
    )


@pytest.mark.parametrize(
    ("fault", "commits", "words"),
    [
        (Fault("/commit/", status=429, headers={"Retry-After": "3600"}, times=99), 1, "for 3600 s; the same command"),
        (Fault("/commit/", status=400, times=99), 1, "the Hub answered 400"),
        (Fault("/commit/", status=412, times=99), 5, "somebody else committed 5 times"),
        (Fault("/validate-yaml", status=400, times=99), 0, "Invalid metadata in README.md"),
    ],
    ids=["429 for an hour", "400", "412", "bad card"],
)
def test_trouble_that_stays_is_one_line_and_no_commit(
    hub: Hub, org: str, hub_client: Client, fault: Fault, commits: int, words: str
) -> None:
    hub.faults = [Fault(**vars(fault))]
    assert words in hub_client.run(*CARD_ONLY).refused()
    assert sum("/commit/" in line for line in hub.log) == commits
    assert titles(hub, "clinica/imb_mcqa") == []


def test_a_hub_that_does_not_answer(hub: Hub, org: str, hub_client: Client) -> None:
    hub.faults = [Fault("whoami", lost=True, times=99)]
    line = hub_client.run(*CARD_ONLY).refused()
    assert line.startswith(f"ita-med: clinica: no connection with {hub.url} (")
    assert line.endswith("; the same command goes on where it stopped")
    assert len(hub.log) == 4


def test_without_xet_storage_the_line_says_what_to_do(hub: Hub, org: str, mirror: Path, tmp_path: Path) -> None:
    """The client's default is Xet; the Hub on loopback, like most mirrors of the Hub, has LFS alone."""
    env = environment(hub, tmp_path) | {"HF_HUB_DISABLE_XET": "0"}
    with start_command(env, "data", "push", NAME, "--to", org, "--mirror", mirror) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(f"ita-med: {REPO}: Xet upload failed (")
    assert err.endswith("HF_HUB_DISABLE_XET=1 uploads with LFS\n")
    assert titles(hub) == []


# ----- others, and kills ---------------------------------------------------------------------------------------------


def test_a_commit_of_somebody_else_is_kept(hub: Hub, org: str, hub_client: Client, mirror: Path) -> None:
    def rival() -> None:
        hub.write(hub.repos["datasets", REPO], {"NOTES.md": b"di altri", "README.md": b"vecchio"}, "rival")

    hub.faults = [Fault("POST .*/commit/", before=rival, times=2)]
    hub_client.ok("data", "push", NAME, "--to", org, "--mirror", mirror)
    assert [line.split()[-1] for line in hub.log if "/commit/" in line] == ["412", "412", "200"]
    assert [title == "rival" for title in titles(hub)] == [True, True, False]
    assert hub.read("datasets", REPO)["NOTES.md"] == b"di altri"
    assert "cc-by-4.0" in hub.read("datasets", REPO)["README.md"].decode()
    assert len(puts(hub)) == 10


def test_two_pushes_at_once_are_one_commit(hub: Hub, org: str, mirror: Path, tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=60)
    hub.faults = [Fault("POST .*/commit/", before=both.wait, times=2)]
    env = environment(hub, tmp_path)
    running = [start_command(env, "data", "push", NAME, "--to", org, "--mirror", mirror) for _ in range(2)]
    ended = [process.communicate(timeout=90) for process in running]
    assert [process.returncode for process in running] == [0, 0], ended
    assert sorted(line.split()[-1] for line in hub.log if "/commit/" in line) == ["200", "412"]
    assert len(titles(hub)) == 1


def test_kill_while_a_file_is_uploaded(hub: Hub, org: str, hub_client: Client, mirror: Path, tmp_path: Path) -> None:
    """The next push uploads only what is missing."""
    killed = threading.Event()
    hub.faults = [Fault("PUT /lfs/", before=lambda: killed.wait(60), cut=10)]
    push = ("data", "push", NAME, "--to", org, "--mirror", mirror)
    process = start_command(environment(hub, tmp_path), *push)
    wait_for(lambda: len(puts(hub)) == 9)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    killed.set()
    assert titles(hub) == []
    assert files_of(hub) == set()
    hub.log.clear()
    hub_client.ok(*push)
    assert len(puts(hub)) == 1
    assert len(titles(hub)) == 1
    assert len(files_of(hub)) == 12


def test_kill_while_the_commit_is_made(hub: Hub, org: str, hub_client: Client, mirror: Path, tmp_path: Path) -> None:
    """The Hub finishes the commit of a client that is gone; the next push sees it."""
    killed, asked = threading.Event(), threading.Event()
    hub.faults = [Fault("POST .*/commit/", meanwhile=lambda: (asked.set(), killed.wait(60)))]
    push = ("data", "push", NAME, "--to", org, "--mirror", mirror)
    process = start_command(environment(hub, tmp_path), *push)
    assert asked.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    killed.set()
    wait_for(lambda: len(titles(hub)) == 1)
    assert "no new commit" in hub_client.ok(*push)
    assert len(titles(hub)) == 1


def test_a_hub_that_is_restarted_meanwhile(mirror: Path, tmp_path: Path) -> None:
    first = Hub(tmp_path / "hub").start()
    first.users[TOKEN] = User("tester", orgs={"clinica": "write"})
    second: list[Hub] = []

    def restart() -> None:
        first.stop()
        again = Hub(tmp_path / "hub", first.port)
        again.users = first.users
        second.append(again.start())

    first.faults = [Fault("PUT /lfs/", before=restart)]
    push = ("data", "push", NAME, "--to", "clinica", "--mirror", mirror)
    with start_command(environment(first, tmp_path / "home"), *push) as process:
        ended = process.communicate(timeout=90)
    second[0].stop()
    assert process.returncode == 0, ended
    assert len(titles(second[0])) == 1
    assert len(files_of(second[0])) == 12


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    waiting = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        waiting.wait(0.02)
    raise AssertionError("it did not happen")


# ----- real files ----------------------------------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["med_ita", "e3c"])
def test_real_datasets(hub: Hub, org: str, hub_client: Client, real_mirror: str, name: str) -> None:
    push = ("data", "push", name, "--to", org, "--mirror", real_mirror)
    hub_client.ok(*push)
    assert "no new commit" in hub_client.ok(*push)
    views = {path.split("/")[0] for path in files_of(hub, f"clinica/{name}") if "/" in path}
    assert views == set(build.builder(name).CONFIGS)
    metadata, text = card(hub, f"clinica/{name}")
    commit = build.builder(name).SOURCES[0].commit  # type: ignore[union-attr]
    assert commit in text
    assert "pinned checksums (sha256), verified" in text
    if name == "e3c":
        assert metadata["license_name"] == "cc-by-nc"
        assert "for non-commercial use only, even where single documents allow more" in text
        assert "each document carries its own licence, CC BY or CC BY-NC" in text
