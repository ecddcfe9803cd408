"""Dyspnea notes: unannotated Italian emergency-department notes of the dyspnea task (CL4Health 2026).

Upstream  NLP-FBK/dyspnea-clinical-notes on the Hub, whose splits are languages (`it`, `en`): only `it` is read
Format    rows document_id ("1014081_it"), clinical_note
Split     train alone
Quirks    placeholders (RELATIVE) stand for persons; the English split is machine-translated; whether notes of
          dyspnea_crf are among these is not stated: compare ids and texts before training
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.errors import DataError
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles

REPO = "NLP-FBK/dyspnea-clinical-notes"
VERSION = "1.0.0"
SOURCES = (Hub(REPO),)
CONFIGS = {"notes": "text"}
FOLDER = "dyspnea-clinical-notes"
COLUMNS = {"document_id", "clinical_note"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("notes", "train", one example per note in file order)."""
    entry = catalogue.dataset("dyspnea_notes")
    counts = report.split("notes", "train")
    examples: dict[str, Example] = {}
    notes: set[str] = set()
    found = list(hub_rows.rows(files, f"{FOLDER}/data/it*", COLUMNS, required=False))
    for where, row in found or hub_rows.rows(files, f"{FOLDER}/it*", COLUMNS):
        json_lines.require_text(row, COLUMNS, where)
        doc_id, note = row["document_id"].removesuffix("_it"), row["clinical_note"]
        if doc_id in examples:
            raise DataError(f"{where}: document {row['document_id']} appears twice")
        if not note.strip():
            counts.drop("empty_note")
            continue
        report.warn("repeated_note", note in notes)
        notes.add(note)
        examples[doc_id] = TextExample(doc_id, note, REPO, entry.licence, entry.homepage)
    yield "notes", "train", list(examples.values())
