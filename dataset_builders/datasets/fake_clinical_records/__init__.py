"""fake-clinical-records: synthetic Italian clinical records.

Upstream  https://huggingface.co/datasets/erixhensBTE/fake-clinical-records (no licence)
Format    `output.jsonl`; its columns were not seen: one of the usual sets is expected
Split     train alone, as upstream
Quirks    fewer than 1,000 records; no ids: a document is called by the number of its line
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, text_chunks
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles

REPO = "erixhensBTE/fake-clinical-records"
VERSION = "1.0.0"
SOURCES = (Hub(REPO, revision="dc19ec99ffcf3e760d46021ab2ba42d6b941f15f", allow_patterns=("output.jsonl",)),)
CONFIGS = {"fake_clinical_records": "text"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("fake_clinical_records", "train", records in the order of the lines)."""
    yield from text_chunks.chunks("fake_clinical_records", _records(files), report)


def _records(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("fake_clinical_records")
    columns = map(set, text_chunks.USUAL_COLUMNS)
    for number, (where, row) in enumerate(hub_rows.stream(files, "fake-clinical-records/output.jsonl", *columns)):
        yield TextExample(f"{number:04}", text_chunks.usual_text(row, where), REPO, entry.licence, entry.homepage)
