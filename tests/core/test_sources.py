"""Raw files: mirror, cache, network in that order; downloads from a real server, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import socket
import struct
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ita_med import archives, checksums, cli, download, sources
from ita_med.dataset_builders import build
from ita_med.errors import SourceError
from ita_med.sources import GitHub, Hub, RawFiles, Url, Zenodo

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = GitHub("owner/corpus", COMMIT, ("a.txt", "deep/er/b.txt"))
RAW = f"/raw/owner/corpus/{COMMIT}"
CONTENT = {f"{RAW}/a.txt": b"primo", f"{RAW}/deep/er/b.txt": b"secondo" * 1000}
SUMS = {path.removeprefix(f"{RAW}/"): hashlib.sha256(content).hexdigest() for path, content in CONTENT.items()}


class Server:
    """What GitHub, Zenodo and any other server would answer.

    short: bytes missing at the end of every body, as when a connection is lost.
    cuts: path -> after how many bytes each of the next bodies ends.
    trouble: path -> what the next answers are instead: a status, or "reset" for a connection that is dropped.
    resumes: whether ranges are served.
    """

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = dict(CONTENT)
        self.short: dict[str, int] = {}
        self.cuts: dict[str, list[int]] = {}
        self.trouble: dict[str, list[int | str]] = {}
        self.resumes = True
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.base = ""


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "BACKOFF", 0.0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            state.ranges.append(self.headers.get("Range", ""))
            body = state.pages.get(self.path)
            if trouble := state.trouble.get(self.path):
                self.refuse(trouble.pop(0))
                return
            if body is None:
                self.send_error(404)
                return
            start = int(state.ranges[-1].removeprefix("bytes=").rstrip("-") or 0) if state.resumes else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            cuts = state.cuts.get(self.path)
            end = start + cuts.pop(0) if cuts else len(body) - state.short.get(self.path, 0)
            self.wfile.write(body[start:end])

        def refuse(self, trouble: int | str) -> None:
            if trouble == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                return
            self.send_response(int(trouble))
            self.send_header("Content-Length", "0")
            self.send_header("Retry-After", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    base = state.base = f"http://127.0.0.1:{httpd.server_port}"
    monkeypatch.setattr(sources, "GITHUB_FILES", f"{base}/raw")
    monkeypatch.setattr(sources, "GITHUB_ARCHIVES", f"{base}/zip")
    monkeypatch.setattr(sources, "ZENODO", base)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(sources.MIRROR_VARIABLE, raising=False)
    yield state
    httpd.shutdown()
    httpd.server_close()


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(folder: Path, source: sources.Source = SOURCE, sums: dict[str, str] | None = None) -> str:
    """The message of a pull that must fail."""
    with pytest.raises(SourceError) as error:
        sources.pull("abstrct", (source,), folder, sums)
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).startswith("abstrct: ")
    return str(error.value)


# ----- downloads -------------------------------------------------------------------------------------------------


def test_pull_writes_the_whole_folder(server: Server, tmp_path: Path) -> None:
    sources.pull("abstrct", (SOURCE,), tmp_path / "new" / "abstrct", SUMS)
    assert tree(tmp_path) == {"new/abstrct/a.txt": b"primo", "new/abstrct/deep/er/b.txt": b"secondo" * 1000}
    assert sorted(server.asked) == sorted(CONTENT)


def test_pull_of_a_whole_repository_is_read_in_place(server: Server, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"corpus-{COMMIT}/deep/er/b.txt", "secondo")
    server.pages[f"/zip/owner/corpus/zip/{COMMIT}"] = packed.getvalue()
    sources.pull("abstrct", (GitHub("owner/corpus", COMMIT),), tmp_path / "abstrct")
    assert list(tree(tmp_path)) == ["abstrct/corpus-01234567.zip"]
    assert RawFiles("abstrct", tmp_path / "abstrct", "cache").read("deep/er/b.txt") == b"secondo"


def test_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    message = refused(tmp_path / "abstrct", sums=SUMS | {"deep/er/b.txt": "0" * 64})
    assert "b.txt" in message
    assert SUMS["deep/er/b.txt"] in message
    assert list(tmp_path.iterdir()) == []


def test_page_that_is_not_there(server: Server, tmp_path: Path) -> None:
    del server.pages[f"{RAW}/deep/er/b.txt"]
    message = refused(tmp_path / "abstrct")
    assert "404" in message
    assert "deep/er/b.txt" in message
    assert list(tmp_path.iterdir()) == []


def test_connection_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(sources, "GITHUB_FILES", f"http://127.0.0.1:{taken.getsockname()[1]}")
        message = refused(tmp_path / "abstrct")
    assert "a.txt" in message
    assert "mirror" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sums", [None, SUMS])
def test_interrupted_body_leaves_nothing(server: Server, tmp_path: Path, sums: dict[str, str] | None) -> None:
    server.short[f"{RAW}/deep/er/b.txt"] = 500
    assert "b.txt" in refused(tmp_path / "abstrct", sums=sums)
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_kept_on_failure(server: Server, tmp_path: Path) -> None:
    old = tmp_path / "abstrct"
    old.mkdir()
    (old / "old.txt").write_text("vecchio")
    refused(old, sums=SUMS | {"a.txt": "0" * 64})
    assert tree(tmp_path) == {"abstrct/old.txt": b"vecchio"}
    assert [path.name for path in tmp_path.iterdir()] == ["abstrct"]


def test_existing_folder_is_replaced_on_success(server: Server, tmp_path: Path) -> None:
    old = tmp_path / "abstrct"
    old.mkdir()
    (old / "old.txt").write_text("vecchio")
    sources.pull("abstrct", (SOURCE,), old, SUMS)
    assert set(tree(tmp_path)) == {"abstrct/a.txt", "abstrct/deep/er/b.txt"}
    assert [path.name for path in tmp_path.iterdir()] == ["abstrct"]


def test_existing_folder_survives_a_failure_while_it_is_replaced(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "abstrct"
    old.mkdir()
    (old / "old.txt").write_text("vecchio")
    rename, failed = os.rename, []

    def fails_once(source: Any, destination: Any, **options: Any) -> None:
        if Path(destination) == old and not failed:
            failed.append(source)
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, destination, **options)

    monkeypatch.setattr(os, "rename", fails_once)
    monkeypatch.setattr(os, "replace", fails_once)
    with pytest.raises((OSError, SourceError)):
        sources.pull("abstrct", (SOURCE,), old, SUMS)
    assert failed
    assert tree(tmp_path) == {"abstrct/old.txt": b"vecchio"}


def test_nothing_to_download(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing to download"):
        sources.pull("abstrct", (), tmp_path / "abstrct")
    assert list(tmp_path.iterdir()) == []


def test_pull_command_verifies_the_pinned_checksums(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The samples instead of the real MED-ITA: served, but not the pinned files."""
    source = build.builder("med_ita").SOURCES[0]
    assert isinstance(source, GitHub)
    for path in source.files:
        content = (build.folder("med_ita") / "sample" / path).read_bytes()
        server.pages[f"/raw/{source.repo}/{source.commit}/{path}"] = content
    monkeypatch.setattr(sys, "argv", ["ita-med", "data", "pull", "med_ita", "--to", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    printed = capsys.readouterr()
    assert end.value.code == 1
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert printed.err.startswith("ita-med: med_ita: dataset.jsonl has sha256 ")
    assert list(tmp_path.iterdir()) == []


# ----- what passes, and what does not ----------------------------------------------------------------------------

LARGE = bytes(range(256)) * 1000


def test_a_busy_server_and_a_dropped_connection_are_tried_again(server: Server, tmp_path: Path) -> None:
    server.trouble[f"{RAW}/a.txt"] = [429, 503, "reset", 502]
    sources.pull("abstrct", (SOURCE,), tmp_path / "abstrct", SUMS)
    assert tree(tmp_path / "abstrct")["a.txt"] == b"primo"
    assert server.asked.count(f"{RAW}/a.txt") == download.ATTEMPTS


@pytest.mark.parametrize("trouble", [429, 500, "reset"])
def test_a_server_that_stays_busy_is_given_up(server: Server, tmp_path: Path, trouble: int | str) -> None:
    server.trouble[f"{RAW}/a.txt"] = [trouble] * 100
    assert "a.txt" in refused(tmp_path / "abstrct")
    assert server.asked.count(f"{RAW}/a.txt") == download.ATTEMPTS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(server: Server, tmp_path: Path, status: int) -> None:
    server.trouble[f"{RAW}/a.txt"] = [status]
    assert str(status) in refused(tmp_path / "abstrct")
    assert server.asked.count(f"{RAW}/a.txt") == 1


@pytest.mark.parametrize(("asked", "waits"), [("7", [7.0]), ("100000", []), ("Fri, 31 Dec 1999 23:59:59 GMT", [3.0])])
def test_the_server_says_how_long_to_wait(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, waits: list[float]
) -> None:
    """A date is not understood: then the usual time is waited; more than two minutes are not."""
    slept: list[float] = []
    monkeypatch.setattr(download, "BACKOFF", 3.0)
    monkeypatch.setattr(download.time, "sleep", slept.append)
    monkeypatch.setattr(BaseHTTPRequestHandler, "send_header", with_header("Retry-After", asked))
    server.trouble[f"{RAW}/a.txt"] = [429]
    if waits:
        sources.pull("abstrct", (SOURCE,), tmp_path / "abstrct", SUMS)
    else:
        assert "429" in refused(tmp_path / "abstrct")
    assert slept == waits


def with_header(name: str, value: str) -> Any:
    send = BaseHTTPRequestHandler.send_header

    def send_header(self: BaseHTTPRequestHandler, keyword: str, found: str) -> None:
        send(self, keyword, value if keyword == name else found)

    return send_header


@pytest.mark.parametrize("resumes", [True, False])
def test_a_cut_download_goes_on(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resumes: bool) -> None:
    """Where the server cannot resume, it starts over; the file is the same."""
    monkeypatch.setattr(download, "CHUNK", 10_000)
    server.pages["/large.bin"] = LARGE
    server.cuts["/large.bin"] = [100_000, 70_000]
    server.resumes = resumes
    source = Url(f"{server.base}/large.bin", "deep/large.bin", hashlib.sha256(LARGE).hexdigest())
    sources.pull("abstrct", (source,), tmp_path / "abstrct")
    assert tree(tmp_path / "abstrct") == {"deep/large.bin": LARGE}
    second = 170_000 if resumes else 70_000
    assert server.ranges == ["", "bytes=100000-", f"bytes={second}-"]


def test_a_file_that_changes_between_two_attempts_fails_its_checksum(server: Server, tmp_path: Path) -> None:
    server.pages["/large.bin"] = LARGE
    server.cuts["/large.bin"] = [100_000]
    source = Url(f"{server.base}/large.bin", "large.bin", hashlib.sha256(LARGE[::-1]).hexdigest())
    assert "large.bin has sha256" in refused(tmp_path / "abstrct", source)
    assert list(tmp_path.iterdir()) == []


def test_a_pinned_checksum_goes_before_that_of_the_source(server: Server, tmp_path: Path) -> None:
    server.pages["/x"] = b"x"
    source = Url(f"{server.base}/x", "x", "0" * 64)
    sources.pull("abstrct", (source,), tmp_path / "abstrct", {"x": hashlib.sha256(b"x").hexdigest()})
    assert tree(tmp_path / "abstrct") == {"x": b"x"}


# ----- Zenodo --------------------------------------------------------------------------------------------------------

PACKED = {"corpus-it.zip": b"italiano" * 99, "corpus-es.zip": b"espa\xc3\xb1ol", "read me.txt": b"leggimi"}


def zenodo(server: Server, record: int = 77, files: Any = None) -> None:
    """A record as the API describes it: 70 is the concept, 77 its newest version."""
    listed = [
        {"key": name, "size": len(content), "checksum": f"md5:{hashlib.md5(content).hexdigest()}"}
        for name, content in PACKED.items()
    ]
    answer = {"id": record, "files": listed if files is None else files}
    server.pages["/api/records/70"] = server.pages["/api/records/77"] = json.dumps(answer).encode()
    for name, content in PACKED.items():
        server.pages[f"/records/77/files/{name.replace(' ', '%20')}?download=1"] = content


def test_zenodo_record_is_pulled_whole_from_its_newest_version(server: Server, tmp_path: Path) -> None:
    zenodo(server)
    sources.pull("abstrct", (Zenodo(70),), tmp_path / "abstrct")
    assert tree(tmp_path / "abstrct") == PACKED


def test_zenodo_files_by_pattern(server: Server, tmp_path: Path) -> None:
    zenodo(server)
    server.trouble["/api/records/77"] = [429]
    sources.pull("abstrct", (Zenodo(77, ("*-it.zip",)),), tmp_path / "abstrct")
    assert list(tree(tmp_path / "abstrct")) == ["corpus-it.zip"]


def test_zenodo_md5_is_verified_where_nothing_is_pinned(server: Server, tmp_path: Path) -> None:
    zenodo(server)
    damaged = server.pages["/records/77/files/corpus-it.zip?download=1"] = b"altro"
    assert "corpus-it.zip has md5" in refused(tmp_path / "abstrct", Zenodo(77))
    assert list(tmp_path.iterdir()) == []
    pinned = {"corpus-it.zip": hashlib.sha256(damaged).hexdigest()}
    sources.pull("abstrct", (Zenodo(77),), tmp_path / "abstrct", pinned)
    assert tree(tmp_path / "abstrct")["corpus-it.zip"] == damaged


MD5 = "md5:" + "0" * 32


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ([], ["has no file *", "only none"]),
        ([{"key": "../../evil", "checksum": MD5}], ["../../evil"]),
        ([{"key": "..", "checksum": MD5}], ['".."']),
        ([{"key": "/tmp/evil", "checksum": MD5}], ["/tmp/evil"]),
        ([{"key": "x", "checksum": "crc32:00"}], ["crc32:00", "md5"]),
        ([{"key": "x"}], ["checksum"]),
        ("nothing", ["expected"]),
        (None, ["404", "corpus-it.zip"]),
    ],
)
def test_zenodo_answers_that_cannot_be_used(server: Server, tmp_path: Path, files: Any, named: list[str]) -> None:
    zenodo(server, files=files)
    del server.pages["/records/77/files/corpus-it.zip?download=1"]
    message = refused(tmp_path / "abstrct", Zenodo(77))
    assert [word for word in named if word not in message] == []
    assert list(tmp_path.iterdir()) == []


def test_zenodo_that_answers_no_json(server: Server, tmp_path: Path) -> None:
    server.pages["/api/records/77"] = b"<html>"
    assert "/api/records/77" in refused(tmp_path / "abstrct", Zenodo(77))


def test_zenodo_record_that_is_not_there(server: Server, tmp_path: Path) -> None:
    assert "404" in refused(tmp_path / "abstrct", Zenodo(78))


@pytest.mark.parametrize("name", ["multicardioner", "multiclinner"])
def test_builders_on_zenodo_name_their_record(name: str) -> None:
    assert [type(source) for source in build.builder(name).SOURCES] == [Zenodo]


# ----- mirror, cache, network --------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sample, a mirror and a cache, each with a file that says where it lies."""
    monkeypatch.setenv(sources.CACHE_VARIABLE, str(tmp_path / "cache"))
    for place in ("sample", "mirror/abstrct", "other/abstrct", "cache/sources/abstrct"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.txt").write_text(place)
    return tmp_path


def resolved(places: Path, mirror: str | None = None, **options: bool) -> tuple[str, str]:
    files = sources.resolve("abstrct", places / "sample", (SOURCE,), mirror, **options)
    return files.kind, files.read("a.txt").decode()


def test_order_is_mirror_then_cache_then_network(server: Server, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.MIRROR_VARIABLE, str(places / "mirror"))
    assert resolved(places, str(places / "other")) == ("mirror", "other/abstrct")
    assert resolved(places) == ("mirror", "mirror/abstrct")
    monkeypatch.delenv(sources.MIRROR_VARIABLE)
    assert resolved(places) == ("cache", "cache/sources/abstrct")
    assert server.asked == []
    shutil.rmtree(places / "cache")
    assert resolved(places) == ("cache", "primo")
    assert sorted(server.asked) == sorted(CONTENT)
    assert resolved(places) == ("cache", "primo")
    assert len(server.asked) == len(CONTENT)


def test_embedded_wins_over_the_environment(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.MIRROR_VARIABLE, str(places / "mirror"))
    assert resolved(places, "embedded") == ("embedded", "sample")


def test_a_mirror_that_lacks_the_dataset_does_not_fall_through(server: Server, places: Path) -> None:
    """An air-gapped site must not quietly mix its mirror with something else."""
    (places / "empty").mkdir()
    with pytest.raises(SourceError, match='has no folder "abstrct"'):
        resolved(places, str(places / "empty"))
    assert server.asked == []


def test_without_download_the_network_is_left_alone(server: Server, places: Path) -> None:
    shutil.rmtree(places / "cache")
    with pytest.raises(SourceError, match="not downloaded yet"):
        resolved(places, download=False)
    assert server.asked == []


def test_failed_download_leaves_no_cache(server: Server, places: Path) -> None:
    shutil.rmtree(places / "cache")
    server.pages.clear()
    with pytest.raises(SourceError, match="404"):
        resolved(places)
    assert tree(places / "cache") == {}
    assert not (places / "cache" / "sources" / "abstrct").exists()


def test_nothing_real_until_something_is_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.delenv(sources.MIRROR_VARIABLE, raising=False)
    assert sources.nothing_real()
    (tmp_path / "sources" / "abstrct").mkdir(parents=True)
    assert not sources.nothing_real()


# ----- files of a folder -------------------------------------------------------------------------------------------

LAYOUT = {"data/x1.json": b"1", "data/x2.json": b"2", "data/deep/x3.json": b"3", "readme.txt": b"r"}


def as_folder(root: Path) -> None:
    for path, content in LAYOUT.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def as_zip(root: Path, top: str = "corpus-0123/") -> None:
    with zipfile.ZipFile(root / "corpus.zip", "w") as archive:
        for path, content in LAYOUT.items():
            archive.writestr(top + path, content)


def as_tar(root: Path, compression: str = "gz", top: str = "") -> None:
    with tarfile.open(root / f"corpus.tar.{compression}", f"w:{compression}") as archive:  # type: ignore[call-overload]
        for path, content in LAYOUT.items():
            info = tarfile.TarInfo(top + path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(
    "lay_out",
    [
        as_folder,
        as_zip,
        lambda root: as_zip(root, ""),
        as_tar,
        lambda root: as_tar(root, "xz", "corpus/"),
        lambda root: as_tar(root, "gz", "./"),
    ],
)
def test_every_layout_reads_the_same(tmp_path: Path, lay_out: Any) -> None:
    lay_out(tmp_path)
    files = RawFiles("abstrct", tmp_path, "mirror")
    assert files.find("data/*.json") == [("data/x1.json", b"1"), ("data/x2.json", b"2")]
    assert files.read("readme.txt") == b"r"
    assert files.seen == {
        path: hashlib.sha256(LAYOUT[path]).hexdigest() for path in ("data/x1.json", "data/x2.json", "readme.txt")
    }


@pytest.mark.parametrize("lay_out", [as_folder, as_zip, lambda root: as_zip(root, ""), as_tar])
def test_open_files_hold_the_same(tmp_path: Path, lay_out: Any) -> None:
    lay_out(tmp_path)
    files, whole = RawFiles("abstrct", tmp_path, "mirror"), RawFiles("abstrct", tmp_path, "mirror")
    read = [(path, stream.read()) for path, stream in files.open("data/*.json")]
    assert sorted(read) == whole.find("data/*.json")
    assert files.seen == whole.seen


def test_open_says_what_is_missing_and_what_is_broken(tmp_path: Path) -> None:
    as_zip(tmp_path)
    files = RawFiles("abstrct", tmp_path, "mirror")
    assert list(files.open("b.txt", required=False)) == []
    with pytest.raises(SourceError, match=r"^abstrct: b\.txt is not in .*; upstream: https://github.com/"):
        next(files.open("b.txt"))
    archive = tmp_path / "corpus.zip"
    broken = archive.read_bytes()
    at = broken.index(b"x1.json") + len(b"x1.json")
    archive.write_bytes(broken[:at] + b"9" + broken[at + 1 :])
    with pytest.raises(SourceError, match=r"^abstrct: data/x1\.json cannot be read .*get it again"):
        next(RawFiles("abstrct", tmp_path, "mirror").open("data/x1.json"))


def test_plain_files_go_before_archives(tmp_path: Path) -> None:
    as_zip(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x1.json").write_bytes(b"plain")
    assert RawFiles("abstrct", tmp_path, "mirror").find("data/*.json") == [("data/x1.json", b"plain")]


def test_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^abstrct: b\.txt is not in .*; upstream: https://github.com/"):
        RawFiles("abstrct", tmp_path, "mirror").find("b.txt")
    assert RawFiles("abstrct", tmp_path, "mirror").find("b.txt", required=False) == []


@pytest.mark.parametrize("lay_out", [as_zip, as_tar])
def test_a_member_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay_out: Any
) -> None:
    lay_out(tmp_path)
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 0)
    with pytest.raises(SourceError, match=r"corpus\.\S+: \S*readme\.txt would unpack to 1 bytes"):
        RawFiles("abstrct", tmp_path, "mirror").read("readme.txt")


def test_a_link_in_a_tar_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("segreto")
    root = tmp_path / "abstrct"
    root.mkdir()
    with tarfile.open(root / "corpus.tar.gz", "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo("readme.txt")
            info.type, info.linkname = kind, str(secret)
            archive.addfile(info)
    with pytest.raises(SourceError, match=r"readme\.txt is not in"):
        RawFiles("abstrct", root, "mirror").read("readme.txt")


# ----- checksums ---------------------------------------------------------------------------------------------------


def test_checksum_lines_round_trip() -> None:
    assert checksums.read_checksums(f"{'a' * 64}  x y/z.txt\n\n{'b' * 64}  folder/\n") == {
        "x y/z.txt": "a" * 64,
        "folder/": "b" * 64,
    }


def read_all(root: Path, kind: str = "mirror") -> RawFiles:
    as_folder(root)
    files = RawFiles("abstrct", root, kind)
    files.find("data/*.json")
    return files


def test_folder_digest_notices_change_loss_and_addition(tmp_path: Path) -> None:
    seen = read_all(tmp_path).seen
    digest = checksums.folder_digest(seen, "data/")
    checksums.verify(read_all(tmp_path), {"data/": digest})
    changed = seen | {"data/x1.json": "0" * 64}
    fewer = {"data/x1.json": seen["data/x1.json"]}
    more = seen | {"data/x9.json": seen["data/x1.json"]}
    renamed = {"data/y1.json": seen["data/x1.json"], "data/x2.json": seen["data/x2.json"]}
    digests = [checksums.folder_digest(other, "data/") for other in (changed, fewer, more, renamed)]
    assert digest not in digests
    assert checksums.folder_digest(seen | {"other/x.json": "0" * 64}, "data/") == digest


@pytest.mark.parametrize("pinned", [{"data/x2.json": "0" * 64}, {"data/": "0" * 64}])
def test_verify_refuses_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: dict[str, str]
) -> None:
    monkeypatch.delenv(checksums.UNPINNED_VARIABLE, raising=False)
    with pytest.raises(SourceError, match=f"^abstrct: {next(iter(pinned))} has sha256"):
        checksums.verify(read_all(tmp_path), pinned)
    with pytest.raises(SourceError):
        checksums.verify(read_all(tmp_path, "cache"), pinned)
    checksums.verify(read_all(tmp_path, "embedded"), pinned)
    monkeypatch.setenv(checksums.UNPINNED_VARIABLE, "1")
    checksums.verify(read_all(tmp_path), pinned)


# ----- the Hub -------------------------------------------------------------------------------------------------------


def test_hub_without_a_network_is_one_line(tmp_path: Path) -> None:
    """`HF_HUB_OFFLINE` is set for all tests."""
    message = refused(tmp_path / "abstrct", Hub("owner/corpus"))
    assert "owner/corpus" in message
    assert list(tmp_path.iterdir()) == []
