"""CLinkaRT (EVALITA 2023): test results (RML) linked to their tests (EVENT) in Italian clinical cases.

Upstream  https://e3c.fbk.eu/clinkart (CC BY-NC 4.0); the files come from the task's site only
Format    PubTator-like: `docid|t|text`, then one line per link, `docid REL 12-18 0-9 RML-text EVENT-text` with TABs;
          a blank line ends a document; character offsets, end exclusive
Split     train alone: the layout of the test files is not known
Quirks    a result may belong to several tests and a test to several results; documents without a link are kept
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders.formats import iob
from ita_med.errors import DataError
from ita_med.schema import Example, Relation, RelationExample, Span, check_span
from ita_med.sources import RawFiles
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = ()
CONFIGS = {"clinkart": "relations"}
FILE = "Clinkart_training_data/training.txt"
LABEL = "PERTAINSTO"
"""The name of the same link in E3C."""
LINE = "docid, REL, start-end, start-end, RML text and EVENT text with TABs"


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("clinkart", "train", one example per document in file order)."""
    where = f"clinkart: {FILE}"
    counts = report.split("clinkart", "train")
    examples: dict[str, Example] = {}
    for block in iob.blocks(decode(files.read(FILE), where)):
        example = _document(block, where, counts)
        if example.id in examples:
            raise DataError(f"{where}, line {block[0][0]}: document {example.id} appears twice")
        examples[example.id] = example
    yield "clinkart", "train", list(examples.values())


def _document(block: list[tuple[int, str]], where: str, counts: SplitReport) -> RelationExample:
    number, line = block[0]
    parts = line.split("|", 2)
    if len(parts) != 3 or not parts[0].strip() or parts[1] != "t" or not parts[2].strip():
        raise DataError(f'{where}, line {number}: "{line[:60]}", expected docid|t|text')
    doc_id, text = parts[0], parts[2]
    links = [_link(line, doc_id, text, f"{where}, line {number}") for number, line in block[1:]]
    found = {(span.start, span.end, span.label): span for pair in links for span in pair}
    keys = sorted(found)
    index = {key: n for n, key in enumerate(keys)}
    ends = [tuple(index[span.start, span.end, span.label] for span in pair) for pair in links]
    distinct = dict.fromkeys(ends)
    counts.drop("repeated_link", len(ends) - len(distinct))
    return RelationExample(
        doc_id, doc_id, text, [found[key] for key in keys], [Relation(head, tail, LABEL) for head, tail in distinct]
    )


def _link(line: str, doc_id: str, text: str, where: str) -> tuple[Span, Span]:
    parts = line.split("\t")
    if len(parts) != 6 or parts[1] != "REL":
        raise DataError(f'{where}: "{line[:60]}", expected {LINE}')
    if parts[0] != doc_id:
        raise DataError(f'{where}: document "{parts[0]}", expected "{doc_id}" as in the text above')
    return _span(parts[2], "RML", parts[4], text, where), _span(parts[3], "EVENT", parts[5], text, where)


def _span(offsets: str, label: str, mention: str, text: str, where: str) -> Span:
    match = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", offsets)
    if not match:
        raise DataError(f'{where}: offsets "{offsets}" of the {label}, expected start-end')
    span = Span(int(match[1]), int(match[2]), label, mention)
    if problem := check_span(span, text):
        raise DataError(f"{where}: {label} {problem}")
    return span
