"""The ranking of a full board: 200 systems × 20 tasks, from the database and again after one more submission.

    OMP_NUM_THREADS=1 python benchmarks/leaderboard.py

Synthetic counts with the document numbers of the real tasks (10 to 10,000). Cold: a fresh process reads and
resamples everything. One more: the 201st system is added. Cached: the same view again. The peer is the cold run.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from ita_med import catalogue
from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.demo import synthetic_scores
from ita_med.leaderboard.results.compare_systems import compare
from ita_med.leaderboard.results.ranking import Board
from ita_med.leaderboard.submissions.submission import Claim, Submission

SYSTEMS = 200
DOCUMENTS = {
    "ner_e3c_disorder": 50, "ner_e3c_all": 50, "ner_drugtemist": 100, "ner_pharmaer": 10, "ner_psynit": 100,
    "re_clinkart": 50, "re_e3c_temporal": 50, "crf_dyspnea": 80, "crf_e3c": 50, "qa_medexpqa": 125,
    "qa_medmcqa": 4183, "qa_imb": 2586, "arg_abstrct": 1251, "arg_casimedicos": 117, "ner_cardioccc": 250,
    "re_e3c_projected": 400, "crf_ecream": 150, "qa_med_ita": 10000, "arg_abstrct_glaucoma": 1247,
    "arg_abstrct_mixed": 1147,
}  # fmt: skip


def main() -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        engine = store.connect(Path(folder) / "board.sqlite")
        with store.writing(engine) as connection:
            user = accounts.add_user(connection, "benchmark")
            for n in range(SYSTEMS):
                add(connection, user.id, n, rng)
        board = Board(engine)
        _timed("cold", lambda: board.ranking())
        with store.writing(engine) as connection:
            add(connection, user.id, SYSTEMS, rng)
        _timed("one more submission", lambda: board.ranking())
        _timed("another view (OOD)", lambda: board.ranking("ood"))
        _timed("cached", lambda: board.ranking())
        with engine.begin() as connection:
            _timed("compare two systems", lambda: compare(connection, [1, 2], synthetic=False))


def add(connection, user_id, n, rng):  # type: ignore[no-untyped-def]
    skill = rng.uniform(0.3, 0.8)
    scored = [synthetic_scores(t, DOCUMENTS[t.id.removeprefix("ita_med_")], skill, rng) for t in catalogue.tasks()]
    predictions = {scores.task: f"{n}".encode() for scores in scored}
    store.add_submission(connection, user_id, Submission(Claim(f"model-{n}", "4-shot"), {}, predictions), scored)


def _timed(name, run):  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    run()
    print(f"{name:<22} {time.perf_counter() - started:8.4f} s")


if __name__ == "__main__":
    main()
