"""Evaluation texts in the corpus: what it shares with every labelled dataset that can be opened.

Texts are the same by the rule of `ita_med.dataset_builders.same_text`, as in the report of leaks and the leak filter of
training.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ita_med import catalogue, sources
from ita_med.dataset_builders import build
from ita_med.dataset_builders.corpus_pipeline import sorted_runs
from ita_med.dataset_builders.corpus_pipeline.corpus_recipe import DecontaminateSettings
from ita_med.dataset_builders.same_text import SequenceIndex, documents, hashed, sequences_of, word_hashes
from ita_med.errors import ItaMedError
from ita_med.schema import TextExample

EVALUATION_SPLITS = ("test", "validation")
MAX_EXAMPLES = 50
"""Ids per dataset that the report names."""


@dataclass(frozen=True)
class Unit:
    """A labelled document.

    Attributes:
        name: Its view, "DATASET/CONFIG/SPLIT".
        id: Within the view.
        evaluation: Whether the corpus must not hold it.
    """

    name: str
    id: str
    evaluation: bool


@dataclass
class LabelledDocuments:
    """The labelled documents and the index of their sequences, which knows unit i as text i."""

    units: list[Unit]
    index: SequenceIndex


def labelled_views(training: bool) -> Iterator[tuple[str, str, str, bool]]:
    """(dataset, config, split or "*", evaluation) of what the corpus is compared with."""
    evaluated = {(t.dataset, t.config, t.eval_split) for t in catalogue.tasks()}
    for entry in catalogue.datasets():
        if not entry.has_builder:
            continue
        for config, schema in build.builder(entry.id).CONFIGS.items():
            if schema == "text":
                continue
            for name, view, split in evaluated:
                if (name, view) == (entry.id, config) and split not in EVALUATION_SPLITS:
                    yield entry.id, config, split, True
            for split in EVALUATION_SPLITS:
                yield entry.id, config, split, True
            if training and schema != "choice":
                yield entry.id, config, "*", False


def build_index(settings: DecontaminateSettings, mirror: str | None, out: Path) -> None:
    """Write the index of all labelled texts, and checked.json: what was compared, what could not be and why."""
    units: list[Unit] = []
    texts: list[str] = []
    checked: dict[str, dict[str, Any]] = {}
    missing = {d.id: d.reason or "no builder yet" for d in catalogue.datasets() if d.families != ["corpus"]}
    wanted: dict[str, set[tuple[str, str, bool]]] = defaultdict(set)
    for name, config, split, evaluation in labelled_views(settings.training):
        wanted[name].add((config, split, evaluation))
    for name, views in wanted.items():
        missing.pop(name, None)
        try:
            files = build.open_files(name, mirror, download=False)
            for config in sorted({config for config, _, _ in views}):
                for _, split, examples in build.examples(name, [config], files=files):
                    evaluation = (config, split, True) in views
                    if (not evaluation and (config, "*", False) not in views) or isinstance(examples[0], TextExample):
                        continue
                    view = f"{name}/{config}/{split}"
                    found = documents(examples)
                    for key, text in found.items():
                        units.append(Unit(view, key, evaluation))
                        texts.append(text)
                    checked.setdefault(view, {"documents": 0, "evaluation": evaluation})["documents"] += len(found)
                    if files.kind == sources.EMBEDDED:
                        checked[view]["synthetic"] = True
        except (ItaMedError, OSError) as error:
            missing[name] = str(error).removeprefix(f"{name}: ").partition("; fill it")[0]
    out.mkdir(parents=True, exist_ok=True)
    save_labelled(index_texts(units, texts, settings.words), out)
    (out / "checked.json").write_bytes(orjson.dumps({"checked": checked, "not_checked": missing}))


def index_texts(units: list[Unit], texts: list[str], n: int) -> LabelledDocuments:
    """The n-word sequences of the texts of the units."""
    numbered = {str(number): text for number, text in enumerate(texts)}
    return LabelledDocuments(units, SequenceIndex.of([hashed(numbered)], n))


def save_labelled(labelled: LabelledDocuments, folder: Path) -> None:
    """Write what `load_labelled` reads: index.npz and units.json."""
    index = labelled.index
    np.savez(folder / "index.npz", hashes=index.hashes, starts=index.starts, owners=index.owners, sizes=index.sizes)
    units = [[unit.name, unit.id, unit.evaluation] for unit in labelled.units]
    (folder / "units.json").write_bytes(orjson.dumps(units))


def load_labelled(folder: Path) -> LabelledDocuments:
    """The labelled documents as `build_index` wrote them."""
    arrays = np.load(folder / "index.npz")
    units = [Unit(*row) for row in orjson.loads((folder / "units.json").read_bytes())]
    return LabelledDocuments(units, SequenceIndex(**arrays))


MATCH = np.dtype([("n", "<u4"), ("sequence", "<u4")])
"""Document n of a task holds the sequence with that place in the index."""


def match(labelled: LabelledDocuments, n: int, text: str, words: int) -> list[tuple[int, int]]:
    """`MATCH` rows of document n of a task: which of the labelled sequences of so many words its text holds."""
    return [(n, place) for place in labelled.index.held(sequences_of(word_hashes(text), words))]


def decide(
    folder: Path,
    matches: list[Path],
    kept: list[NDArray[np.bool_]],
    ids: list[Path],
    out: list[Path],
    settings: DecontaminateSettings,
) -> None:
    """Write for every task the contaminated documents (sorted numbers), and contamination.json for the report.

    Args:
        folder: Where `build_index` wrote.
        matches: One file of `MATCH` rows per task.
        kept: For each task which of its documents the de-duplication left.
        ids: One file per task with the ids of its documents.
        out: One file per task, to be written.
        settings: Which matches count.
    """
    labelled = load_labelled(folder)
    holders = np.zeros(len(labelled.index.hashes), np.int64)
    for path, keep in zip(matches, kept, strict=True):
        np.add.at(holders, _kept_matches(path, keep)["sequence"], 1)
    limit = settings.max_documents or np.iinfo(np.int64).max
    views: dict[str, _FoundInView] = defaultdict(_FoundInView)
    for path, keep, ids_path, out_path in zip(matches, kept, ids, out, strict=True):
        table = _kept_matches(path, keep)
        names = orjson.loads(ids_path.read_bytes()) if len(table) else []
        numbers, firsts = np.unique(table["n"], return_index=True)
        removed = [
            n
            for n, places in zip(numbers, np.split(table["sequence"], firsts[1:]), strict=False)
            if _is_contaminated(labelled, places, holders, limit, settings.min_share, names[n], views)
        ]
        sorted_runs.save(out_path, np.array(removed, np.uint32))
    report = {name: view.as_dict() for name, view in sorted(views.items())}
    (folder / "contamination.json").write_bytes(orjson.dumps(report))


def _kept_matches(path: Path, keep: NDArray[np.bool_]) -> NDArray[np.void]:
    table = np.asarray(sorted_runs.load(path))
    return table[keep[table["n"]]]


class _FoundInView:
    """What was found of one labelled view: ids of corpus documents, and labelled document -> the share found."""

    def __init__(self) -> None:
        self.removed: set[str] = set()
        self.sharing: set[str] = set()
        self.units: dict[str, float] = defaultdict(float)
        self.pairs: dict[str, str] = {}

    def as_dict(self) -> dict[str, Any]:
        best = sorted(self.units, key=lambda unit: (-self.units[unit], unit))
        return {
            "corpus_documents_sharing": len(self.sharing),
            "corpus_documents_removed": len(self.removed),
            "labelled_documents_found": len(self.units),
            "examples": [
                {"id": unit, "share": round(self.units[unit], 4), "corpus_id": self.pairs[unit]}
                for unit in best[:MAX_EXAMPLES]
            ],
        }


def _is_contaminated(
    labelled: LabelledDocuments,
    places: NDArray[np.uint32],
    holders: NDArray[np.int64],
    limit: int,
    min_share: float,
    name: str,
    views: dict[str, _FoundInView],
) -> bool:
    """Whether a corpus document is removed; what it shares is counted in the views.

    Args:
        labelled: What the corpus must not hold.
        places: The sequences of the index that the document holds.
        holders: How many documents of the corpus hold each sequence.
        limit: A sequence that more documents hold is a set phrase.
        min_share: The share of a labelled document that counts even if it is made of set phrases.
        name: The document's id.
        views: Name of a labelled view -> what was found of it.
    """
    index = labelled.index
    shared: Counter[int] = Counter()
    rare: set[int] = set()
    for place in places:
        units = index.owners_of(place).tolist()
        shared.update(units)
        if holders[place] <= limit:
            rare.update(units)
    remove = False
    for unit, count in shared.items():
        share = count / int(index.sizes[unit])
        if unit not in rare and share < min_share:
            continue
        entry = labelled.units[unit]
        view = views[entry.name]
        view.sharing.add(name)
        if share > view.units[entry.id]:
            view.units[entry.id], view.pairs[entry.id] = share, name
        if entry.evaluation:
            remove = True
            view.removed.add(name)
    return remove
