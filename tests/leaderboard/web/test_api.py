"""The API: reading, submitting, the queue; and what hostile input gets."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter
from sqlalchemy import Engine, func, select

from ita_med import catalogue
from ita_med.leaderboard import demo
from ita_med.leaderboard.database import accounts, store, tables
from ita_med.leaderboard.results.compare_documents import DocumentsCompared
from ita_med.leaderboard.results.compare_systems import SystemsCompared
from ita_med.leaderboard.submissions.check import gold
from ita_med.leaderboard.submissions.submission import Claim
from ita_med.leaderboard.web import api_compare, api_read, responses, uploads, views
from ita_med.leaderboard.web.rate_limit import RateLimit
from ita_med.leaderboard.web.settings import Settings

from ..conftest import BOTH, TASKS, Files, change_manifest, client_of, url_of, zipped

FIRST = f"predictions/{TASKS[0]}.jsonl"
ZIP = {"Content-Type": "application/zip"}
DATABASES = BOTH


def token_of(engine: Engine, user: accounts.User) -> dict[str, str]:
    with store.writing(engine) as connection:
        return {"Authorization": f"Bearer {accounts.issue_token(connection, user)}"}


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cheap_hashes")]


@pytest.fixture
def client(engine: Engine) -> TestClient:
    return client_of(engine)


@pytest.fixture
def signed(engine: Engine, user: accounts.User) -> dict[str, str]:
    return token_of(engine, user)


@pytest.fixture
def maintainer(engine: Engine) -> dict[str, str]:
    with store.writing(engine) as connection:
        found = accounts.add_user(connection, "maintainer", "maintainer")
    return token_of(engine, found)


def submit(client: Any, files: Files, headers: dict[str, str], route: str = "submissions") -> Any:
    return client.post(f"/api/v1/{route}", content=zipped(files), headers=ZIP | headers)


def rows(engine: Engine, table: Any = tables.submissions) -> int:
    with engine.begin() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


# --- submitting


def test_a_submission_is_scored_kept_and_shown(
    client: TestClient, engine: Engine, files: Files, signed: dict[str, str]
) -> None:
    answer = submit(client, files, signed)
    assert answer.status_code == 201, answer.text
    number = answer.json()["id"]
    assert answer.headers["location"] == f"/api/v1/systems/{number}"
    assert set(answer.json()["scores"]) == set(TASKS)
    shown = client.get(answer.headers["location"]).json()
    assert shown["row"]["tasks"] == answer.json()["scores"]
    assert (shown["row"]["kind"], shown["row"]["user"], shown["history"]) == ("partial", "giulia.rossi", [number])
    assert shown["manifest"]["run"]["model"] == "baseline"
    assert shown["data"] == {task: gold(task, "embedded").provenance for task in TASKS}


def test_a_form_with_a_file_is_the_same(client: TestClient, files: Files, signed: dict[str, str]) -> None:
    first = submit(client, files, signed).json()
    answer = client.post("/api/v1/submissions", files={"file": ("run.zip", zipped(files))}, headers=signed)
    assert (answer.status_code, answer.json()) == (200, first | {"duplicate": True})


def test_loose_files_of_a_form_are_a_run(client: TestClient, files: Files, signed: dict[str, str]) -> None:
    """Predictions may come with their folder or without it; what is wrong with them is told as for a zip."""

    def check(*parts: tuple[str, bytes]) -> Any:
        return client.post("/api/v1/check", files=[("file", part) for part in parts], headers=signed)

    loose = [(name.rpartition("/")[2], content) for name, content in files.items()]
    for parts in (loose, [(f"run/{name}", content) for name, content in files.items()]):
        answer = check(*parts)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()["scores"]) == set(TASKS)
    for bad, message in (
        ([*loose, ("../evil.jsonl", b"")], "leads out of it"), ([*loose, loose[0]], "twice"),
        ([("run.zip", b"PK no zip")], "no readable zip"), ([("x.exe", b"MZ")], "does not belong"),
    ):  # fmt: skip
        answer = check(*bad)
        assert (answer.status_code, message in answer.json()["detail"]) == (422, True), answer.text
    many = [(f"{n}.jsonl", b"") for n in range(70)]
    assert check(*many).status_code == 415


def test_a_dry_run_keeps_nothing(client: TestClient, engine: Engine, files: Files, signed: dict[str, str]) -> None:
    answer = submit(client, files, signed, "check")
    assert answer.status_code == 200
    assert set(answer.json()["scores"]) == set(TASKS)
    assert rows(engine) == rows(engine, tables.uploads) == 0


def test_what_is_wrong_is_told_line_by_line_and_costs_no_quota(
    engine: Engine, files: Files, signed: dict[str, str]
) -> None:
    client = client_of(engine, Settings(check_processes=0, quota=1, user_per_minute=100))
    cut = files | {FIRST: b"\n".join(files[FIRST].splitlines()[1:]) + b"\n{"}
    for _ in range(3):
        answer = submit(client, cut, signed)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert any("is not JSON" in problem for problem in answer.json()["problems"])
        assert any("1 of " in problem for problem in answer.json()["problems"])
    assert submit(client, files, signed).status_code == 201
    assert submit(client, files, signed).status_code == 200, "a duplicate needs no quota"
    refused = submit(client, change_manifest(files, revision="2"), signed)
    assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
    assert rows(engine) == rows(engine, tables.uploads) == 1


def test_concurrent_duplicates_are_one_row(engine: Engine, files: Files, signed: dict[str, str]) -> None:
    client = client_of(engine)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: submit(client, files, signed), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == rows(engine) == 1


def test_the_quota_holds_when_a_user_sends_all_at_once(engine: Engine, files: Files, signed: dict[str, str]) -> None:
    client = client_of(engine, Settings(check_processes=0, quota=2, user_per_minute=100))
    many = [change_manifest(files, revision=str(n)) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: submit(client, one, signed), many))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 429, 429, 429, 429]


def test_only_the_owner_or_a_maintainer_withdraws(
    client: TestClient, engine: Engine, files: Files, signed: dict[str, str], maintainer: dict[str, str]
) -> None:
    with store.writing(engine) as connection:
        other = accounts.add_user(connection, "someone.else")
    first = submit(client, files, signed).json()["id"]
    second = submit(client, change_manifest(files, revision="2"), signed).json()["id"]
    assert client.post(f"/api/v1/submissions/{first}/withdraw").status_code == 401
    assert client.post(f"/api/v1/submissions/{first}/withdraw", headers=token_of(engine, other)).status_code == 403
    assert client.post(f"/api/v1/submissions/{first}/withdraw", headers=signed).status_code == 200
    assert client.post(f"/api/v1/submissions/{first}/withdraw", headers=signed).status_code == 404
    assert client.post(f"/api/v1/submissions/{second}/withdraw", headers=maintainer).status_code == 200
    assert client.get("/api/v1/ranking").json()["rows"] == []
    assert client.get(f"/api/v1/systems/{first}").status_code == 404


def test_a_floor_is_stated_by_maintainers_only(
    client: TestClient, files: Files, signed: dict[str, str], maintainer: dict[str, str]
) -> None:
    where = "submissions?provenance=floor"
    assert submit(client, files, signed, where).status_code == 403
    assert submit(client, files, maintainer, where).status_code == 201
    assert client.get("/api/v1/ranking").json()["rows"][0]["kind"] == "floor"


# --- reading


READ = (
    "/health", "/metrics", "/api/v1/ranking", "/api/v1/ranking?part=id", "/api/v1/ranking?part=ood&scale=normalised",
    "/api/v1/systems/4", "/api/v1/compare?systems=4,5,6",
    "/api/v1/compare/documents?systems=4,5&task=ita_med_qa_med_ita", "/api/v1/figures/speed", "/api/v1/tasks",
    "/api/v1/reference", "/api/v1/queue",
    "/api/v1/openapi.json", "/api/v1/systems/999", "/api/v1/ranking?part=nix", "/nowhere",
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/health", api_read.Health),
        ("/api/v1/ranking", api_read.Ranking),
        ("/api/v1/systems/4", views.System),
        ("/api/v1/compare?systems=4,5", SystemsCompared),
        ("/api/v1/compare/documents?systems=4,5&task=ita_med_ner_e3c_disorder", DocumentsCompared),
        ("/api/v1/figures/families", api_compare.PlotlyFigure),
        ("/api/v1/tasks", list[api_read.TaskInfo]),
        ("/api/v1/reference", api_read.Reference),
        ("/api/v1/queue", list[api_read.Job]),
        ("/api/v1/systems/999", responses.ProblemBody),
    ],
)
def test_answers_are_as_the_openapi_document_says(shown: TestClient, path: str, kind: Any) -> None:
    answer = shown.get(path)
    TypeAdapter(kind).validate_json(answer.content)
    named = re.sub(r"systems/\d+", "systems/{id}", path.split("?")[0]).replace("figures/families", "figures/{name}")
    told = shown.get("/api/v1/openapi.json").json()["paths"][named]
    stated = told["get"]["responses"][str(answer.status_code)]["content"]
    assert answer.headers["content-type"].split(";")[0] in stated
    if path == "/api/v1/ranking":
        assert set(answer.json()["rows"][0]) == {f.name for f in views.BoardRow.__dataclass_fields__.values()}


def test_every_answer_carries_the_security_headers(shown: TestClient) -> None:
    for path in READ:
        answer = shown.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["x-frame-options"] == "DENY", path
        assert "access-control-allow-origin" not in answer.headers, path
        assert "set-cookie" not in answer.headers, path


@pytest.mark.parametrize("path", ["/api/v1/ranking", "/api/v1/systems/4", "/api/v1/compare?systems=4,5"])
def test_what_the_reader_has_is_not_sent_again(shown: TestClient, path: str) -> None:
    first = shown.get(path)
    again = shown.get(path, headers={"If-None-Match": f'"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert shown.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_a_new_submission_changes_the_etag(client: TestClient, files: Files, signed: dict[str, str]) -> None:
    before = client.get("/api/v1/ranking").headers["etag"]
    submit(client, files, signed)
    assert client.get("/api/v1/ranking", headers={"If-None-Match": before}).status_code == 200


def test_answers_are_compressed_for_those_who_can_read_it(shown: TestClient) -> None:
    packed = shown.get("/api/v1/ranking", headers={"Accept-Encoding": "gzip"})
    plain = shown.get("/api/v1/ranking", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert "gzip" in shown.get("/api/v1/openapi.json").headers["content-encoding"]


def test_floors_partial_and_reference_rows_stand_apart(shown: TestClient) -> None:
    found = shown.get("/api/v1/ranking").json()
    assert [row["kind"] for row in found["rows"]] == ["ranked"] * 5 + ["partial"] + ["floor"] * 3
    assert all((row["group"] is None) == (row["kind"] != "ranked") for row in found["rows"])
    assert found["synthetic"] is True
    assert "medgemma" not in json.dumps(found)
    assert shown.get("/api/v1/reference").json()["rows"][0]["model"] == "medgemma-27b"


def measured(client: TestClient) -> dict[tuple[str, ...], float]:
    """Name and label values -> value, as Prometheus' own parser reads them."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return {(s.name, *(s.labels[name] for name in sorted(s.labels))): s.value for s in samples}


def test_metrics_are_prometheus_text(shown: TestClient) -> None:
    shown.get("/api/v1/systems/4")
    found = measured(shown)
    names = {key[0] for key in found}
    times = {f"itamed_request_seconds_{part}" for part in ("bucket", "sum", "count")}
    assert names == {"itamed_submissions", "itamed_requests_total"} | times, "nothing of the process, of no other app"
    assert found["itamed_submissions",] == 9
    assert found["itamed_requests_total", "GET", "/api/v1/systems/{id}", "200"] >= 1
    buckets = [n for key, n in found.items() if key[::2] == ("itamed_request_seconds_bucket", "/api/v1/systems/{id}")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == found["itamed_request_seconds_bucket", "+Inf", "/api/v1/systems/{id}"]


def test_each_app_counts_its_own(engine: Engine, user: accounts.User) -> None:
    one, two = client_of(engine), client_of(engine)
    for _ in range(3):
        one.get("/health")
    assert measured(one)["itamed_requests_total", "GET", "/health", "200"] == 3
    assert not [key for key in measured(two) if "/health" in key]
    two.post("/api/v1/queue", json={"model": "org/name", "method": "4-shot"}, headers=token_of(engine, user))
    assert measured(one)["itamed_jobs", "queued"] == measured(two)["itamed_jobs", "queued"] == 1, "of the database"


def gold_texts() -> set[str]:
    """Long enough to be nobody's chance, from the gold answers and texts of all tasks with mentions."""
    found = set()
    for task in ("ita_med_ner_e3c_all", "ita_med_ner_pharmaer", "ita_med_re_clinkart", "ita_med_crf_dyspnea"):
        data = gold(task, "embedded")
        for example in data.examples:
            answer = data.gold(example)
            found |= {entity["text"] for entity in answer.get("entities", [])}
            found |= {end for relation in answer.get("relations", []) for end in (relation["head"], relation["tail"])}
            found |= {f'"{name}": "{value}"' for name, value in answer.get("items", {}).items()}
            found.add(example.text[:60])  # type: ignore[union-attr]
    public = " ".join(task.title for task in catalogue.tasks()).lower()
    return {text for text in found if len(text) >= 6 and text.lower() not in public}


def test_no_answer_holds_gold(shown: TestClient, files: Files) -> None:
    texts = gold_texts()
    assert len(texts) > 100
    engine = shown.app.state.shared.engine  # type: ignore[attr-defined]
    with store.writing(engine) as connection:
        user = accounts.add_user(connection, f"user-{time.time_ns()}")
    signed = token_of(engine, user)
    all_right = demo.files(Claim("cheater", "4-shot"), "knn", 1.0)
    answers = [shown.get(path) for path in READ]
    answers += [submit(shown, all_right, signed, "check"), submit(shown, files | {FIRST: b"{}\n"}, signed, "check")]
    answers += [submit(shown, {"manifest.json": files["manifest.json"], FIRST: b""}, signed)]
    for answer in answers:
        told = [text for text in texts if text in answer.text or json.dumps(text)[1:-1] in answer.text]
        assert told == [], answer.url


# --- hostile input


@pytest.mark.parametrize(
    "header",
    [
        "", "Bearer", "Bearer ", "Bearer null", "Basic Z2l1bGlhOng=", "Bearer itamed_000000000000_" + "A" * 43,
        "Bearer itamed_" + "9" * 5000, "Bearer ' OR '1'='1", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "Bearer \u00e9\u00e8", "bearer\tx",
    ],
)  # fmt: skip
def test_forged_tokens_open_nothing(client: TestClient, engine: Engine, files: Files, header: str) -> None:
    for route in ("submissions", "check", "queue", "submissions/1/withdraw"):
        sent = [(b"content-type", b"application/zip"), (b"authorization", header.encode("utf-8"))]
        answer = client.post(f"/api/v1/{route}", content=zipped(files), headers=sent)
        assert answer.status_code == 401, (route, answer.text)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.post("/api/v1/check", cookies={"session": "admin", "token": "x"}).status_code == 401
    assert rows(engine, tables.audit) == 0


INJECTIONS = [
    "' OR 1=1 --",
    "1; DROP TABLE submissions",
    "1 UNION SELECT hash FROM tokens",
    "%00",
    "../../etc/passwd",
    "1e9",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_queries_are_numbers_and_words(shown: TestClient, text: str) -> None:
    for path in ("systems/{}", "compare?systems={}", "ranking?part={}", "ranking?version={}"):
        answer = shown.get("/api/v1/" + path.format(httpx.QueryParams({"x": text})["x"]).replace("#", "%23"))
        assert answer.status_code in (404, 422), (path, answer.text)
        assert "hash" not in answer.text.replace(text, "")
    assert shown.get("/api/v1/ranking").json()["rows"]
    assert shown.get("/api/v1/systems/99999999999999999999999").status_code == 422
    assert shown.get("/api/v1/ranking?version=9.9").json()["rows"] == []


SCRIPTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "javascript:alert(1)",
    "'; DROP TABLE users;--",
]


@pytest.mark.parametrize("text", SCRIPTS)
def test_hostile_names_are_data(client: TestClient, files: Files, signed: dict[str, str], text: str) -> None:
    hostile = change_manifest(
        files, model=text, method=text, revision=text, adapter=text, command=text, versions={text: text},
        declared={"licence": text},
    )  # fmt: skip
    answer = submit(client, hostile, signed)
    assert answer.status_code == 201, answer.text
    shown = client.get(f"/api/v1/systems/{answer.json()['id']}")
    assert shown.headers["content-type"] == "application/json"
    row = shown.json()["row"]
    assert {row[name] for name in ("model", "method", "revision", "adapter", "licence")} == {text}
    assert shown.json()["manifest"]["versions"] == {text: text}
    assert client.get("/api/v1/ranking").headers["x-content-type-options"] == "nosniff"


def test_a_manifest_is_shown_in_part_and_cut(client: TestClient, files: Files, signed: dict[str, str]) -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = {"x": deep}
    odd = change_manifest(
        files, command="y" * 10_000, versions=deep, secret="z", hardware=[2**70] * 500, run={"limit": None}
    )
    answer = submit(client, odd, signed)
    assert answer.status_code == 201, answer.text
    shown = client.get(f"/api/v1/systems/{answer.json()['id']}").json()["manifest"]
    assert "secret" not in shown
    assert len(shown["command"]) == views.MAX_SHOWN
    assert shown["hardware"] == [None] * 50
    assert shown["versions"] == {"x": {"x": {"x": None}}}


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("manifest.json", b"0" * 50_000_000)
    return buffer.getvalue()


def traversal() -> bytes:
    return zipped({"../../../tmp/evil": b"x"})


def part(name: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n'.encode()


FORM = "multipart/form-data; boundary=b"
BODIES: dict[str, tuple[bytes, str, int]] = {
    "bomb": (bomb(), "application/zip", 422),
    "traversal": (traversal(), "application/zip", 422),
    "no zip": (b"hello", "application/zip", 422),
    "empty": (b"", "application/zip", 422),
    "too large": (b"0" * 300_001, "application/zip", 413),
    "json": (b"{}", "application/json", 415),
    "no type": (b"{}", "", 415),
    "pickle": (b"\x80\x04\x95", "application/x-pickle", 415),
    "form without boundary": (b"x", "multipart/form-data", 415),
    "form that is none": (b"x" * 99, FORM, 415),
    "form too large": (part("file") + b"0" * 320_000, FORM, 413),
    "form with another field": (part("x") + b"0\r\n--b--\r\n", FORM, 415),
}  # fmt: skip


@pytest.mark.parametrize(("content", "kind", "status"), BODIES.values(), ids=BODIES)
def test_hostile_uploads_are_refused(
    client: TestClient, engine: Engine, signed: dict[str, str], content: bytes, kind: str, status: int
) -> None:
    for route in ("submissions", "check"):
        answer = client.post(f"/api/v1/{route}", content=content, headers=signed | {"Content-Type": kind})
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text
    assert rows(engine) == 0
    assert not Path("/tmp/evil").exists()


def test_a_body_is_cut_off_while_it_streams(client: TestClient, signed: dict[str, str]) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 50_000_000:
            sent += 50_000
            yield b"0" * 50_000

    answer = client.post("/api/v1/check", content=endless(), headers=ZIP | signed)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"null", b'{"model": 1}', b'{"model": "a/b", "extra": 1}', b'{"model": "a/b", "model": "c/d"}',
        b'{"model": NaN}', b"[" * 16_000, b'{"model": "a/b", "method": "x"}', b'{"model": "a/b;id"}', b"\xff\xfe",
        b'{"model": "http://169.254.169.254/"}', b'{"model": "\\ud800"}',
    ],
)  # fmt: skip
def test_hostile_jobs_are_refused(client: TestClient, engine: Engine, signed: dict[str, str], content: bytes) -> None:
    answer = client.post("/api/v1/queue", content=content, headers=signed)
    assert answer.status_code == 422, answer.text
    assert rows(engine, tables.jobs) == 0


def test_a_job_is_queued_once(client: TestClient, signed: dict[str, str]) -> None:
    body = {"model": "Qwen/Qwen3-1.7B", "method": "4-shot + CD"}
    first = client.post("/api/v1/queue", json=body, headers=signed)
    assert (first.status_code, first.json()["new"]) == (201, True)
    assert client.post("/api/v1/queue", json=body, headers=signed).status_code == 200
    assert client.post("/api/v1/queue", content=b" " * 20_000, headers=signed).status_code == 413
    (job,) = client.get("/api/v1/queue").json()
    assert (job["state"], job["position"], job["model"]) == ("queued", 1, "Qwen/Qwen3-1.7B")
    assert "worker" not in job


def test_rates_are_limited_by_user_and_by_address(engine: Engine, signed: dict[str, str]) -> None:
    by_user = client_of(engine, Settings(check_processes=0, user_per_minute=3))
    codes = [by_user.post("/api/v1/check", content=b"x", headers=ZIP | signed).status_code for _ in range(4)]
    assert codes == [422, 422, 422, 429]
    by_address = client_of(engine, Settings(check_processes=0, address_per_minute=2))
    codes = [by_address.post("/api/v1/check", content=b"x").status_code for _ in range(3)]
    assert codes == [401, 401, 429]
    assert by_address.get("/api/v1/ranking").status_code == 200


def test_a_bucket_fills_again_and_keeps_no_name() -> None:
    limit = RateLimit(2)
    assert [limit.wait("203.0.113.7", 0.0) for _ in range(3)] == [0, 0, 30]
    assert limit.wait("203.0.113.8", 0.0) == 0
    assert limit.wait("203.0.113.7", 29.0) == 1
    assert limit.wait("203.0.113.7", 31.0) == 0
    assert "203.0.113" not in repr(vars(limit))


def test_an_inner_error_tells_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, signed: dict[str, str], files: Files
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(uploads, "check_zip", broken)
    answer = submit(client, files, signed)
    assert (answer.status_code, answer.json()["title"]) == (500, "Internal error")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_check_that_takes_too_long_is_killed(files: Files) -> None:
    checkers = uploads.Checkers("embedded", 1, 0.0)
    assert "longer than" in checkers.run(zipped(files)).problems[0]
    checkers.seconds = 60
    assert checkers.run(zipped(files)).accepted
    assert checkers.run(b"x").problems
    checkers.close()


def test_a_checker_that_dies_or_stands_still_costs_one_upload(files: Files) -> None:
    """Whatever it was doing: waiting, or reading its upload, which is more than fits into a pipe."""
    checkers = uploads.Checkers("embedded", 1, 60)
    checkers.warm()

    def pid() -> int:
        (checker,) = multiprocessing.active_children()
        assert checker.pid is not None
        return checker.pid

    assert checkers.run(zipped(files)).accepted
    os.kill(pid(), signal.SIGKILL)
    multiprocessing.active_children()[0].join()
    assert "could not be checked" in checkers.run(zipped(files)).problems[0]
    assert checkers.run(zipped(files)).accepted
    os.kill(pid(), signal.SIGSTOP)
    checkers.seconds = 0.5
    assert "longer than" in checkers.run(b"x" * 2_000_000).problems[0]
    checkers.seconds = 60
    assert checkers.run(zipped(files)).accepted
    checkers.close()
    assert not multiprocessing.active_children()


def test_checkers_end_with_a_server_that_is_killed() -> None:
    code = """
import os, signal
from ita_med.leaderboard.web.uploads import Checkers
checkers = Checkers("embedded", 1, 60)
print(checkers.run(b"x").problems, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    # the checker has inherited the output: it is read to its end once both are gone
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "no readable zip file" in done.stdout) == (-signal.SIGKILL, True), done.stderr


# --- a real server


class Server:
    def __init__(self, engine: Engine) -> None:
        command = [sys.executable, "-m", "ita_med.cli", "leaderboard", "serve", "--port", "0", "--checkers", "0"]
        command += ["--db", url_of(engine), "--mirror", "embedded", "--plain"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = re.findall(r"http://\S+[^/\s]", self.process.stdout.readline())[0].rstrip("/")

    def stop(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=20)


def test_a_real_server_serves_and_stops(engine: Engine, files: Files, signed: dict[str, str]) -> None:
    server = Server(engine)
    try:
        with httpx.Client(base_url=server.url) as real:
            assert real.get("/health").json()["status"] == "ok"
            assert "server" not in real.get("/health").headers
            assert submit(real, files, signed).status_code == 201
            assert real.get("/api/v1/systems/1").json()["row"]["id"] == 1  # the ranking may still be the one before
    finally:
        server.stop(signal.SIGTERM)
