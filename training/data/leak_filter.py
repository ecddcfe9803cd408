"""No evaluated text is trained on: training examples that repeat one, of any task in or out of distribution, are found.

Words are compared after NFKC and case folding, without punctuation (`dataset_builders.leakage`). An example leaks as

- exact: it has the same words as an evaluated example or document (at least 8 words);
- shared: it holds a 13-word sequence of an evaluated document, unless that sequence is a heading or set phrase: more
  than 10 training documents of its task hold it, or more than a tenth of them;
- document: at least half of the 13-word sequences of its document lie in evaluated documents.

Source of the 13 words: Brown et al. 2020 (GPT-3), appendix C.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ita_med.dataset_builders import leakage
from ita_med.dataset_builders.leakage import CONTAINED, SEQUENCE, Hashes, Index, Texts
from ita_med.schema import Example
from ita_med.tasks.benchmark.task_data import TaskData

MAX_DOCUMENTS, MAX_SHARE = 10, 0.1
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
    index: Index

    @classmethod
    def of(cls, tasks: Iterable[TaskData]) -> Evaluated:
        documents, wholes = [], []
        for data in tasks:
            documents.append(leakage.hashed(data.task.id, "", "test", leakage.documents(data.examples)))
            singles = leakage.hashed(data.task.id, "", "test", {e.id: leakage.text_of(e) for e in data.examples})
            wholes += [leakage.text_hashes(documents[-1]), leakage.text_hashes(singles)]
        return cls(np.unique(np.concatenate(wholes)), Index(documents, SEQUENCE))


def find(data: TaskData, evaluated: Evaluated) -> Leaks:
    """The training examples of a task that repeat an evaluated text."""
    if not len(evaluated.index.distinct):
        return Leaks()
    names = {e.id: _document(e) for e in data.train}
    singles = _hashed(data, {e.id: leakage.text_of(e) for e in data.train})
    joined: dict[str, list[str]] = {}
    for example in data.train:
        joined.setdefault(_document(example), []).append(leakage.text_of(example))
    documents = _hashed(data, {name: "\n".join(parts) for name, parts in joined.items()})
    exact = np.isin(leakage.text_hashes(singles), evaluated.wholes)
    shared = _holds_rare(singles, [names[i] for i in singles.ids], evaluated.index)
    bad = set(np.array(documents.ids, dtype=object)[_mostly_held(documents, evaluated)])
    kinds = {name: "document" for name, document in names.items() if document in bad}
    kinds |= {singles.ids[i]: "shared" for i in np.flatnonzero(shared)}
    kinds |= {singles.ids[i]: "exact" for i in np.flatnonzero(exact)}
    return Leaks({name: kinds[name] for name in names if name in kinds})


def _document(example: Example) -> str:
    return example.doc_id or example.id


def _hashed(data: TaskData, texts: dict[str, str]) -> Texts:
    return leakage.hashed(data.task.id, "", "train", texts)


def _holds_rare(texts: Texts, documents: list[str], index: Index) -> NDArray[np.bool_]:
    """Which texts hold an evaluated sequence that few documents of this task hold."""
    found = np.zeros(len(texts), bool)
    if not len(texts):
        return found
    hashes, owner = leakage.sequences(texts, SEQUENCE)
    places = index.find(hashes)
    long = np.diff(texts.starts)[owner] >= SEQUENCE
    places, owner = places[(places >= 0) & long], owner[(places >= 0) & long]
    number = {name: n for n, name in enumerate(dict.fromkeys(documents))}
    held_by = np.array([number[name] for name in documents], np.int64)[owner]
    pairs = np.unique(np.stack([places, held_by], axis=1), axis=0)
    holders = np.bincount(pairs[:, 0], minlength=len(index.distinct))
    limit = min(MAX_DOCUMENTS, max(1, int(MAX_SHARE * len(number))))
    found[owner[holders[places] <= limit]] = True
    return found


def _mostly_held(documents: Texts, evaluated: Evaluated) -> NDArray[np.bool_]:
    """Which documents are an evaluated one, wholly or by half of their sequences."""
    if not len(documents):
        return np.zeros(0, bool)
    hashes, owner = leakage.sequences(documents, SEQUENCE)
    held = np.bincount(owner[evaluated.index.find(hashes) >= 0], minlength=len(documents))
    half = held >= CONTAINED * np.bincount(owner, minlength=len(documents))
    long = np.diff(documents.starts) >= SEQUENCE
    same: NDArray[np.bool_] = np.isin(leakage.text_hashes(documents), evaluated.wholes)
    return (half & long) | same
