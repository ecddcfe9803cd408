"""DART: Italian summaries of product characteristics (RCP) of AIFA, cut into their numbered sections.

Upstream  https://huggingface.co/datasets/praiselab-picuslab/DART (gated; CC BY-NC, with or without ND), split `DART`
Format    `DART.csv`: one row per medicine; columns such as "Nome Medicinale", "04.1 Indicazioni terapeutiche"; cells
          hold line breaks
Split     train alone: upstream's only split
Quirks    not all columns were seen: a column whose name begins with a section number is text, any other is metadata
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import text_chunks
from ita_med.errors import DataError
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles

REPO = "praiselab-picuslab/DART"
FILE = "DART/DART.csv"
VERSION = "1.0.0"
SOURCES = (Hub(REPO, gated=True, allow_patterns=("DART.csv",)),)
CONFIGS = {"dart": "text"}
NAME = "Nome Medicinale"
SECTION = re.compile(r"(\d\d(?:\.\d+)?)\s")
SEEN_SECTIONS = {"04.1", "04.2", "04.3", "04.5", "04.8"}
LARGEST_CELL = 2**24


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("dart", "train", one document per medicine in the order of the rows) in chunks."""
    yield from text_chunks.chunks("dart", _medicines(files), report)


def _medicines(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("dart")
    for path, content in files.open(FILE):
        rows = _rows(content, f"dart: {path}")
        _, columns = next(rows)
        sections = [n for n, column in enumerate(columns) if SECTION.match(column)]
        for number, (where, row) in enumerate(rows):
            if len(row) != len(columns):
                raise DataError(f"{where} has {len(row)} cells, expected {len(columns)}")
            texts = [f"{columns[n]}\n{row[n].strip()}" for n in sections if row[n].strip()]
            meta = {columns[n]: row[n] for n in range(len(columns)) if n not in sections and row[n].strip()}
            yield TextExample(f"{number:05}", "\n\n".join(texts), REPO, entry.licence, entry.homepage, meta=meta)


def _rows(content: BinaryIO, where: str) -> Iterator[tuple[str, list[str]]]:
    """("NAME: PATH, line N", cells) of the header, which is checked, and of every row."""
    csv.field_size_limit(LARGEST_CELL)
    rows = csv.reader(io.TextIOWrapper(content, "utf-8-sig", newline=""), strict=True)
    try:
        header = [column.strip() for column in next(rows, [])]
        numbers = {found[1] for column in header if (found := SECTION.match(column))}
        if NAME not in header or not numbers >= SEEN_SECTIONS or len(set(header)) != len(header):
            raise DataError(
                f'{where} has the columns {header}, expected "{NAME}" and sections {sorted(SEEN_SECTIONS)} among them'
            )
        yield where, header
        while (row := next(rows, None)) is not None:
            if any("\0" in cell for cell in row):
                raise DataError(f"{where}, line {rows.line_num} holds a NUL, which no text holds; get the file again")
            yield f"{where}, line {rows.line_num}", row
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{where}, line {rows.line_num} is no CSV in UTF-8 ({error}); get the file again") from error
