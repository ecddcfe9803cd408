"""Dyspnea CRF: Italian emergency-department notes with a 134-item case report form (CL4Health 2026, CRF filling).

Upstream  gold of the development notes: https://github.com/hltfbk/CRF-filling-CL4Health2026; notes, train and test:
          NLP-FBK/dyspnea-crf-{development,train,test} on the Hub, whose splits are languages (`it`, `en`)
Format    GitHub: JSON Lines {"document_id": "1014081", "annotations": [{"ground_truth", "item"} × 134]};
          Hub: rows document_id ("1014081_it"), clinical_note, annotations
Split     train 10 notes, validation 80, test 200 whose gold is hidden upstream: its values stay empty
Quirks    item names and values are English; 96 % of the values are "unknown"; figures are raw ("Hb 12", "95%");
          one `ph` reads "walking independently" and is kept
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.datasets.dyspnea_crf.items import MEASURED, OPTIONS
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.errors import DataError
from ita_med.schema import UNKNOWN, UNKNOWN_VALUES, Example, FormExample, Item
from ita_med.sources import GitHub, Hub, RawFiles
from ita_med.text import decode

GOLD_FILE = "development_data/dev_gt.jsonl"
NOTES = {"train": "dyspnea-crf-train", "validation": "dyspnea-crf-development", "test": "dyspnea-crf-test"}
VERSION = "1.0.0"
SOURCES = (
    GitHub(
        "hltfbk/CRF-filling-CL4Health2026",
        commit="139b2f39942e1b32f9acc4a0589d337cc1836c58",
        files=(GOLD_FILE,),
    ),
    *(Hub(f"NLP-FBK/{name}") for name in NOTES.values()),
)
CONFIGS = {
    "gold": "form",  # the 80 development forms alone, without their notes
    "dyspnea": "form",  # notes and forms
}
ITEM_COUNT = 134
HUB_COLUMNS = {"document_id", "clinical_note", "annotations"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, one form per note); `dyspnea` only where the notes are there."""
    gold = _gold(files)
    if "gold" in configs:
        yield (
            "gold",
            "validation",
            [FormExample(i, i, "", form_items(a, f"dyspnea_crf: {GOLD_FILE}, {i}")) for i, a in gold.items()],
        )
    if "dyspnea" not in configs:
        return
    if not files.has(NOTES["validation"]):
        report.warn("note_missing", len(gold))
        report.missing["dyspnea"] = (
            f"the {len(gold)} development notes are not in {files.root / NOTES['validation']}: only the gold values "
            "are on GitHub; the notes are on the Hub (NLP-FBK/dyspnea-crf-development)"
        )
        return
    for split, folder in NOTES.items():
        if split != "validation" and not files.has(folder):
            report.warn(f"{split}_missing")
            continue
        yield "dyspnea", split, list(_joined(files, folder, split, gold, report))


def _gold(files: RawFiles) -> dict[str, list[dict[str, str]]]:
    """Document id -> its annotations, in file order."""
    where = f"dyspnea_crf: {GOLD_FILE}"
    text = decode(files.read(GOLD_FILE), where)
    gold: dict[str, list[dict[str, str]]] = {}
    for number, record in json_lines.records(text, {"document_id", "annotations"}, where):
        json_lines.require_text(record, ("document_id",), f"{where}, line {number}")
        if record["document_id"] in gold:
            raise DataError(f"{where}, line {number}: document {record['document_id']} appears twice")
        gold[record["document_id"]] = record["annotations"]
    return gold


def _joined(
    files: RawFiles, folder: str, split: str, gold: dict[str, list[dict[str, str]]], report: BuildReport
) -> Iterator[Example]:
    counts = report.split("dyspnea", split)
    rows: dict[str, dict[str, Any]] = {}
    found = list(hub_rows.rows(files, f"{folder}/data/it*", HUB_COLUMNS, required=False))
    for where, row in found or hub_rows.rows(files, f"{folder}/it*", HUB_COLUMNS):
        json_lines.require_text(row, ("document_id", "clinical_note"), where)
        doc_id = row["document_id"].removesuffix("_it")
        if doc_id in rows:
            raise DataError(f"{where}: document {row['document_id']} appears twice")
        rows[doc_id] = row
    if split == "validation":
        if absent := gold.keys() - rows.keys():
            counts.drop("note_missing", len(absent))
        if extra := rows.keys() - gold.keys():
            counts.drop("gold_missing", len(extra))
    for doc_id, row in rows.items():
        items = form_items(row["annotations"], f"dyspnea_crf: {folder}, {row['document_id']}")
        if split == "validation":
            if doc_id not in gold:
                continue
            published = form_items(gold[doc_id], f"dyspnea_crf: {GOLD_FILE}, {doc_id}")
            report.warn("hub_gold_differs", items != published)
            items = published
        hidden = {"gold": "hidden"} if split == "test" else {}
        yield FormExample(doc_id, doc_id, row["clinical_note"], items, meta=hidden)


def form_items(annotations: Any, where: str) -> list[Item]:
    """The 134 items of a form from upstream's annotations; anything unexpected is a DataError at `where`."""
    if not isinstance(annotations, list) or len(annotations) != ITEM_COUNT:
        found = len(annotations) if isinstance(annotations, list) else 0
        raise DataError(f"{where}: {found} items, expected {ITEM_COUNT}")
    items = []
    for annotation in annotations:
        if not isinstance(annotation, dict) or annotation.keys() != {"item", "ground_truth"}:
            keys = sorted(annotation) if isinstance(annotation, dict) else annotation
            raise DataError(f"{where}: an annotation holds {keys}, expected item and ground_truth")
        json_lines.require_text(annotation, ("item",), where)
        name = annotation["item"]
        if annotation["ground_truth"] is None:  # hidden gold
            annotation = annotation | {"ground_truth": ""}
        json_lines.require_text(annotation, ("ground_truth",), f'{where}, "{name}"')
        value = annotation["ground_truth"]
        if name in MEASURED:
            items.append(Item(name, "text", [], value))
        elif name not in OPTIONS:
            raise DataError(f'{where}: unknown item "{name}"')
        elif value not in OPTIONS[name] and value not in UNKNOWN_VALUES:
            raise DataError(f'{where}: "{name}" is "{value}", expected one of {[*OPTIONS[name], UNKNOWN]}')
        else:
            items.append(Item(name, "categorical", OPTIONS[name], value))
    return items
