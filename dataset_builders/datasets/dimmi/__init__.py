"""DIMMI: five facts (molecule, usage, interactions, posology, side effects) from Italian drug leaflets.

Upstream  RafaMann/DIMMI on the Hub (CC BY 4.0; CEUR Vol-3878, CALAMITA challenge)
Format    data/dimmi_600.parquet or data/dimmi_600.tsv: a row per leaflet with `text` and one column per fact, a list of
          texts; in TSV a list is written out ("['…', '…']"); further columns are not known and not read
Split     test alone: 600 leaflets to evaluate on
Quirks    columns as upstream's evaluation code reads them, no file was seen; lists with apostrophes may be written out
          wrongly and are then kept as one text (warning `list_as_text`)
"""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.errors import DataError
from ita_med.schema import UNKNOWN, Example, FormExample, Item
from ita_med.sources import Hub, RawFiles
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = (Hub("RafaMann/DIMMI"),)
CONFIGS = {"leaflets": "form"}
PARQUET = ("DIMMI/data/dimmi_600*.parquet", "DIMMI/dimmi_600*.parquet")
TSV = ("DIMMI/data/dimmi_600.tsv", "DIMMI/dimmi_600.tsv")
FACTS = ("molecule", "usage", "drug_interaction", "posology", "side_effect")
COLUMNS = {"text", *FACTS}
SEPARATOR = "; "
"""Between the entries of a fact in `value`; the list itself is in `meta`."""
MAX_CELL = 2**24


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("leaflets", "test", one form per leaflet in file order)."""
    examples: list[Example] = []
    texts: set[str] = set()
    for number, (where, row) in enumerate(_rows(files, report), 1):
        json_lines.require_text(row, ("text",), where)
        text = row["text"].strip()
        if not text:
            raise DataError(f'{where}: "text" is empty, expected a leaflet')
        report.warn("repeated_leaflet", text in texts)
        texts.add(text)
        facts = {name: _entries(row[name], f"{where}, {name}", report) for name in FACTS}
        items = [Item(name, "text", [], SEPARATOR.join(facts[name]) or UNKNOWN) for name in FACTS]
        examples.append(FormExample(f"dimmi-{number:03}", f"dimmi-{number:03}", text, items, meta={"entries": facts}))
    yield "leaflets", "test", examples


def _rows(files: RawFiles, report: BuildReport) -> Iterator[hub_rows.HubRow]:
    """The leaflets from Parquet, which keeps lists as lists, else from TSV."""
    if rows := list(hub_rows.rows(files, PARQUET, COLUMNS, required=False, others=report)):
        yield from rows
        return
    found = files.find(TSV[1], required=False) or files.find(TSV[0])
    for path, content in found:
        yield from _tsv(decode(content, f"dimmi: {path}"), f"dimmi: {path}", report)


def _tsv(content: str, where: str, report: BuildReport) -> Iterator[hub_rows.HubRow]:
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter="\t", strict=True)
    header: list[str] = []
    try:
        for number, cells in enumerate(reader):
            if not header:
                header = cells
                if not set(header) >= COLUMNS or len(set(header)) != len(header):
                    raise DataError(f"{where} has the columns {header}, expected at least {sorted(COLUMNS)}")
                report.warn("column_not_read", len(set(header) - COLUMNS))
            elif len(cells) != len(header):
                raise DataError(f"{where}, row {number} has {len(cells)} cells, expected {len(header)}: {header}")
            else:
                yield f"{where}, row {number}", dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {error}; get the file again") from error


def _entries(value: Any, where: str, report: BuildReport) -> list[str]:
    """The entries of a fact without white space around them; an empty fact is an empty list."""
    if value is None:
        return []
    if isinstance(value, str):
        value = _written_list(value.strip(), report)
    if not isinstance(value, list):
        raise DataError(f"{where}: {repr(value)[:60]}, expected a list of texts")
    json_lines.require_text({str(n): entry for n, entry in enumerate(value)}, map(str, range(len(value))), where)
    return [entry.strip() for entry in value if entry.strip()]


def _written_list(text: str, report: BuildReport) -> Any:
    if not text.startswith("["):
        return [text]
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        report.warn("list_as_text")
        return [text]
    return found
