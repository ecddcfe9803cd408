"""BioBERT_Italian: PubMed abstracts translated into Italian by machine, the text behind BioBIT.

Upstream  https://huggingface.co/datasets/IVN-RIN/BioBERT_Italian (CC BY-SA 4.0)
Format    Parquet files `data/train-*` with the column `text`; 17,203,146 rows, 27.3 GB of text, a 14.9 GB download
Split     train alone, as upstream
Quirks    no ids: a document is called by the number of its row
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, text_chunks
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles

REPO = "IVN-RIN/BioBERT_Italian"
VERSION = "1.0.0"
SOURCES = (Hub(REPO, revision="e28c7de815ddb47cfe6a091d2d99bd81f14b0316", allow_patterns=("data/train-*",)),)
CONFIGS = {"biobert_italian": "text"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("biobert_italian", "train", abstracts in the order of files and rows) in chunks."""
    yield from text_chunks.chunks("biobert_italian", _abstracts(files), report)


def _abstracts(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("biobert_italian")
    for number, (where, row) in enumerate(hub_rows.stream(files, "BioBERT_Italian/data/train-*", {"text"})):
        text = text_chunks.require_text(row["text"], "text", where)
        yield TextExample(f"{number:08}", text, REPO, entry.licence, entry.homepage)
