"""No evaluated text is trained on: training examples that repeat one, of any task in or out of distribution, are found.

Words are compared by the rule of `dataset_builders.same_text`. An example leaks as

- exact: it has the same words as an evaluated example or document (at least 8 words);
- shared: it holds a 13-word sequence of an evaluated document, unless that sequence is a heading or set phrase: more
  than 10 training documents of its task hold it, or more than a tenth of them;
- document: at least half of the 13-word sequences of its document lie in evaluated documents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ita_med.dataset_builders.same_text import (
    CONTAINED,
    MAX_DOCUMENTS,
    SEQUENCE,
    HashedTexts,
    Hashes,
    SequenceIndex,
    document_of,
    documents,
    hashed,
    sequences,
    text_hashes,
    text_of,
)
from ita_med.tasks.benchmark.task_data import TaskData

MIN_WORDS = 8
"""Shorter texts are no leaks: headings and set answers repeat everywhere."""
MAX_SHARE = 0.1
"""Beside `MAX_DOCUMENTS`, for tasks of few documents: a sequence that a larger share of them holds is a set phrase."""
KINDS = ("exact", "shared", "document")


@dataclass
class Leaks:
    """Training examples of one task that leak: id -> kind, the first of `KINDS` that fits."""

    kinds: dict[str, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        found = Counter(self.kinds.values())
        return {kind: found[kind] for kind in KINDS}


@dataclass
class Evaluated:
    """What must not be trained on. wholes: hashes of whole texts; index: 13-word sequences of all documents."""

    wholes: Hashes
    index: SequenceIndex

    @classmethod
    def of(cls, tasks: Iterable[TaskData]) -> Evaluated:
        """The evaluated examples of the tasks, alone and joined to documents."""
        joined, wholes = [], []
        for data in tasks:
            joined.append(hashed(documents(data.examples), MIN_WORDS))
            singles = hashed({e.id: text_of(e) for e in data.examples}, MIN_WORDS)
            wholes += [text_hashes(joined[-1]), text_hashes(singles)]
        return cls(np.unique(np.concatenate(wholes)), SequenceIndex.of(joined, SEQUENCE))


def find(data: TaskData, evaluated: Evaluated) -> Leaks:
    """The training examples of a task that repeat an evaluated text."""
    if not len(evaluated.index.hashes):
        return Leaks()
    names = {e.id: document_of(e) for e in data.train}
    singles = hashed({e.id: text_of(e) for e in data.train}, MIN_WORDS)
    joined = hashed(documents(data.train), MIN_WORDS)
    exact = np.isin(text_hashes(singles), evaluated.wholes)
    shared = _holds_rare(singles, [names[i] for i in singles.ids], evaluated.index)
    bad = set(np.array(joined.ids, dtype=object)[_mostly_held(joined, evaluated)])
    kinds = {name: "document" for name, document in names.items() if document in bad}
    kinds |= {singles.ids[i]: "shared" for i in np.flatnonzero(shared)}
    kinds |= {singles.ids[i]: "exact" for i in np.flatnonzero(exact)}
    return Leaks({name: kinds[name] for name in names if name in kinds})


def _holds_rare(texts: HashedTexts, documents: list[str], index: SequenceIndex) -> NDArray[np.bool_]:
    """Which texts hold an evaluated sequence that few documents of this task hold."""
    found = np.zeros(len(texts), bool)
    if not len(texts):
        return found
    hashes, owner = sequences(texts, SEQUENCE)
    places = index.find(hashes)
    long = texts.lengths[owner] >= SEQUENCE
    places, owner = places[(places >= 0) & long], owner[(places >= 0) & long]
    number = {name: n for n, name in enumerate(dict.fromkeys(documents))}
    held_by = np.array([number[name] for name in documents], np.int64)[owner]
    pairs = np.unique(np.stack([places, held_by], axis=1), axis=0)
    holders = np.bincount(pairs[:, 0], minlength=len(index.hashes))
    limit = min(MAX_DOCUMENTS, max(1, int(MAX_SHARE * len(number))))
    found[owner[holders[places] <= limit]] = True
    return found


def _mostly_held(documents: HashedTexts, evaluated: Evaluated) -> NDArray[np.bool_]:
    """Which documents are an evaluated one, wholly or by half of their sequences."""
    if not len(documents):
        return np.zeros(0, bool)
    hashes, owner = sequences(documents, SEQUENCE)
    held = np.bincount(owner[evaluated.index.find(hashes) >= 0], minlength=len(documents))
    half = held >= CONTAINED * np.bincount(owner, minlength=len(documents))
    long = documents.lengths >= SEQUENCE
    same: NDArray[np.bool_] = np.isin(text_hashes(documents), evaluated.wholes)
    return (half & long) | same
