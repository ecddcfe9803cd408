"""Data of continual pre-training: the texts of corpora that `ita-med corpus build` wrote, as tokens.

Each document ends with a token of its own (`data.document_end`), and TRL packs documents so that none sees another and
no token is lost (bfd_split).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ita_med.dataset_builders.corpus_pipeline import inputs
from ita_med.dataset_builders.corpus_pipeline.build_corpus import read_report
from ita_med.errors import DataError, ItaMedError
from ita_med.training.data import replay
from ita_med.training.data.replay import ReplayDraw
from ita_med.training.recipe import Recipe

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

SAMPLE = 200
"""Documents on which the number of tokens per character is measured."""


@dataclass
class Corpora:
    """files: of all corpora, in order; counts: name of a folder -> what its report says, those of `replay` too."""

    files: list[Path]
    counts: dict[str, dict[str, Any]]
    replay: ReplayDraw | None = None

    @property
    def characters(self) -> int:
        return sum(counts["characters"] for counts in self.counts.values())

    @property
    def synthetic(self) -> bool:
        return any(counts["synthetic"] for counts in self.counts.values())

    @property
    def fingerprint(self) -> str:
        return ",".join(f"{name}:{counts['fingerprint']}" for name, counts in self.counts.items())


def prepare(recipe: Recipe, *, strict: bool = False) -> Corpora:
    """The corpora of a recipe. Only built ones are taken: their reports say that evaluated texts were taken out.

    Strict: a corpus that was not compared with evaluated texts is an error, else it is marked in the counts.
    """
    found = {Path(name).name: _open(Path(name), strict) for name in recipe.data.corpora}
    general = recipe.data.replay
    more = {Path(name).name: _open(Path(name), strict) for name in (general.corpora if general else [])}
    named = [*recipe.data.corpora, *(general.corpora if general else [])]
    if len(found | more) < len(named):
        raise ItaMedError(f"{recipe.name}: two of its corpora have the same name; rename one folder")
    counts = {name: of_one for name, (_, of_one) in found.items()}
    if not sum(entry["documents"] for entry in counts.values()):
        raise ItaMedError(f"{recipe.name}: its corpora hold no documents")
    drawn = None
    if general:
        drawn = replay.draw(more, general.share, recipe.train.seed, sum(c["characters"] for c in counts.values()))
        counts |= {name: of_one for name, (_, of_one) in more.items()}
        if not drawn.documents:
            raise ItaMedError(f"{recipe.name}: data.replay draws no document; raise its share or name more text")
    return Corpora(_one_format([path for files, _ in found.values() for path in files]), counts, drawn)


def _open(folder: Path, strict: bool) -> tuple[list[Path], dict[str, Any]]:
    """The files of a built corpus and the counts of its report."""
    report = read_report(folder)
    files = _one_format([path for path, _ in inputs.find_files(str(folder / "data"))])
    try:
        counts = _counts(report)
    except (KeyError, TypeError) as error:
        raise DataError(f"{folder}/report.json is not a report of ita-med ({error!r} is missing)") from error
    if strict and not counts["decontaminated"]:
        raise DataError(f"{folder} was never compared with evaluated texts; build it with decontamination")
    return files, counts


def _one_format(files: list[Path]) -> list[Path]:
    if len({path.suffix for path in files}) > 1:
        raise ItaMedError(
            f"{files[0].parents[1]}: Parquet and JSON Lines cannot be mixed; build all corpora in one format"
        )
    return files


def _counts(report: dict[str, Any]) -> dict[str, Any]:
    licences = sorted({licence for by_licence in report["sources"].values() for licence in by_licence})
    return {
        **report["total"]["written"],
        "sources": sorted(report["sources"]),
        "licences": licences,
        "fingerprint": report["fingerprint"],
        "decontaminated": bool(report["decontamination"].get("checked")),
        "compared_with": sorted(report["decontamination"].get("checked", {})),
        "synthetic": any(entry["from"] == "embedded" for entry in report["inputs"]),
    }


def document_end(recipe: Recipe, tokenizer: Any) -> int:
    """The id of the token behind each document."""
    token = recipe.data.document_end or tokenizer.eos_token
    if token not in tokenizer.get_vocab():
        raise ItaMedError(f'{recipe.model.id} has no token "{token}"; set data.document_end to one that it has')
    return int(tokenizer.convert_tokens_to_ids(token))


def texts(corpora: Corpora) -> Iterator[str]:
    """All texts in order."""
    for piece in inputs.pieces([(path, path.name) for path in corpora.files]):
        yield from (record.text for record in inputs.records(piece))


def tokens_per_character(corpora: Corpora, tokenizer: Any) -> float:
    """Measured on the first `SAMPLE` documents."""
    sample = [text for text, _ in zip(texts(corpora), range(SAMPLE), strict=False)]
    ids = tokenizer(sample)["input_ids"]
    return (sum(map(len, ids)) + len(sample)) / max(sum(map(len, sample)), 1)


def records(corpora: Corpora, *, streaming: bool = False) -> Any:
    """The documents as a data set, as they were built."""
    from datasets import load_dataset

    kind = "parquet" if corpora.files[0].suffix == ".parquet" else "json"
    return load_dataset(kind, data_files=[str(path) for path in corpora.files], split="train", streaming=streaming)


def dataset(recipe: Recipe, corpora: Corpora, tokenizer: Any) -> Dataset | IterableDataset:
    """{"input_ids", "labels"} per document; read and tokenised on the way where the recipe streams."""
    end = document_end(recipe, tokenizer)

    def tokenise(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        ids = [[*(own[:-1] if own[-1:] == [end] else own), end] for own in tokenizer(batch["text"])["input_ids"]]
        return {"input_ids": ids, "labels": ids}

    def tokens(found: Any) -> Any:
        return found.map(tokenise, batched=True, remove_columns=found.column_names or list(inputs.COLUMNS))

    main = tokens(records(corpora, streaming=recipe.data.streaming))
    if (drawn := corpora.replay) is None:
        return main
    general = records(Corpora(drawn.files, {}), streaming=recipe.data.streaming).filter(replay.only(drawn))
    documents = sum(c["documents"] for c in corpora.counts.values()) - drawn.documents
    return replay.interleave(main, tokens(general), documents, drawn)
