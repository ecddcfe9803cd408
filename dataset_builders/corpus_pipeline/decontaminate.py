"""Evaluation texts in the corpus: word n-grams shared with every labelled dataset that can be opened."""

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
from ita_med.dataset_builders.corpus_pipeline.shingles import Hashes, ngram_hashes, tables
from ita_med.errors import ItaMedError
from ita_med.schema import ChoiceExample, Example, TextExample

EVALUATION_SPLITS = ("test", "validation")
MAX_EXAMPLES = 50
"""Ids per dataset that the report names."""


@dataclass(frozen=True)
class Unit:
    """A labelled document: name is "DATASET/CONFIG/SPLIT"; evaluation: whether the corpus must not hold it."""

    name: str
    id: str
    evaluation: bool


@dataclass
class Index:
    """grams: sorted n-gram hashes; (gram, unit) pairs sorted by gram, with `starts[g]` the first pair of gram g.

    short: hash of the whole text of units with fewer words than an n-gram -> units.
    sizes: distinct n-grams of each unit.
    """

    units: list[Unit]
    grams: Hashes
    starts: NDArray[np.int64]
    pair_units: NDArray[np.int32]
    short: dict[int, list[int]]
    sizes: NDArray[np.int64]

    def __post_init__(self) -> None:
        # one bit per 24-bit prefix: nearly all n-grams of a corpus stop at this small table
        self._prefixes = np.zeros(2**24, bool)
        self._prefixes[self.grams >> np.uint64(40)] = True

    def matches(self, hashes: Hashes) -> NDArray[np.int64]:
        """The places in `grams` of those hashes that are there, each once."""
        candidates = hashes[self._prefixes[hashes >> np.uint64(40)]]
        if not len(candidates) or not len(self.grams):
            return np.empty(0, np.int64)
        candidates = np.unique(candidates)
        places = np.minimum(np.searchsorted(self.grams, candidates), len(self.grams) - 1)
        return places[self.grams[places] == candidates]

    def units_of(self, gram: int) -> NDArray[np.int32]:
        return self.pair_units[self.starts[gram] : self.starts[gram + 1]]


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


def text_of(example: Example) -> str:
    """What a corpus must not hold of an example; for a question also its context and options."""
    if isinstance(example, ChoiceExample):
        return "\n".join([example.context, example.question, *example.options])
    return example.text


def documents(examples: list[Example]) -> dict[str, str]:
    """Document id -> text; the sentences of one document are put together again."""
    out: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        out[example.doc_id or example.id].append(text_of(example))
    return {key: "\n".join(texts) for key, texts in out.items()}


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
    _save(_index(units, texts, settings.words), out)
    (out / "checked.json").write_bytes(orjson.dumps({"checked": checked, "not_checked": missing}))


def _index(units: list[Unit], texts: list[str], n: int) -> Index:
    words, hashes = tables()
    short: dict[int, list[int]] = defaultdict(list)
    grams: list[Hashes] = []
    for number, text in enumerate(texts):
        own = hashes.of(words.of(text))
        grams.append(np.unique(ngram_hashes(own, n)))
        if len(own) < n and len(own):
            short[whole(own)].append(number)
    sizes = np.array([len(g) for g in grams], np.int64)
    flat = np.concatenate(grams) if grams else np.empty(0, np.uint64)
    pair_units = np.repeat(np.arange(len(units), dtype=np.int32), sizes)
    order = np.argsort(flat, kind="stable")
    distinct, starts = np.unique(flat[order], return_index=True)
    return Index(units, distinct, np.append(starts, len(flat)), pair_units[order], dict(short), sizes)


def whole(words: Hashes) -> int:
    """Hash of a whole short text."""
    return int(ngram_hashes(words, len(words))[0])


def _save(index: Index, out: Path) -> None:
    np.savez(
        out / "index.npz",
        grams=index.grams,
        starts=index.starts,
        pair_units=index.pair_units,
        sizes=index.sizes,
    )
    names = [[unit.name, unit.id, unit.evaluation] for unit in index.units]
    short = [[str(key), numbers] for key, numbers in index.short.items()]
    (out / "units.json").write_bytes(orjson.dumps({"units": names, "short": short}))


def load_index(folder: Path) -> Index:
    arrays = np.load(folder / "index.npz")
    names = orjson.loads((folder / "units.json").read_bytes())
    units = [Unit(*row) for row in names["units"]]
    short = {int(key): numbers for key, numbers in names["short"]}
    return Index(units, arrays["grams"], arrays["starts"], arrays["pair_units"], short, arrays["sizes"])


MATCH = np.dtype([("n", "<u4"), ("gram", "<i8")])
"""Document n of a task holds an n-gram of the index; a negative gram -1 - u: it is the whole short text of unit u."""


def match(index: Index, n: int, words: Hashes, size: int) -> list[tuple[int, int]]:
    """`MATCH` rows of one document."""
    if 0 < len(words) < size:
        return [(n, -1 - unit) for unit in index.short.get(whole(words), [])]
    return [(n, int(gram)) for gram in index.matches(ngram_hashes(words, size))]


def decide(
    folder: Path,
    matches: list[Path],
    kept: list[NDArray[np.bool_]],
    ids: list[Path],
    out: list[Path],
    s: DecontaminateSettings,
) -> None:
    """Write for every task the contaminated documents (sorted numbers), and contamination.json for the report.

    matches, ids, out: one file per task; kept: which documents the de-duplication left.
    """
    index = load_index(folder)
    holders = np.zeros(len(index.grams), np.int64)
    for path, keep in zip(matches, kept, strict=True):
        grams = _kept_matches(path, keep)["gram"]
        np.add.at(holders, grams[grams >= 0], 1)
    limit = s.max_documents or np.iinfo(np.int64).max
    views: dict[str, _View] = defaultdict(_View)
    for path, keep, ids_path, out_path in zip(matches, kept, ids, out, strict=True):
        table = _kept_matches(path, keep)
        names = orjson.loads(ids_path.read_bytes()) if len(table) else []
        numbers, firsts = np.unique(table["n"], return_index=True)
        removed = [
            n
            for n, grams in zip(numbers, np.split(table["gram"], firsts[1:]), strict=False)
            if _document(index, grams, holders, limit, s.min_share, names[n], views)
        ]
        sorted_runs.save(out_path, np.array(removed, np.uint32))
    report = {name: view.as_dict() for name, view in sorted(views.items())}
    (folder / "contamination.json").write_bytes(orjson.dumps(report))


def _kept_matches(path: Path, keep: NDArray[np.bool_]) -> NDArray[np.void]:
    table = np.asarray(sorted_runs.load(path))
    return table[keep[table["n"]]]


class _View:
    """What was found of one labelled view. removed: corpus documents; units: labelled document -> share found."""

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


def _document(
    index: Index,
    grams: NDArray[np.int64],
    holders: NDArray[np.int64],
    limit: int,
    min_share: float,
    name: str,
    views: dict[str, _View],
) -> bool:
    """Whether a corpus document with these matches is removed; what it shares is counted in the views."""
    shared: Counter[int] = Counter()
    rare: set[int] = set()
    for gram in grams:
        units = index.units_of(gram) if gram >= 0 else [int(-1 - gram)]
        shared.update(int(unit) for unit in units)
        if gram < 0 or holders[gram] <= limit:
            rare.update(int(unit) for unit in units)
    remove = False
    for unit, count in shared.items():
        share = count / int(index.sizes[unit]) if index.sizes[unit] else 1.0
        if unit not in rare and share < min_share:
            continue
        entry = index.units[unit]
        view = views[entry.name]
        view.sharing.add(name)
        if share > view.units[entry.id]:
            view.units[entry.id], view.pairs[entry.id] = share, name
        if entry.evaluation:
            remove = True
            view.removed.add(name)
    return remove
