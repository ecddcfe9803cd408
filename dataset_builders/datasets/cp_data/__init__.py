"""CP-data: the continual pre-training data of arXiv 2602.17475, chunks of emergency notes and of other medical text.

Upstream  NLP-FBK/adapt-sllm-italian-medical-tasks-CP-data on the Hub; only its config `clinical` is known by name.
          The data may move or be renamed: the environment variable ITA_MED_CP_DATA_ID names another repository
Format    Parquet files `clinical/train-*`, column `chunk` with or without `id`; no file was seen
Split     train alone
Quirks    the texts are chunks of notes, not notes; the config of the other 175M words has no known name
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, text_chunks
from ita_med.schema import Example, TextExample
from ita_med.sources import EMBEDDED, Hub, RawFiles

DEFAULT_REPO = "NLP-FBK/adapt-sllm-italian-medical-tasks-CP-data"
REPO = os.environ.get("ITA_MED_CP_DATA_ID") or DEFAULT_REPO
VERSION = "1.0.0"
SOURCES = (Hub(REPO, allow_patterns=("clinical/*",)),)
CONFIGS = {"clinical": "text"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("clinical", "train", chunks of notes in the order of files and rows) in chunks."""
    yield from text_chunks.chunks("clinical", _chunks(files), report)


def _chunks(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("cp_data")
    repo = DEFAULT_REPO if files.kind == EMBEDDED else REPO
    pattern = f"{repo.rpartition('/')[2]}/clinical/train-*"
    for number, (where, row) in enumerate(hub_rows.stream(files, pattern, {"id", "chunk"}, {"chunk"})):
        text = text_chunks.require_text(row["chunk"], "chunk", where)
        meta = {"id": row["id"]} if row.get("id") is not None else {}
        yield TextExample(f"clinical-{number:07}", text, repo, entry.licence, entry.homepage, meta=meta)
