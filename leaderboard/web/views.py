"""What the JSON API and the pages both show: a ranking, one system, and systems compared.

Each function raises a `Problem` where the board does not have what is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import store
from ita_med.leaderboard.results import compare_documents
from ita_med.leaderboard.results.compare_documents import DocumentsCompared
from ita_med.leaderboard.results.compare_systems import SystemsCompared, compare
from ita_med.leaderboard.results.ranking import BoardRow, Ranking
from ita_med.leaderboard.web.responses import Problem
from ita_med.leaderboard.web.state import SharedState
from ita_med.text import short_line
from ita_med.version import BENCHMARK_VERSION

MANIFEST_KEYS = ("command", "dtype", "versions", "hardware", "started", "run", "prompts_sha256", "chat_template_sha256")
"""What of a manifest is shown, beside the claim: what one needs to repeat the run."""
MAX_SHOWN = 300


@dataclass
class System:
    """One row with everything about it.

    Attributes:
        row: The row of the board.
        errors: Standard error of the score by task, from 0 to 1.
        metrics: All metrics by task, from 0 to 1.
        data: Provenance of the gold data by task.
        predictions_sha256: Of all predictions.
        manifest: What is needed to repeat the run, as stated by the submitter.
        history: Ids of the submissions of the same model by the same user, oldest first.
    """

    row: BoardRow
    errors: dict[str, float]
    metrics: dict[str, dict[str, float]]
    data: dict[str, str]
    predictions_sha256: str
    manifest: dict[str, Any]
    history: list[int]


def ranking_of(
    state: SharedState, part: str = "all", scale: str = "raw", version: str = BENCHMARK_VERSION, *, fresh: bool = False
) -> Ranking:
    """One view of the board; a 409 where there is no random floor to normalise against.

    Args:
        state: Of the server.
        part: "all", "id" or "ood".
        scale: "raw" or "normalised".
        version: Of the benchmark.
        fresh: Wait for the newest state of the database, however long that takes.
    """
    try:
        return state.board.ranking(part, scale, synthetic=state.synthetic, version=version, fresh=fresh)
    except ItaMedError as error:
        raise Problem("No such ranking", 409, str(error)) from error


def system_of(state: SharedState, found: Ranking, number: int) -> System:
    """A row of a ranking with everything that the database has about it; a 404 where there is none."""
    row = next((row for row in found.rows if row.id == number), None)
    if row is None:
        raise Problem("No such system", 404)
    with state.engine.begin() as connection:
        entries = store.entries(connection, synthetic=state.synthetic, version=found.version)
        kept = store.submission(connection, number)
    entry = next((e for e in entries if e.id == number), None)
    if entry is None or kept is None:
        raise Problem("No such system", 404)
    history = [e.id for e in entries if (e.user, e.claim.model) == (entry.user, entry.claim.model)]
    manifest = {key: shown(kept.manifest[key]) for key in MANIFEST_KEYS if key in kept.manifest}
    return System(row, entry.errors, entry.metrics, entry.data, entry.predictions_sha256, manifest, history)


def shown(value: Any, depth: int = 3) -> Any:
    """A value of a manifest, cut to what a reader needs: short texts, few levels, few entries."""
    match value:
        case str():
            return short_line(value, MAX_SHOWN)
        case dict() if depth:
            return {short_line(str(k)): shown(v, depth - 1) for k, v in list(value.items())[:50]}
        case list() if depth:
            return [shown(v, depth - 1) for v in value[:50]]
        case bool() | int() | float() | None:
            return value if not isinstance(value, int) or abs(value) < 2**53 else None
    return None


def compared(state: SharedState, systems: str, version: str = BENCHMARK_VERSION) -> SystemsCompared:
    """Two to six systems, as "3,7,12", against each other; a 409 where they cannot be compared."""
    ids = [int(n) for n in systems.split(",")]
    try:
        with state.engine.begin() as connection:
            return compare(connection, ids, synthetic=state.synthetic, version=version)
    except ItaMedError as error:
        raise Problem("These systems cannot be compared", 409, str(error)) from error


def documents_of(state: SharedState, systems: str, task: str, version: str = BENCHMARK_VERSION) -> DocumentsCompared:
    """Two systems, as "3,7", on the documents of a task; a 409 where they cannot be compared."""
    ids = [int(n) for n in systems.split(",")]
    try:
        with state.engine.begin() as connection:
            return compare_documents.differences(
                connection, ids, task, state.mirror, synthetic=state.synthetic, version=version
            )
    except ItaMedError as error:
        raise Problem("These systems cannot be compared", 409, str(error)) from error
