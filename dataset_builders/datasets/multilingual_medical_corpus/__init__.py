"""Multilingual-Medical-Corpus: the Italian part of HiTZ's pre-training corpus, a mix of native and translated text.

Upstream  https://huggingface.co/datasets/HiTZ/Multilingual-Medical-Corpus (Apache-2.0), whose splits are languages
Format    Parquet files `data/it-*` with the column `text`; 3,504,555 rows, 1.02 GB
Split     train alone: upstream's split `it`
Quirks    no ids, and no word on which rows are translations
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, text_chunks
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles

REPO = "HiTZ/Multilingual-Medical-Corpus"
VERSION = "1.0.0"
SOURCES = (Hub(REPO, revision="4b35e0792692c696d77933a96552f06f6a36258b", allow_patterns=("data/it-*",)),)
CONFIGS = {"multilingual_medical_corpus": "text"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("multilingual_medical_corpus", "train", texts in the order of files and rows) in chunks."""
    yield from text_chunks.chunks("multilingual_medical_corpus", _texts(files), report)


def _texts(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("multilingual_medical_corpus")
    for number, (where, row) in enumerate(hub_rows.stream(files, "Multilingual-Medical-Corpus/data/it-*", {"text"})):
        text = text_chunks.require_text(row["text"], "text", where)
        yield TextExample(f"{number:07}", text, REPO, entry.licence, entry.homepage)
