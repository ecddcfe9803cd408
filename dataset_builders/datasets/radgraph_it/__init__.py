"""RadGraph-IT: anatomy, observations and their relations in Italian radiology reports (RadGraph-XL schema).

Upstream  radgraphIT/RadGraph-IT-Dataset on the Hub; code at https://github.com/therabo/RadGraph-IT
Format    JSON: {DOCUMENT: {"text", "entities": {ID: {"tokens", "label", "start_ix", "end_ix",
          "relations": [[LABEL, ID], …]}}, "data_source", "data_split"}}; indices count white-space tokens, the last
          one included
Split     `data_split` where it says train, dev or test; where it is null or "inference" (`no_upstream_split`), a fixed
          split: a document is test if the first 8 hex digits of sha256(file name without .json + "/" + document), as
          a number modulo 5, are 0
Quirks    no file of the release was seen: the format is that of the one document in upstream's tests; a label joins
          kind and certainty ("Observation::definitely absent")
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders.formats import json_lines
from ita_med.errors import DataError
from ita_med.schema import Example, Relation, RelationExample, Span
from ita_med.sources import Hub, RawFiles
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = (Hub("radgraphIT/RadGraph-IT-Dataset"),)
CONFIGS = {"radgraph": "relations"}
PATTERN = "RadGraph-IT-Dataset/*.json"
SPLITS = {"train": "train", "dev": "validation", "validation": "validation", "test": "test"}
NO_SPLIT = (None, "inference")
LABEL = re.compile("(Anatomy|Observation)(::measurement)?::(definitely present|definitely absent|uncertain)")
RELATIONS = ("located_at", "modify", "suggestive_of")
DOCUMENT_KEYS = {"text", "entities", "data_source", "data_split"}
ENTITY_KEYS = {"tokens", "label", "start_ix", "end_ix", "relations"}
TEST_SHARE = 5


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("radgraph", split, one example per report in file order)."""
    splits: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    for path, content in files.find(PATTERN):
        where = f"radgraph_it: {path}"
        try:
            documents = json_lines.loads(decode(content, where))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is not JSON ({error}); get the file again") from error
        if not isinstance(documents, dict):
            raise DataError(f"{where} holds no object of documents, expected {{DOCUMENT: {{text, entities, …}}}}")
        for key, document in documents.items():
            name = f"{PurePosixPath(path).stem}/{key}"
            json_lines.require_text({"document": name}, ("document",), where)
            _check_keys(document, DOCUMENT_KEYS, f"{where}, document {key}")
            split = _split(document["data_split"], name, f"{where}, document {key}", report)
            counts = report.split("radgraph", split)
            splits[split].append(_example(name, document, f"{where}, document {key}", counts))
    for split, examples in splits.items():
        if examples:
            yield "radgraph", split, examples


def _split(value: Any, name: str, where: str, report: BuildReport) -> str:
    if isinstance(value, str) and value in SPLITS:
        return SPLITS[value]
    if value not in NO_SPLIT:
        raise DataError(f'{where}: data_split "{value}", expected one of {[*SPLITS, *NO_SPLIT]}')
    report.warn("no_upstream_split")
    digest = hashlib.sha256(name.encode()).hexdigest()
    return "test" if int(digest[:8], 16) % TEST_SHARE == 0 else "train"


def _example(name: str, document: dict[str, Any], where: str, counts: SplitReport) -> RelationExample:
    json_lines.require_text(document, ("text",) if document["data_source"] is None else ("text", "data_source"), where)
    text, entities = document["text"], document["entities"]
    if not isinstance(entities, dict):
        raise DataError(f"{where}: entities are no object, expected {{ID: {{tokens, label, …}}}}")
    tokens = [match.span() for match in re.finditer(r"\S+", text)]
    spans = [_span(entity, text, tokens, f"{where}, entity {key}") for key, entity in entities.items()]
    index = {key: n for n, key in enumerate(entities)}
    links = [
        (index[key], *_link(link, index, f"{where}, entity {key}"))
        for key, entity in entities.items()
        for link in entity["relations"]
    ]
    distinct = dict.fromkeys(links)
    counts.drop("repeated_relation", len(links) - len(distinct))
    meta = {"data_source": document["data_source"], "data_split": document["data_split"]}
    return RelationExample(
        name, name, text, spans, [Relation(head, tail, label) for head, tail, label in distinct], meta=meta
    )


def _span(entity: Any, text: str, tokens: list[tuple[int, int]], where: str) -> Span:
    _check_keys(entity, ENTITY_KEYS, where)
    json_lines.require_text(entity, ("tokens", "label"), where)
    first, last = entity["start_ix"], entity["end_ix"]
    if type(first) is not int or type(last) is not int or not 0 <= first <= last < len(tokens):
        raise DataError(f"{where}: tokens {first} to {last}, expected 0 to {len(tokens) - 1} (end inclusive)")
    if not LABEL.fullmatch(entity["label"]):
        raise DataError(f'{where}: label "{entity["label"]}", expected "{LABEL.pattern}"')
    if not isinstance(entity["relations"], list):
        raise DataError(f"{where}: relations are no list, expected [[LABEL, ID], …]")
    start, end = tokens[first][0], tokens[last][1]
    found = text[start:end]
    if found.split() != entity["tokens"].split():
        raise DataError(f'{where}: tokens {first} to {last} read "{found}", expected "{entity["tokens"]}"')
    return Span(start, end, entity["label"], found)


def _link(link: Any, index: dict[str, int], where: str) -> tuple[int, str]:
    if not isinstance(link, list) or len(link) != 2 or not all(isinstance(part, str) for part in link):
        raise DataError(f"{where}: relation {str(link)[:60]}, expected [LABEL, ID]")
    label, target = link
    if label not in RELATIONS:
        raise DataError(f'{where}: relation "{label}", expected one of {list(RELATIONS)}')
    if target not in index:
        raise DataError(f'{where}: relation {label} points to entity "{target}", which the document does not hold')
    return index[target], label


def _check_keys(record: Any, keys: set[str], where: str) -> None:
    found = sorted(record) if isinstance(record, dict) else type(record).__name__
    if not isinstance(record, dict) or record.keys() != keys:
        raise DataError(f"{where} holds {found}, expected the keys {sorted(keys)}")
