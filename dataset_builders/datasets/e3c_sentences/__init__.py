"""E3C sentences: the Italian sentences of E3C layer 1 as published one by one on the Hub.

Upstream  NLP-FBK/e3c-sentences-IT-native on the Hub
Format    rows sentence, entities [{"id", "offsets": [start, end], "role", "semantic_type_id", "text", "type"}],
          original_text, original_id; offsets are characters of the sentence, end exclusive
Split     upstream's train, validation and test, by sentence: a document may lie in two (`document_in_two_splits`)
Quirks    a copy of part of the dataset e3c, with other counts: never count both; no file was seen, the columns are
          those of the card
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.errors import DataError
from ita_med.schema import Example, Span, SpanExample, check_span
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SOURCES = (Hub("NLP-FBK/e3c-sentences-IT-native"),)
CONFIGS = {"sentences": "spans"}
FOLDER = "e3c-sentences-IT-native"
SPLITS = ("train", "validation", "test")
COLUMNS = {"sentence", "entities", "original_text", "original_id"}
ENTITY_KEYS = {"id", "offsets", "role", "semantic_type_id", "text", "type"}
META_KEYS = ("id", "role", "semantic_type_id")
TYPES = ("CLINENTITY", "EVENT", "ACTOR", "BODYPART", "TIMEX3", "RML")
"""The mention types of E3C."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("sentences", split, one example per sentence in file order)."""
    for split, examples in sentences(files, FOLDER, report):
        yield "sentences", split, examples


def sentences(files: RawFiles, folder: str, report: BuildReport) -> Iterator[tuple[str, list[Example]]]:
    """Yield (split, its sentences in file order) of a repository with these columns."""
    seen: set[str] = set()
    for split in SPLITS:
        examples: list[Example] = []
        patterns = (f"{folder}/data/{split}-*", f"{folder}/{split}/*", f"{folder}/{split}*")
        for where, row in hub_rows.rows(files, patterns, COLUMNS):
            json_lines.require_text(row, COLUMNS - {"entities"}, where)
            report.warn("sentence_not_in_document", row["sentence"] not in row["original_text"])
            examples.append(_example(row, f"{split}-{len(examples):05}", where))
        documents = {example.doc_id for example in examples}
        report.warn("document_in_two_splits", len(documents & seen))
        seen |= documents
        yield split, examples


def _example(row: dict[str, Any], id: str, where: str) -> SpanExample:
    entities = row["entities"]
    if not row["original_id"]:
        raise DataError(f'{where}: "original_id" is empty, expected the id of the document')
    if not isinstance(entities, list):
        raise DataError(f"{where}: entities are {str(entities)[:40]}, expected a list of {sorted(ENTITY_KEYS)}")
    spans = [_span(entity, row["sentence"], f"{where}, entity {n}") for n, entity in enumerate(entities, 1)]
    kept = [{key: _text(entity[key]) for key in META_KEYS} for entity in entities]
    return SpanExample(id, row["original_id"], row["sentence"], spans, meta={"entities": kept} if kept else {})


def _span(entity: Any, sentence: str, where: str) -> Span:
    if not isinstance(entity, dict) or entity.keys() != ENTITY_KEYS:
        found = sorted(entity) if isinstance(entity, dict) else str(entity)[:40]
        raise DataError(f"{where} holds {found}, expected {sorted(ENTITY_KEYS)}")
    json_lines.require_text(entity, ("text", "type"), where)
    for key in META_KEYS:
        if entity[key] is not None and type(entity[key]) is not int:
            json_lines.require_text(entity, (key,), where)
    offsets = entity["offsets"]
    if not isinstance(offsets, list) or len(offsets) != 2 or any(type(offset) is not int for offset in offsets):
        raise DataError(f"{where}: offsets {str(offsets)[:40]}, expected [start, end]")
    if entity["type"] not in TYPES:
        raise DataError(f'{where}: type "{entity["type"]}", expected one of {list(TYPES)}')
    span = Span(offsets[0], offsets[1], entity["type"], entity["text"])
    if problem := check_span(span, sentence):
        raise DataError(f"{where}: {problem}")
    return span


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
