"""Where two systems differ by document: right numbers, and nothing that gives an answer away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import store
from ita_med.leaderboard.results import compare_documents
from ita_med.leaderboard.submissions.check import gold
from ita_med.leaderboard.web.settings import Settings
from ita_med.schema import ChoiceExample
from ita_med.tasks.scoring.metrics import Array

OPEN, FORMS, CLOSED, QUESTIONS = "ner_e3c_disorder", "crf_e3c", "crf_ecream", "qa_med_ita"
SYSTEMS = [4, 5]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, demo_board: bytes) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("documents") / "board.sqlite"
    path.write_bytes(demo_board)
    opened = store.connect(path)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def client(board: Engine) -> TestClient:
    return TestClient(make_app(board, "embedded", Settings(check_processes=0, address_per_minute=1000)))


def differences(board: Engine, task: str, ids: list[int] = SYSTEMS, mirror: str = "embedded", most: int = 1000) -> Any:
    with board.begin() as connection:
        return compare_documents.differences(connection, ids, task, mirror, synthetic=True, most=most)


def counted(board: Engine, task: str) -> tuple[Array, list[str]]:
    data = gold(f"ita_med_{task}", "embedded")
    with board.begin() as connection:
        counts = store.counts(connection, f"ita_med_{task}", SYSTEMS)
    return np.stack([data.headline(counts[n]) for n in SYSTEMS]), sorted(set(data.clusters))


def test_documents_of_open_data_have_their_names_and_counts(board: Engine) -> None:
    found = differences(board, OPEN)
    parts, names = counted(board, OPEN)
    assert found.shown == "ids"
    assert {d.document for d in found.documents} == {
        name for n, name in enumerate(names) if (parts[0, n] != parts[1, n]).any()
    }
    for d in found.documents:
        for twice, total, right, wrong in zip(
            *parts[:, names.index(d.document)].T,
            (d.first_right, d.second_right),
            (d.first_wrong, d.second_wrong),
            strict=True,
        ):
            assert (right, wrong) == (twice / 2, total - twice)
    sizes = [abs(d.share) for d in found.documents]
    assert sizes == sorted(sizes, reverse=True)
    assert found.first_better + found.equal + found.second_better == len(names)
    assert len(differences(board, OPEN, most=2).documents) == 2


def test_a_share_is_what_the_difference_loses_without_the_document() -> None:
    parts = np.array([[[2.0, 4], [0, 6], [8, 8]], [[4.0, 4], [2, 6], [0, 8]]])
    whole = 10 / 18 - 6 / 18
    without_last = 2 / 10 - 6 / 10
    assert compare_documents.shares(parts)[2] == pytest.approx(100 * (whole - without_last))


def test_turned_round_it_is_the_same(board: Engine) -> None:
    one, other = differences(board, FORMS), differences(board, FORMS, SYSTEMS[::-1])
    assert (one.first_better, one.first) == (other.second_better, other.second)
    assert {(d.document, d.share) for d in one.documents} == {(d.document, -d.share) for d in other.documents}


def test_questions_have_totals_only(board: Engine) -> None:
    """An answer known to be right is the key."""
    found = differences(board, QUESTIONS)
    assert (found.shown, found.documents) == ("totals", [])
    assert found.first_better > 0


def test_documents_of_closed_data_cannot_be_told_apart(board: Engine) -> None:
    found = differences(board, CLOSED)
    assert found.shown == "numbers"
    assert [d.document for d in found.documents] == [str(n + 1) for n in range(len(found.documents))]
    assert all(d.first_score % 10 == d.second_score % 10 == 0 for d in found.documents)
    assert all(d.share is d.first_right is None for d in found.documents)
    parts, _ = counted(board, CLOSED)
    task = catalogue.task(CLOSED)
    blank = compare_documents.DocumentsCompared([4, 5], [], task.id, 0, 0, 0, 0, 0, "totals")
    turned = compare_documents._compared(parts[:, ::-1], blank, task, None, 1000)
    assert turned.documents == found.documents, "the order of the data must not show"


def test_without_the_gold_data_there_are_no_names(board: Engine, tmp_path: object) -> None:
    assert differences(board, OPEN, mirror=str(tmp_path)).shown == "numbers"


@pytest.mark.parametrize(
    ("ids", "task", "message"),
    [
        ([4, 4], OPEN, "two different"), ([4, 999], OPEN, "no submission 999"), ([4, 5], "nix", "no task"),
        ([4, 9], OPEN, "did not run"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_line(board: Engine, ids: list[int], task: str, message: str) -> None:
    with pytest.raises(ItaMedError, match=message):
        differences(board, task, ids)


def test_the_route_answers_and_holds_no_gold(client: TestClient) -> None:
    for task in (t.id for t in catalogue.tasks(ready=True)):
        answer = client.get(f"/api/v1/compare/documents?systems=4,5&task={task}")
        assert answer.status_code == 200, answer.text
        body = answer.text
        data = gold(task, "embedded")
        for example in data.examples:
            shown = example.question if isinstance(example, ChoiceExample) else example.text
            secret = [shown, *(s for s in _strings(data.gold(example)) if len(s) > 3)]
            assert not [s for s in secret if s in body], task
        assert set(orjson.loads(body)["documents"][0] if orjson.loads(body)["documents"] else {}) <= {
            "document", "first_score", "second_score", "first_right", "first_wrong", "second_right", "second_wrong",
            "share",
        }  # fmt: skip


def _strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [s for v in value.values() for s in _strings(v)]
        case list() | tuple():
            return [s for v in value for s in _strings(v)]
    return []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("systems=4,5&task=nix", 409), ("systems=4&task=ner_e3c_disorder", 422), ("systems=4,5,6&task=x", 422),
        ("systems=4,999&task=ner_e3c_disorder", 409), ("systems=4,5&task=../etc", 422), ("systems=4,5", 422),
    ],
)  # fmt: skip
def test_wrong_questions(client: TestClient, query: str, status: int) -> None:
    answer = client.get(f"/api/v1/compare/documents?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_figures_are_served(client: TestClient) -> None:
    found = client.get("/api/v1/figures/ranks?language=en").json()
    assert set(found) == {"data", "layout", "config"}
    assert client.get("/api/v1/figures/nix").status_code == 422
