"""Where two systems differ, document by document: counts and scores, never a text and never an answer.

What may be shown is decided by what it would give away:

- Questions: whether an answer was right, next to the answer that a submitter gave, is the key. Only totals are shown.
- Data behind a gate, or whose access is not stated: documents are numbered in the order of this list, which says
  nothing about their order in the data, and their scores are rounded.
- Open data, which anybody can look up: the ids that upstream gives its documents, and exact counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from sqlalchemy import Connection

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import store
from ita_med.leaderboard.results.ranking import fingerprint, headline
from ita_med.tasks.benchmark.task_data import load
from ita_med.tasks.families.registry import family_of
from ita_med.tasks.scoring.metrics import Array, ratio
from ita_med.text import short_line
from ita_med.version import BENCHMARK_VERSION

MOST = 50
CLOSED_STEP = 10
"""Points: scores of documents of closed data are rounded to multiples of this."""


@dataclass
class DocumentDifference:
    """One document on which two systems differ.

    Attributes:
        document: Upstream's id of the document, or its number in this list.
        first_score: Points of the first system; None where there is nothing to find and it found nothing.
        second_score: Points of the second system.
        first_right: Mentions or relations of the first system that match gold ones; None where the score is no F1, or
            the data are closed.
        first_wrong: Its superfluous ones and the gold ones that it missed; None as for `first_right`.
        second_right: The same of the second system.
        second_wrong: The same of the second system.
        share: Points that the document contributes to the difference of the two scores: without it, the difference
            would be smaller by so much. None for closed data.
    """

    document: str
    first_score: float | None
    second_score: float | None
    first_right: int | None = None
    first_wrong: int | None = None
    second_right: int | None = None
    second_wrong: int | None = None
    share: float | None = None


@dataclass
class DocumentsCompared:
    """Two systems compared on the documents of one task.

    Attributes:
        systems: Ids of the two submissions.
        labels: Model and method of each.
        task: Id of the task.
        first: Score of the first system, in points.
        second: Score of the second system, in points.
        first_better: Number of documents on which the first system is better.
        equal: Number of documents on which both have the same score.
        second_better: Number of documents on which the second system is better.
        shown: How documents are named: by "ids", by "numbers", or not at all ("totals").
        documents: Those that differ, the largest differences first.
    """

    systems: list[int]
    labels: list[str]
    task: str
    first: float
    second: float
    first_better: int
    equal: int
    second_better: int
    shown: str
    documents: list[DocumentDifference] = field(default_factory=list)


def differences(
    connection: Connection,
    ids: list[int],
    task: str,
    mirror: str | None = None,
    *,
    synthetic: bool = False,
    version: str = BENCHMARK_VERSION,
    most: int = MOST,
) -> DocumentsCompared:
    """Compare two systems of the board on one task, document by document.

    Args:
        connection: To the board's database.
        ids: The two submissions.
        task: Id of the task.
        mirror: Where the gold data lie; they are read only for the ids of open documents.
        synthetic: Whether these are runs on the embedded sample.
        version: Of the benchmark.
        most: Documents listed at most.

    Raises:
        ItaMedError: A submission is not on the board, did not run the task, or was scored on other gold data than the
            other one.
    """
    entry = catalogue.task(task)
    if len(ids) != 2 or ids[0] == ids[1]:
        raise ItaMedError("documents are compared for two different systems")
    found = {e.id: e for e in store.entries(connection, synthetic=synthetic, version=version)}
    for number in ids:
        if number not in found:
            raise ItaMedError(f"no submission {number} on the board")
        if entry.id not in found[number].scores:
            raise ItaMedError(f"submission {number} did not run {entry.id}")
    prints = {fingerprint(found[number], entry.id) for number in ids}
    counts = store.counts(connection, entry.id, ids)
    if len(prints) > 1 or len({len(one) for one in counts.values()}) > 1:
        raise ItaMedError(f"these systems were scored on different gold data of {entry.id} and cannot be compared")
    parts = np.stack([headline(entry.id, counts[number]) for number in ids])
    labels = [f"{found[n].claim.model} {found[n].claim.method}" for n in ids]
    names = None
    if open_data(entry) and not family_of(entry).multiple_choice:
        names = document_ids(entry.id, mirror, prints.pop(), parts.shape[1])
    return _compared(parts, DocumentsCompared(ids, labels, entry.id, 0, 0, 0, 0, 0, "totals"), entry, names, most)


def open_data(task: catalogue.Task) -> bool:
    """Whether anybody can look the documents up."""
    return catalogue.dataset(task.dataset).access == "open"


@lru_cache(maxsize=64)
def document_ids(task: str, mirror: str | None, fingerprint: str, number: int) -> tuple[str, ...] | None:
    """Upstream's ids of a task's documents, in the order of the stored counts.

    Nothing else of the gold data is kept.

    Args:
        task: Id of the task.
        mirror: Where the gold data lie.
        fingerprint: Of the gold data that the counts were made on.
        number: Of documents in the counts.

    Returns:
        The ids, or None where the gold data at hand are not those of the counts.
    """
    try:
        data = load(task, mirror)
    except ItaMedError:
        return None
    names = tuple(short_line(str(name)) for name in np.unique(np.asarray(data.clusters)))
    return names if data.fingerprint == fingerprint and len(names) == number else None


def _compared(
    parts: Array, out: DocumentsCompared, task: catalogue.Task, names: tuple[str, ...] | None, most: int
) -> DocumentsCompared:
    """Fill in what may be shown of the documents; parts has shape (2 systems, documents, numerator and denominator)."""
    scores = 100 * ratio(parts)
    out.first, out.second = (round(float(x), 3) for x in 100 * np.nan_to_num(ratio(parts.sum(1)), nan=1.0))
    gaps = np.nan_to_num(scores[0], nan=100.0) - np.nan_to_num(scores[1], nan=100.0)
    out.first_better, out.second_better = int((gaps > 1e-9).sum()), int((gaps < -1e-9).sum())
    out.equal = len(gaps) - out.first_better - out.second_better
    if family_of(task).multiple_choice:
        return out
    if not open_data(task) or names is None:
        return _numbered(scores, out, most)
    out.shown = "ids"
    share = shares(parts)
    differing = [n for n in range(len(gaps)) if (parts[0, n] != parts[1, n]).any()]
    for n in sorted(differing, key=lambda n: (-abs(share[n]), -abs(gaps[n]), names[n]))[:most]:
        row = DocumentDifference(
            names[n], _points(scores[0, n]), _points(scores[1, n]), share=round(float(share[n]), 3)
        )
        if family_of(task).micro_f1:
            (twice, all_first), (twice_second, all_second) = parts[0, n], parts[1, n]
            row.first_right, row.first_wrong = int(twice / 2), int(all_first - twice)
            row.second_right, row.second_wrong = int(twice_second / 2), int(all_second - twice_second)
        out.documents.append(row)
    return out


def _numbered(scores: Array, out: DocumentsCompared, most: int) -> DocumentsCompared:
    """Rows that are told apart by their rounded scores alone: their order cannot give a document away."""
    out.shown = "numbers"
    rounded = CLOSED_STEP * np.round(scores / CLOSED_STEP)
    pairs = [(_points(a), _points(b)) for a, b in rounded.T]
    differing = sorted(
        ((a, b) for a, b in pairs if a != b), key=lambda p: (-abs((p[0] or 0) - (p[1] or 0)), -(p[0] or 0))
    )
    out.documents = [DocumentDifference(str(n), a, b) for n, (a, b) in enumerate(differing[:most], 1)]
    return out


def shares(parts: Array) -> Array:
    """What each document contributes to the first system's score minus the second's.

    That is the difference of the two scores, minus the same difference without the document.

    Args:
        parts: Shape (2 systems, documents, numerator and denominator).

    Returns:
        Points, shape (documents,).
    """
    total = parts.sum(1, keepdims=True)
    whole = np.nan_to_num(ratio(total[:, 0]), nan=1.0)
    without = np.nan_to_num(ratio(total - parts), nan=1.0)
    result: Array = 100 * ((whole[0] - whole[1]) - (without[0] - without[1]))
    return result


def _points(score: float) -> float | None:
    return None if np.isnan(score) else round(float(score), 1)
