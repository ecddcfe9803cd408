"""What attackers try on every route: headers, methods, cookies, scripts in texts, paths, gold, addresses in logs.

Tokens, bodies, zips and rates of single routes are in test_api.py and test_submission.py.
"""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from ita_med.errors import ItaMedError
from ita_med.leaderboard import demo, pages
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, store, tables
from ita_med.leaderboard.submissions import submission
from ita_med.leaderboard.submissions.submission import Claim
from ita_med.leaderboard.web.settings import Settings

from .conftest import Files, change_manifest, client_of, zipped
from .web.test_api import ZIP, gold_texts, rows, submit, token_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cheap_hashes")]
LANGUAGES = ("it", "en")
PAGES = [
    f"/{language}/{page}"
    for language in LANGUAGES
    for page in (
        "", "?part=ood&scale=normalised", "model?id={id}", "model?id=999", "compare?systems={id},5", "compare", "tasks",
        "submit", "figures", "method", "about", "queue", "fragments/ranking", "fragments/figures", "nowhere",
    )
]  # fmt: skip
DATA = [
    "/", "/health", "/metrics", "/api/v1/ranking", "/api/v1/systems/{id}", "/api/v1/compare?systems={id},5",
    "/api/v1/compare/documents?systems={id},5&task=ita_med_ner_e3c_disorder", "/api/v1/figures/ranks", "/api/v1/tasks",
    "/api/v1/figures/families?language=en", "/api/v1/reference", "/api/v1/queue", "/api/v1/openapi.json",
    "/static/none.js", "/api/v1/systems/x",
]  # fmt: skip
ROUTES = [*DATA, *PAGES]


def get(client: TestClient, path: str, number: int = 4, **more: Any) -> Any:
    return client.get(path.format(id=number), follow_redirects=False, **more)


# --- headers, methods, cookies


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_has_the_headers(shown: TestClient, path: str) -> None:
    answer = get(shown, path)
    assert answer.status_code in (200, 307, 404, 422), answer.text[:300]
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy, path
    assert "unsafe-eval" not in policy
    assert not re.search(r"script-src[^;]*(unsafe-inline|https?:|\*)", policy)
    assert "http" not in policy, "no other host"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    for absent in ("set-cookie", "access-control-allow-origin", "server", "x-powered-by"):
        assert absent not in answer.headers, path
    if answer.status_code == 200 and answer.headers["content-type"].startswith(("text/html", "application/json")):
        assert "etag" in answer.headers or "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "CONNECT", "PROPFIND"])
def test_other_methods_do_nothing(shown: TestClient, method: str) -> None:
    for path in ("/api/v1/ranking", "/api/v1/submissions", "/api/v1/systems/4", "/it/", "/health", "/nowhere"):
        answer = shown.request(method, path, headers={"Origin": "https://evil.example", "X-Trace": "secret"})
        assert answer.status_code in (404, 405), (method, path)
        assert "secret" not in answer.text
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_foreign_page_cannot_write_with_a_reader_s_browser(engine: Engine, user: accounts.User, files: Files) -> None:
    """There is no cookie and no basic authentication: nothing that a browser would send by itself opens anything."""
    client, token = client_of(engine), token_of(engine, user)["Authorization"].split()[1]
    for name, value in (("token", token), ("session", token), ("Authorization", f"Bearer {token}")):
        client.cookies.set(name, value)
    attempts = [
        {"headers": ZIP}, {"headers": ZIP | {"Authorization": f"Basic {token}"}},
        {"headers": ZIP | {"X-Api-Key": token}},
        {"headers": ZIP, "params": {"token": token, "access_token": token}},
    ]  # fmt: skip
    for attempt in attempts:
        for route in ("submissions", "check", "queue", "submissions/1/withdraw"):
            answer = client.post(f"/api/v1/{route}", content=zipped(files), **attempt)
            assert answer.status_code == 401, (route, attempt)
    assert rows(engine) == 0


def test_nobody_raises_his_own_role(engine: Engine, user: accounts.User, files: Files) -> None:
    client, signed = client_of(engine), token_of(engine, user)
    for provenance in ("floor", "reproduced"):
        assert submit(client, files, signed, f"submissions?provenance={provenance}").status_code == 403
    odd = change_manifest(files, role="maintainer", provenance="reproduced", user="maintainer", synthetic=False)
    number = submit(client, odd, signed).json()["id"]
    row = client.get(f"/api/v1/systems/{number}").json()["row"]
    assert (row["provenance"], row["user"]) == ("re-scored", "giulia.rossi")
    more = {"model": "org/model", "role": "maintainer"}
    assert client.post("/api/v1/queue", json=more, headers=signed).status_code == 422
    with engine.begin() as connection:
        assert accounts.find_user(connection, user.name).role == "submitter"


# --- texts


SCRIPTS = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'-alert(1)-'", "</td><svg onload=alert(1)>"]
RAW = re.compile(r"<script>alert|<img src=x|<svg onload|=\s*'-alert")


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_script_in_any_text_is_text_on_every_page(demo_board: bytes, tmp_path: Any, files: Files, text: str) -> None:
    from ita_med.leaderboard.publish import table_files
    from ita_med.leaderboard.results.ranking import Board

    (tmp_path / "board.sqlite").write_bytes(demo_board)
    engine = store.connect(tmp_path / "board.sqlite")
    with store.writing(engine) as connection:
        user = accounts.add_user(connection, "giulia.rossi")
    client = client_of(engine)
    hostile = change_manifest(
        files, model=text, method=text, revision=text, adapter=text, command=text, versions={text: text}, hardware=text,
        dtype=text, declared={"licence": text, "parameters": 5}, tokens_per_second=5,
    )  # fmt: skip
    answer = submit(client, hostile, token_of(engine, user))
    assert answer.status_code == 201, answer.text
    seen = 0
    for path in ROUTES:
        page = get(client, path, answer.json()["id"])
        if page.headers.get("content-type", "").startswith("text/html"):
            assert not RAW.search(page.text), path
            seen += "alert(1)" in page.text
    assert seen >= 4, "the pages do show the text"
    for path in table_files.write(Board(engine), tmp_path / "out", synthetic=True):
        if path.suffix == ".html":
            assert not RAW.search(path.read_text("utf-8")), path
    engine.dispose()


@pytest.mark.parametrize(
    "text", ['"><script>alert(1)</script>', "%0d%0aSet-Cookie:%20a=b", "\u202e", "javascript:alert(1)"]
)
def test_what_stands_in_an_address_comes_back_as_text_or_not_at_all(shown: TestClient, text: str) -> None:
    for name in ("part", "scale", "family", "search", "q", "id", "systems", "task", "version", "licence", "x"):
        for path in ("/", "/it/", "/en/model", "/it/compare", "/it/tasks", "/it/fragments/ranking"):
            answer = shown.get(path, params={name: text}, follow_redirects=False)
            assert answer.status_code < 500, (path, name)
            assert not RAW.search(answer.text), (path, name)
            assert "set-cookie" not in answer.headers
            assert answer.headers.get("location", "/it/").startswith(("/it/", "/en/"))


def test_odd_unicode_in_a_manifest_breaks_no_page(engine: Engine, user: accounts.User, files: Files) -> None:
    client = client_of(engine)
    raw = json.loads(files["manifest.json"]) | {"command": "\ud800\u0000\u202e", "versions": {"\udfff": "\x07"}}
    answer = submit(client, files | {"manifest.json": json.dumps(raw).encode()}, token_of(engine, user))
    assert answer.status_code == 201, answer.text
    for path in (f"/api/v1/systems/{answer.json()['id']}", f"/it/model?id={answer.json()['id']}"):
        page = client.get(path)
        assert page.status_code == 200
        assert not set("\u0000\u202e\x07") & set(page.text)


# --- paths


@pytest.mark.parametrize("mount", ["", "/it", "/en"])
def test_nothing_of_gradio_can_be_called(shown: TestClient, mount: str) -> None:
    """Its routes for uploads, files, events and logins are open to anybody where Gradio is mounted plainly."""
    for path in (
        "upload", "gradio_api/upload", "gradio_api/upload_progress", "gradio_api/queue/join", "gradio_api/queue/data",
        "gradio_api/run/predict", "gradio_api/call/predict", "gradio_api/api/predict", "gradio_api/info", "config",
        "gradio_api/file=/etc/passwd", "file=/etc/passwd", "gradio_api/proxy=http://169.254.169.254/", "monitoring",
        "gradio_api/mcp/sse", "gradio_api/startup-events", "gradio_api/component_server", "login", "logout",
        "login/huggingface", "login/callback", "token", "custom_component/a/b/c/d", "robots.txt/../config",
    ):  # fmt: skip
        for method in ("GET", "POST"):
            files = {"files": ("x.exe", b"MZ")} if method == "POST" else None
            answer = shown.request(method, f"{mount}/{path}", files=files, follow_redirects=False)
            assert answer.status_code in (404, 405), (method, mount, path)
            assert "root:" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2f..%2fetc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "....//....//etc/passwd",
        "..%5c..%5cetc",
        "%00",
        "a" * 5000,
    ],
)
def test_no_path_leads_out(shown: TestClient, path: str) -> None:
    for mount in ("", "/static", "/it", "/it/assets", "/en/static/fonts", "/api/v1/systems", "/api/v1/figures"):
        answer = shown.get(f"{mount}/{path}", follow_redirects=False)
        assert answer.status_code in (404, 422), (mount, path)
        assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "//evil.example/..", "/it//evil.example/"])
def test_no_redirect_leads_elsewhere(shown: TestClient, path: str) -> None:
    answer = shown.get(f"http://testserver{path}", follow_redirects=False)
    assert answer.headers.get("location", "http://testserver/").startswith(("http://testserver/", "/it/", "/en/"))


# --- zips


def overlapping() -> bytes:
    """Sixty names for one compressed megabyte of zeros (a bomb that needs no nesting)."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packed.compress(b"0" * 10**6) + packed.flush()
    crc = zlib.crc32(b"0" * 10**6)
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, len(data), 10**6, 1, 0) + b"a" + data
    entries = b""
    for n in range(60):
        name = f"{n:02}".encode()
        entries += (
            struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, crc, len(data), 10**6, 2, 0, 0, 0, 0, 0, 0)
            + name
        )
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 60, 60, len(entries), len(local), 0)
    return local + entries + end


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("manifest.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("manifest.json", b"[]")
    return buffer.getvalue()


def encrypted() -> bytes:
    content = bytearray(zipped({"manifest.json": b"{}"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def nested() -> bytes:
    return zipped({"manifest.json": zipped({"manifest.json": b"{}"}), "predictions/ita_med_qa_med_ita.jsonl": b"{}"})


def many_folders() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for n in range(30_000):
            opened.writestr(f"{n}/", b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "message"),
    [(overlapping, "refused"), (twice, "twice"), (encrypted, "encrypted"), (many_folders, "more than")],
)
def test_more_hostile_zips_are_refused_quickly(make: Any, message: str) -> None:
    content, started = make(), time.process_time()
    with pytest.raises(ItaMedError, match=message):
        submission.read_zip(content)
    assert time.process_time() - started < 1


def test_a_zip_in_a_zip_is_no_manifest() -> None:
    with pytest.raises(ItaMedError, match="is not JSON"):
        submission.parse(submission.read_zip(nested()))


# --- gold and addresses


def test_no_route_page_or_log_tells_gold_or_an_address(
    demo_board: bytes, tmp_path: Any, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "board.sqlite").write_bytes(demo_board)
    engine = store.connect(tmp_path / "board.sqlite")
    caplog.set_level(logging.DEBUG)
    with store.writing(engine) as connection:
        user = accounts.add_user(connection, "giulia.rossi")
    signed, client = token_of(engine, user), client_of(engine)
    all_right = demo.files(Claim("cheater", "4-shot"), "knn", 1.0)
    answers = [submit(client, all_right, signed)]
    number = answers[0].json()["id"]
    damaged = [files | {name: files[name][:-40]} for name in files if name.startswith("predictions")]
    answers += [submit(client, one, signed, route) for one in damaged for route in ("check", "submissions")]
    answers += [get(client, path, number) for path in ROUTES]
    for task in ("ner_e3c_all", "re_clinkart", "crf_dyspnea", "qa_med_ita", "arg_abstrct"):
        documents = f"/api/v1/compare/documents?systems={number},5&task=ita_med_{task}"
        answers += [client.get(documents), client.get(f"/en/compare?systems={number},5&task=ita_med_{task}")]
    ours = (Path(pages.__file__).parent).rglob("*.*")
    prose = " ".join(path.read_text("utf-8") for path in ours if path.suffix in (".py", ".md", ".html"))
    texts = {text for text in gold_texts() if text not in prose}
    assert len(texts) > 100
    for answer in answers:
        escaped = answer.text + json.dumps(answer.text, ensure_ascii=False)
        assert [text for text in texts if text in escaped] == [], answer.url
    assert [text for text in texts if text in caplog.text] == []
    kept = " ".join(str(row) for table in tables.metadata.sorted_tables for row in _rows(engine, table))
    for address in ("testclient", "127.0.0.1", "50000", "python-httpx"):
        assert address not in kept
    assert signed["Authorization"].split("_", 2)[2] not in kept + caplog.text
    with engine.begin() as connection:
        log = [(r.action, r.subject) for r in connection.execute(select(tables.audit)) if r.user_id == user.id]
    assert [action for action, _ in log] == ["add user", "issue token", "submit"]
    engine.dispose()


def _rows(engine: Engine, table: Any) -> list[Any]:
    columns = [c for c in table.c if c.name not in ("counts", "predictions")]
    with engine.begin() as connection:
        return list(connection.execute(select(*columns)))


# --- bodies that do not end


@pytest.fixture
def port(engine: Engine) -> Iterator[int]:
    """A real server whose readers of uploads are impatient."""
    app = make_app(engine, "embedded", Settings(check_processes=0, upload_seconds=0.5))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


PART = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n0123456789'


def begun(port: int, token: str, route: str = "submissions", kind: str = "application/zip") -> socket.socket:
    """A connection that has announced a megabyte and sent ten bytes."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = f"POST /api/v1/{route} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: {kind}\r\n"
    body = PART if kind.startswith("multipart") else "0123456789"
    connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n{body}".encode())
    return connection


@pytest.mark.parametrize("kind", ["application/zip", "multipart/form-data; boundary=b"])
def test_an_upload_that_does_not_go_on_is_ended(engine: Engine, user: accounts.User, port: int, kind: str) -> None:
    with begun(port, token_of(engine, user)["Authorization"], kind=kind) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
    assert rows(engine) == 0


def test_connections_that_break_leave_the_board_as_it_was(engine: Engine, user: accounts.User, port: int) -> None:
    token = token_of(engine, user)["Authorization"]
    for route in ("submissions", "check", "queue"):
        begun(port, token, route).close()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as other:
        other.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert other.recv(100).startswith(b"HTTP/1.1 200")
    assert rows(engine) == rows(engine, tables.uploads) == 0


# --- the OpenAPI document


def test_the_api_does_what_its_document_says_whatever_is_sent(demo_board: bytes, tmp_path: Path) -> None:
    """schemathesis: generated requests, valid and not; no server error, and answers of the stated form."""
    database = tmp_path / "board.sqlite"
    database.write_bytes(demo_board)
    engine = store.connect(database)
    with store.writing(engine) as connection:
        user = accounts.add_user(connection, "fuzzer")
    token = token_of(engine, user)["Authorization"].split()[1]
    engine.dispose()
    command = [sys.executable, str(Path(__file__).with_name("fuzz_api.py")), str(database), token]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert len(done.stdout.splitlines()) >= 13
