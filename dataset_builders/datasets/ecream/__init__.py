"""eCream-MedCorpus (EDEN): Italian emergency-department notes, some with a 132-item case report form.

Upstream  NLP-FBK/ecream-emergency-department-notes on the Hub; arXiv 2606.12569
Format    expected by analogy with the dyspnea sets of the same group, not seen: rows document_id, clinical_note and, in
          the annotated files, annotations [{"item", "ground_truth"} × 132]; which files hold what is told by their
          names (see CRF and NOTES)
Split     notes: train. crf: none known; a note whose id has a sha256 that is divisible by 20 is validation (examples
          for prompts), all others test; never trained on
Quirks    items and options come from the file itself, see `items.form`; a note without a text is dropped
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.datasets.ecream import items
from ita_med.dataset_builders.formats import hub_rows, json_lines, text_chunks
from ita_med.errors import DataError
from ita_med.schema import Example, FormExample, Item, TextExample
from ita_med.sources import Hub, RawFiles

REPO = "NLP-FBK/ecream-emergency-department-notes"
VERSION = "1.0.0"
SOURCES = (Hub(REPO),)
CONFIGS = {"crf": "form", "notes": "text"}
FOLDER = "ecream-emergency-department-notes"
CRF = tuple(
    f"{FOLDER}/{place}" for place in ("crf/*", "annotated/*", "data/crf*", "data/annotated*", "crf*", "annotated*")
)
NOTES = tuple(
    f"{FOLDER}/{place}" for place in ("notes/*", "data/notes*", "data/it*", "data/train*", "notes*", "train*")
)
NOTE_COLUMNS = {"document_id", "clinical_note"}
CRF_COLUMNS = NOTE_COLUMNS | {"annotations"}
ITEM_COUNT = 132


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("crf", split, one form per note) and ("notes", "train", notes in chunks), each if it is there."""
    if "crf" in configs:
        groups = _forms(hub_rows.rows(files, CRF, CRF_COLUMNS, required=False, others=report))
        if not groups:
            report.missing["crf"] = _missing(files, CRF)
        for split, examples in groups.items():
            yield "crf", split, examples
    if "notes" in configs:
        pattern = next((p for p in NOTES if next(files.open(p, required=False), None)), None)
        if pattern is None:
            report.missing["notes"] = _missing(files, NOTES)
            return
        yield from text_chunks.chunks(
            "notes", _notes(hub_rows.stream(files, pattern, NOTE_COLUMNS, others=report)), report
        )


def _missing(files: RawFiles, patterns: tuple[str, ...]) -> str:
    folder = files.root / FOLDER
    found = (
        sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    )
    return f"no file {' or '.join(patterns)} with rows, found {found[:8] or 'nothing'} in {folder}"


def _notes(rows: Iterator[hub_rows.HubRow]) -> Iterator[TextExample]:
    entry = catalogue.dataset("ecream")
    for where, row in rows:
        json_lines.require_text(row, NOTE_COLUMNS, where)
        yield TextExample(_name(row, where), row["clinical_note"], REPO, entry.licence, entry.homepage)


def _forms(rows: Iterator[hub_rows.HubRow]) -> dict[str, list[Example]]:
    """Split -> forms; the kinds and options of their items are known once all are read."""
    read: list[tuple[str, str, dict[str, str]]] = []
    ids: set[str] = set()
    names: set[str] = set()
    for where, row in rows:
        json_lines.require_text(row, NOTE_COLUMNS, where)
        name = _name(row, where)
        if name in ids:
            raise DataError(f"{where}: document {row['document_id']} appears twice")
        ids.add(name)
        if not row["clinical_note"].strip():
            raise DataError(f'{where}: "clinical_note" of {name} is empty, expected a text')
        values = _values(row["annotations"], f"{where}, {name}")
        names = names or set(values)
        if odd := names ^ set(values):
            raise DataError(f'{where}: {name} and the first note differ in the item "{min(odd)}", expected one form')
        read.append((name, row["clinical_note"], values))
    form = items.form([values for _, _, values in read])
    splits: dict[str, list[Example]] = {"validation": [], "test": []} if read else {}
    for name, note, values in read:
        filled = [Item(item, *form[item], values[item]) for item in form]
        splits[split_of(name)].append(FormExample(name, name, note, filled))
    return {split: examples for split, examples in splits.items() if examples}


def split_of(doc_id: str) -> str:
    digest = hashlib.sha256(doc_id.encode()).hexdigest()
    return "test" if int(digest, 16) % 20 else "validation"


def _name(row: dict[str, Any], where: str) -> str:
    """The note's id without its language."""
    name: str = row["document_id"].removesuffix("_it")
    if not name:
        raise DataError(f'{where}: "document_id" is empty')
    return name


def _values(annotations: Any, where: str) -> dict[str, str]:
    """Item -> value of one form."""
    if not isinstance(annotations, list) or len(annotations) != ITEM_COUNT:
        found = f"{len(annotations)} items" if isinstance(annotations, list) else repr(annotations)[:40]
        raise DataError(f"{where}: {found}, expected {ITEM_COUNT} items")
    values: dict[str, str] = {}
    for annotation in annotations:
        if not isinstance(annotation, dict) or annotation.keys() != {"item", "ground_truth"}:
            held = sorted(annotation) if isinstance(annotation, dict) else repr(annotation)[:40]
            raise DataError(f"{where}: an annotation holds {held}, expected item and ground_truth")
        json_lines.require_text(annotation, ("item", "ground_truth"), where)
        if annotation["item"] in values:
            raise DataError(f'{where}: item "{annotation["item"]}" appears twice')
        values[annotation["item"]] = annotation["ground_truth"].strip()
    return values
