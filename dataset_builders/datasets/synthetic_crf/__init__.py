"""Synthetic CRF: synthetic Italian emergency notes with the 134-item form of the dyspnea task (CL4Health 2026).

Upstream  NLP-FBK/synthetic-crf-train on the Hub, whose splits are languages (`it`, `en`): only `it` is read
Format    rows document_id, clinical_note, annotations [{"item", "ground_truth"} × 134], as in dyspnea_crf
Split     train alone
Quirks    item names and values are English; no file was seen: columns and form are those of the sister sets
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.datasets.dyspnea_crf import HUB_COLUMNS, form_items
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.errors import DataError
from ita_med.schema import Example, FormExample
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SOURCES = (Hub("NLP-FBK/synthetic-crf-train"),)
CONFIGS = {"synthetic": "form"}
FOLDER = "synthetic-crf-train"


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("synthetic", "train", one form per note in file order)."""
    examples: dict[str, Example] = {}
    notes: set[str] = set()
    found = list(hub_rows.rows(files, f"{FOLDER}/data/it*", HUB_COLUMNS, required=False))
    for where, row in found or hub_rows.rows(files, f"{FOLDER}/it*", HUB_COLUMNS):
        json_lines.require_text(row, ("document_id", "clinical_note"), where)
        doc_id, note = row["document_id"].removesuffix("_it"), row["clinical_note"]
        if doc_id in examples:
            raise DataError(f"{where}: document {row['document_id']} appears twice")
        if not note.strip():
            raise DataError(f'{where}: "clinical_note" of {row["document_id"]} is empty, expected a text')
        report.warn("repeated_note", note in notes)
        notes.add(note)
        examples[doc_id] = FormExample(doc_id, doc_id, note, form_items(row["annotations"], where))
    yield "synthetic", "train", list(examples.values())
