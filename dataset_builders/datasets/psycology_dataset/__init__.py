"""psycology-dataset-ita: questions and answers on psychology in Italian (the spelling is upstream's).

Upstream  https://huggingface.co/datasets/WasamiKirua/psycology-dataset-ita (Apache-2.0)
Format    `psycology-dataset-gpt-ita.jsonl`, 9.85k lines; its columns were not seen: one of the usual sets is expected
Split     train alone, as upstream
Quirks    no ids: a document is called by the number of its line
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, text_chunks
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles

REPO = "WasamiKirua/psycology-dataset-ita"
FILE = "psycology-dataset-gpt-ita.jsonl"
VERSION = "1.0.0"
SOURCES = (Hub(REPO, revision="0383dc6cf65225f039fba0547c218cecd80d6af6", allow_patterns=(FILE,)),)
CONFIGS = {"psycology_dataset": "text"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("psycology_dataset", "train", conversations in the order of the lines)."""
    yield from text_chunks.chunks("psycology_dataset", _conversations(files), report)


def _conversations(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("psycology_dataset")
    columns = map(set, text_chunks.USUAL_COLUMNS)
    for number, (where, row) in enumerate(hub_rows.stream(files, f"psycology-dataset-ita/{FILE}", *columns)):
        yield TextExample(f"{number:05}", text_chunks.usual_text(row, where), REPO, entry.licence, entry.homepage)
