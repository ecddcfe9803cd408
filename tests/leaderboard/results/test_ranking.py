"""The board's order: means, partial rows, tie groups, intervals, normalisation, comparisons."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.demo import synthetic_scores
from ita_med.leaderboard.publish import table_files
from ita_med.leaderboard.results import compare_systems
from ita_med.leaderboard.results.ranking import Board, BoardRow, Ranking, normalise, tie_groups
from ita_med.leaderboard.submissions.submission import Claim, Submission
from ita_med.tasks.report.rows import COLUMNS
from ita_med.tasks.scoring import statistics

from ..conftest import BOTH

DATABASES = BOTH
TASKS = catalogue.tasks(ready=True)


def system(
    engine: Engine, user: accounts.User, name: str, skill: float, *, provenance: str = "re-scored",
    tasks: Any = TASKS, fingerprint: str = "", documents: int = 60, seed: int = 0,
) -> int:  # fmt: skip
    """A system whose counts were drawn; equal seeds draw alike."""
    rng = np.random.default_rng([seed, int(1000 * skill)])
    scored = [synthetic_scores(task, documents, skill, rng) for task in tasks]
    for scores in scored:
        scores.fingerprint = fingerprint or scores.fingerprint
    predictions = {scores.task: name.encode() for scores in scored}
    with store.writing(engine) as connection:
        added = Submission(Claim(name, "4-shot"), {}, predictions)
        return store.add_submission(connection, user.id, added, scored, provenance)[0]


@pytest.fixture
def board(engine: Engine, user: accounts.User) -> Board:
    system(engine, user, "middle", 0.6)
    system(engine, user, "best", 0.85)
    system(engine, user, "like-middle", 0.6, seed=4)
    system(engine, user, "half", 0.9, tasks=TASKS[:10])
    system(engine, user, "random", 0.2, provenance="floor")
    return Board(engine)


def named(ranking: Ranking) -> dict[str, BoardRow]:
    return {row.model: row for row in ranking.rows}


def test_the_order_and_its_groups(board: Board) -> None:
    found = board.ranking()
    assert [(row.model, row.kind, row.group) for row in found.rows][3:] == [
        ("half", "partial", None),
        ("random", "floor", None),
    ]
    assert [(row.model, row.group, row.anchor) for row in found.rows[:1]] == [("best", 1, True)]
    assert {row.model for row in found.rows[1:3]} == {"middle", "like-middle"}
    assert [(row.group, row.anchor, row.rank) for row in found.rows[1:3]] == [(2, True, (2, 3)), (2, False, (2, 3))]


def test_means_are_of_families_then_of_tasks(board: Board, engine: Engine) -> None:
    with engine.begin() as connection:
        entry = next(e for e in store.entries(connection) if e.claim.model == "best")
    by_family: dict[str, list[float]] = {}
    for task in TASKS:
        by_family.setdefault(task.family, []).append(100 * entry.scores[task.id])
    means = {family: sum(x) / len(x) for family, x in by_family.items()}
    row = named(board.ranking())["best"]
    assert row.families == pytest.approx(means, abs=1e-3)
    assert row.avg == pytest.approx(sum(means.values()) / len(means), abs=1e-3)
    assert row.interval is not None
    assert row.avg is not None
    assert row.interval[0] < row.avg < row.interval[1]
    assert set(row.family_intervals) == set(COLUMNS)


def test_id_and_ood_are_ranked_by_their_own_tasks(board: Board, engine: Engine, user: accounts.User) -> None:
    system(engine, user, "id-only", 0.99, tasks=[task for task in TASKS if task.distribution == "id"])
    assert named(board.ranking())["id-only"].kind == "partial"
    assert named(board.ranking())["id-only"].avg is None
    assert board.ranking("id").rows[0].model == "id-only"
    assert "id-only" not in named(board.ranking("ood"))
    assert len(board.ranking("ood").tasks) == 6


def test_rows_of_other_gold_data_are_never_ranked_with_the_rest(
    board: Board, engine: Engine, user: accounts.User
) -> None:
    before = [(row.model, row.group) for row in board.ranking().rows]
    number = system(engine, user, "elsewhere", 0.99, fingerprint="0ther", documents=90)
    rows = board.ranking().rows
    assert [(row.model, row.group) for row in rows[:-1]] == before
    assert (rows[-1].kind, rows[-1].avg, rows[-1].rank) == ("other data", None, None)
    with engine.begin() as connection, pytest.raises(ItaMedError, match="different gold data"):
        compare_systems.compare(connection, [1, number], synthetic=False)


def test_normalised_is_against_the_random_floor_and_never_clipped(
    board: Board, engine: Engine, user: accounts.User
) -> None:
    system(engine, user, "below", 0.1)
    raw, scaled = named(board.ranking()), named(board.ranking(scale="normalised"))
    for task, floor in board.ranking().floors.items():
        for name in raw:
            if task in raw[name].tasks:
                expected = 100 * (raw[name].tasks[task] / 100 - floor) / (1 - floor)
                assert scaled[name].tasks[task] == pytest.approx(expected, abs=2e-3)
    assert set(scaled["random"].tasks.values()) == {0.0}
    below, interval = scaled["below"].avg, scaled["below"].interval
    assert below is not None
    assert interval is not None
    assert interval[0] < below < interval[1] < 0


def test_without_a_random_floor_nothing_is_normalised(engine: Engine, user: accounts.User) -> None:
    system(engine, user, "random", 0.2)  # only a maintainer's floor is one
    with pytest.raises(ItaMedError, match="no random floor"):
        Board(engine).ranking(scale="normalised")


def test_a_view_is_computed_once_until_the_board_changes(board: Board, engine: Engine, user: accounts.User) -> None:
    first = board.ranking()
    assert board.ranking() is first
    system(engine, user, "new", 0.7)
    assert len(board.ranking().rows) == len(first.rows) + 1
    fresh = Board(engine).ranking()
    assert fresh == board.ranking(), "what was resampled before equals what is resampled now"


def test_a_state_is_shown_for_a_while_however_many_submissions_come(engine: Engine, user: accounts.User) -> None:
    paced = Board(engine, pace=3600.0)
    system(engine, user, "first", 0.6)
    assert len(paced.ranking().rows) == 1
    system(engine, user, "second", 0.7)
    second = paced.ranking()
    assert len(second.rows) == 2, "the first change is shown at once"
    system(engine, user, "third", 0.8)
    assert paced.ranking() is second
    assert paced.stamp() == second.stamp
    assert len(paced.ranking(fresh=True).rows) == 3, "who asks for the newest gets it"
    system(engine, user, "fourth", 0.9)
    assert len(paced.ranking().rows) == 3
    paced.pace = 0.0
    assert len(paced.ranking().rows) == 4


def test_a_reader_without_patience_gets_the_last_view_meanwhile(
    engine: Engine, user: accounts.User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty, go, begun = Board(engine, patience=0.0), Event(), Event()
    system(engine, user, "first", 0.6)
    first = hasty.ranking()
    compute = Board._compute

    def slow(*given: Any) -> Ranking:
        begun.set()
        assert go.wait(30)
        return compute(*given)

    monkeypatch.setattr(Board, "_compute", slow)
    system(engine, user, "second", 0.7)
    assert hasty.ranking() is hasty.ranking() is first
    assert begun.wait(30)
    system(engine, user, "third", 0.8)  # after the computation began: its view is older than this
    patient = Thread(target=lambda: seen.append(len(hasty.ranking().rows)))
    seen: list[int] = []
    hasty.patience = 30.0
    patient.start()
    go.set()
    patient.join(30)
    assert seen == [3]
    assert hasty.stamp() == hasty.ranking().stamp
    hasty.close()


def test_views_of_versions_that_nobody_has_do_not_pile_up(engine: Engine) -> None:
    board = Board(engine)
    for n in range(60):
        assert board.ranking(version=f"9.{n}").rows == []
    assert len(board._shown.views) <= len(board._asked) <= 24


def test_an_empty_board_is_no_error(engine: Engine) -> None:
    assert Board(engine).ranking().rows == []


def test_the_order_does_not_depend_on_when_systems_came(engine: Engine, user: accounts.User, tmp_path: Path) -> None:
    skills = {"a": 0.5, "b": 0.53, "c": 0.56, "d": 0.7}
    for name, skill in skills.items():
        system(engine, user, name, skill)
    other = store.connect(tmp_path / "other.sqlite")
    with store.writing(other) as connection:
        someone = accounts.add_user(connection, "someone")
    for name, skill in reversed(skills.items()):
        system(other, someone, name, skill)
    seen = [
        [(r.model, r.group, r.anchor, r.rank, r.interval) for r in Board(e).ranking().rows] for e in (engine, other)
    ]
    other.dispose()
    assert seen[0] == seen[1]


# --- tie groups, normalisation: properties


@st.composite
def resamples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    systems = draw(st.integers(1, 8))
    scores = np.array(draw(st.lists(st.integers(0, 20), min_size=systems, max_size=systems, unique=True))) / 20
    spread = draw(st.floats(0.001, 0.3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return scores, scores + rng.normal(0, spread, (200, systems))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(resamples(), st.randoms(use_true_random=False))
def test_tie_groups_keep_to_their_anchor(drawn: tuple[np.ndarray, np.ndarray], random: Any) -> None:
    scores, resampled = drawn
    order, groups = tie_groups(scores, resampled)
    assert [scores[n] for n in order] == sorted(scores, reverse=True)
    assert groups[0] == 1
    assert all(b - a in (0, 1) for a, b in pairwise(groups)), "contiguous and dense"
    anchors = {g: order[groups.index(g)] for g in groups}
    for n, g in zip(order, groups, strict=True):
        separated = statistics.bootstrap_p(resampled[:, anchors[g]] - resampled[:, n]) < 0.05
        assert n == anchors[g] or not separated
        if n == anchors[g] and g > 1:
            assert statistics.bootstrap_p(resampled[:, anchors[g - 1]] - resampled[:, n]) < 0.05
    shuffled = list(range(len(scores)))
    random.shuffle(shuffled)
    again, groups_again = tie_groups(scores[shuffled], resampled[:, shuffled])
    assert ([shuffled[n] for n in again], groups_again) == (order, groups)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.99))
def test_normalising_keeps_order_zero_and_one(a: float, b: float, floor: float) -> None:
    assert normalise(floor, floor) == 0
    assert normalise(1.0, floor) == pytest.approx(1)
    assert (normalise(a, floor) <= normalise(b, floor)) or a > b
    assert a >= floor or normalise(a, floor) <= 0


# --- comparisons and exports


def test_a_comparison_is_that_of_the_report(board: Board, engine: Engine) -> None:
    ids = [named(board.ranking())[name].id for name in ("best", "middle", "like-middle")]
    with engine.begin() as connection:
        found = compare_systems.compare(connection, ids, synthetic=False)
    first, _, last = found.pairs["all"]
    assert (first.first, first.second, len(first.tasks), first.wins + first.ties + first.losses) == (0, 1, 20, 20)
    assert first.low is not None
    assert first.p_holm is not None
    assert last.p_holm is not None
    rows = named(board.ranking())
    assert first.difference == pytest.approx((rows["best"].avg or 0) - (rows["middle"].avg or 0), abs=1e-3)
    assert first.low > 0
    assert first.p_holm < 0.05 < last.p_holm
    assert first.wilcoxon_holm >= first.wilcoxon
    assert len(found.tasks) == 40
    assert {cell.outcome for cell in found.tasks} <= {"win", "tie", "loss"}
    assert sum(c.outcome == "loss" for c in found.tasks if c.system == ids[1]) == first.wins


def test_only_shared_tasks_are_compared(board: Board, engine: Engine) -> None:
    rows = named(board.ranking())
    with engine.begin() as connection:
        found = compare_systems.compare(connection, [rows["half"].id, rows["best"].id], synthetic=False)
    assert len(found.pairs["all"][0].tasks) == len(found.pairs["all"][0].not_compared) == 10


@pytest.mark.parametrize("ids", [[1], [1, 1], [1, 99], [1, 2, 3, 4, 5, 6, 7]])
def test_odd_comparisons_are_refused(board: Board, engine: Engine, ids: list[int]) -> None:
    with engine.begin() as connection, pytest.raises(ItaMedError):
        compare_systems.compare(connection, ids, synthetic=False)


def test_exports_name_what_is_not_ranked_and_escape_names(
    board: Board, engine: Engine, user: accounts.User, tmp_path: Path
) -> None:
    system(engine, user, '=HYPERLINK("http://x")', 0.4)
    system(engine, user, "<script>alert(1)</script>", 0.3)
    written = {
        path.suffix: path.read_text("utf-8") for path in table_files.write(board, tmp_path / "out", synthetic=False)
    }
    assert written.pop(".bib").startswith("@misc{itamed_leaderboard")
    assert set(written) == {".csv", ".json", ".tex", ".md", ".html"}
    for text in written.values():
        assert "like-middle" in text
        assert "medgemma-27b" in text or text in (written[".csv"], written[".json"])
    assert "<script>alert" not in written[".html"] + written[".md"]
    assert "'=HYPERLINK" in written[".csv"]
    assert "partial, not ranked" in written[".md"]
    assert r"\textless{}script" in written[".tex"]
