"""The steps as datatrove runs them: each is called with the documents before it, its task's number, and the number of
tasks, and yields documents. They know nothing of executors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
from numpy.typing import NDArray

from ita_med.dataset_builders.corpus_pipeline import (
    clean,
    decontaminate,
    exact_duplicates,
    language,
    near_duplicates,
    personal_data,
    shards,
    sorted_runs,
)
from ita_med.dataset_builders.corpus_pipeline.corpus_recipe import CorpusRecipe
from ita_med.dataset_builders.corpus_pipeline.inputs import Piece, records
from ita_med.dataset_builders.corpus_pipeline.minhash import Signer
from ita_med.dataset_builders.corpus_pipeline.shingles import shingles, word_table
from ita_med.dataset_builders.corpus_pipeline.tally import Tally
from ita_med.dataset_builders.same_text import Hashes

if TYPE_CHECKING:
    from datatrove.data import Document

Documents = Iterable["Document"]


@dataclass(frozen=True)
class Work:
    """Paths in the work folder; one file per task unless said otherwise."""

    root: Path

    def plan(self) -> Path:
        return self.root / "plan.json"

    def index(self) -> Path:
        return self.root / "index"

    def clean(self, task: int) -> Path:
        return self.root / "clean" / f"{task:05}.parquet"

    def ids(self, task: int) -> Path:
        return self.root / "clean" / f"{task:05}-ids.json"

    def exact(self, task: int) -> Path:
        return self.root / "exact" / f"{task:05}.npy"

    def repeated(self, task: int) -> Path:
        return self.root / "exact" / f"{task:05}-removed.npy"

    def bands(self) -> Path:
        return self.root / "bands"

    def matches(self, task: int) -> Path:
        return self.root / "matches" / f"{task:05}.npy"

    def near(self, task: int) -> Path:
        return self.root / "near" / f"{task:05}.npy"

    def contaminated(self, task: int) -> Path:
        return self.root / "contaminated" / f"{task:05}.npy"

    def tally(self, step: str, task: int) -> Path:
        return self.root / "tally" / f"{step}-{task:05}.json"

    def result(self) -> Path:
        return self.root / "result"


def words_of(text: str) -> int:
    """The number of words that reports count: runs of characters without white space."""
    return len(text.split())


@dataclass(frozen=True)
class Read:
    """Reads a task's part of the input."""

    work: Work

    def __call__(self, data: None, rank: int, world_size: int) -> Iterator[Document]:
        from datatrove.data import Document

        part = orjson.loads(self.work.plan().read_bytes())["parts"][rank]
        tally = Tally()
        for piece in part:
            for r in records(Piece(*piece)):
                fields = {"source": r.source, "licence": r.licence, "url": r.url, "split": r.split, "meta": r.meta}
                tally.add("read", fields, words_of(r.text), len(r.text))
                yield Document(r.text, r.id, metadata=fields | {"raw": r.text})
        tally.save(self.work.tally("read", rank))


@dataclass(frozen=True)
class Normalise:
    """Repairs and normalises each text."""

    recipe: CorpusRecipe

    def __call__(self, data: Documents, rank: int, world_size: int) -> Iterator[Document]:
        for document in data:
            document.text = clean.normalise(document.text, fold_white_space=self.recipe.normalise.fold_white_space)
            yield document


@dataclass(frozen=True)
class Filter:
    """Language and quality; what is removed is counted with its reason."""

    recipe: CorpusRecipe
    work: Work

    def __call__(self, data: Documents, rank: int, world_size: int) -> Iterator[Document]:
        tally = Tally()
        for document in data:
            words = words_of(document.text)
            tally.add("normalised", document.metadata, words, len(document.text))
            if reason := self._reason(document.text):
                tally.add(reason, document.metadata, words, len(document.text))
            else:
                yield document
        tally.save(self.work.tally("filter", rank))

    def _reason(self, text: str) -> str | None:
        if not text.strip():
            return "quality/empty"
        if self.recipe.language.on and (found := language.foreign(text)):
            return f"language/{found}"
        if self.recipe.quality.on and (reason := clean.judge(text, self.recipe.quality)):
            return f"quality/{reason}"
        return None


@dataclass(frozen=True)
class Keep:
    """Writes the clean documents for the later stages, and the hashes that find equal ones."""

    recipe: CorpusRecipe
    work: Work

    def __call__(self, data: Documents, rank: int, world_size: int) -> None:
        hashes, ids = [], []
        with shards.writer(self.work.clean(rank)) as writer:
            for n, document in enumerate(data):
                raw = document.metadata.pop("raw")
                if self.recipe.exact.on:
                    hashes.append(exact_duplicates.record(n, raw, document.text))
                ids.append(document.id)
                writer.add(shards.row(document))
        self.work.ids(rank).write_bytes(orjson.dumps(ids))
        exact_duplicates.save(_parent(self.work.exact(rank)), hashes)


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@dataclass(frozen=True)
class FindExact:
    """One task: which documents repeat an earlier one."""

    work: Work
    tasks: int

    def __call__(self, data: None, rank: int, world_size: int) -> None:
        runs = [self.work.exact(t) for t in range(self.tasks)]
        exact_duplicates.find(runs, [self.work.repeated(t) for t in range(self.tasks)])


@dataclass(frozen=True)
class Match:
    """Band keys and n-grams shared with labelled data, of documents that repeat no other; in one pass."""

    recipe: CorpusRecipe
    work: Work

    def __call__(self, data: None, rank: int, world_size: int) -> None:
        settings, decontamination = self.recipe.minhash, self.recipe.decontaminate
        words, signer = word_table(), Signer(settings)
        labelled = decontaminate.load_labelled(self.work.index()) if decontamination.on else None
        repeated = set(sorted_runs.load(self.work.repeated(rank))[:, 0].tolist())
        numbers: list[int] = []
        keys: list[Hashes] = []
        matches: list[tuple[int, int]] = []
        for n, document in enumerate(shards.documents(self.work.clean(rank))):
            if n in repeated:
                continue
            if settings.on and len(own := words.of(document.text)) >= settings.words:
                numbers.append(n)
                keys.append(signer.keys(shingles(own, settings.words)))
            if labelled:
                matches += decontaminate.match(labelled, n, document.text, decontamination.words)
        near_duplicates.save(self.work.bands(), rank, numbers, keys, settings.bands)
        sorted_runs.save(self.work.matches(rank), np.array(matches, decontaminate.MATCH))


@dataclass(frozen=True)
class Decide:
    """One task: near-duplicates, then contaminated documents among those that are left."""

    recipe: CorpusRecipe
    work: Work
    tasks: int

    def __call__(self, data: None, rank: int, world_size: int) -> None:
        every, work = range(self.tasks), self.work
        sizes = [_rows(work.clean(t)) for t in every]
        near_duplicates.find(work.bands(), sizes, self.recipe.minhash.bands, [work.near(t) for t in every])
        if not self.recipe.decontaminate.on:
            for t in every:
                sorted_runs.save(work.contaminated(t), np.empty(0, np.uint32))
            return
        decontaminate.decide(
            work.index(),
            [work.matches(t) for t in every],
            [self._kept(t, size) for t, size in enumerate(sizes)],
            [work.ids(t) for t in every],
            [work.contaminated(t) for t in every],
            self.recipe.decontaminate,
        )

    def _kept(self, task: int, size: int) -> NDArray[np.bool_]:
        kept = np.ones(size, bool)
        kept[sorted_runs.load(self.work.near(task))] = False
        return kept


def _rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


@dataclass(frozen=True)
class Remaining:
    """The clean documents without those that are to be removed, which are counted with their reasons."""

    work: Work

    def __call__(self, data: None, rank: int, world_size: int) -> Iterator[Document]:
        removed = {int(n): "contaminated/evaluation_text" for n in sorted_runs.load(self.work.contaminated(rank))}
        removed |= {int(n): "near_duplicate/minhash" for n in sorted_runs.load(self.work.near(rank))}
        for n, level in np.asarray(sorted_runs.load(self.work.repeated(rank))).tolist():
            removed[n] = f"exact_duplicate/{exact_duplicates.REASONS[level]}"
        tally = Tally()
        for n, document in enumerate(shards.documents(self.work.clean(rank))):
            if n in removed:
                tally.add(removed[n], document.metadata, words_of(document.text), len(document.text))
            else:
                yield document
        tally.save(self.work.tally("remaining", rank))


@dataclass(frozen=True)
class ReplacePersonalData:
    """Puts placeholders in the place of personal data and counts them."""

    recipe: CorpusRecipe
    work: Work

    def __call__(self, data: Documents, rank: int, world_size: int) -> Iterator[Document]:
        settings, tally = self.recipe.personal_data, Tally()
        for document in data:
            if found := personal_data.find(document.text, model=settings.model, threshold=settings.threshold):
                document.text, counts = personal_data.replace(document.text, found)
                for placeholder, n in counts.items():
                    tally.add(f"personal_data/{placeholder}", document.metadata, n, 0)
            yield document
        tally.save(self.work.tally("personal_data", rank))


@dataclass(frozen=True)
class Write:
    """Writes the documents that are left: the shard of a task."""

    recipe: CorpusRecipe
    work: Work

    def __call__(self, data: Documents, rank: int, world_size: int) -> None:
        name = f"train-{rank:05}-of-{world_size:05}.{self.recipe.output.format}"
        tally = Tally()
        with shards.writer(self.work.result() / "data" / name) as writer:
            for document in data:
                tally.add("written", document.metadata, words_of(document.text), len(document.text))
                writer.add(shards.row(document))
        tally.save(self.work.tally("write", rank))
