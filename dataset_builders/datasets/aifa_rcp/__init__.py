"""AIFA RCP: a spreadsheet of Italian product characteristics, collected as coursework.

Upstream  https://github.com/humayoonbaig/construction-of-a-dataset-on-Italian-Medicines (no open licence)
Format    FINAL_UPDATED_XLSX.xlsx, sheet FINAL_UPDATED: 330 rows, 19 columns; 4.1 to 4.9 and 6.2 are sections
Split     train alone
Quirks    33 rows have no text; the other 297 repeat 104 texts; the AIC code lost its leading zero; a section that was
          not found reads "Not found"
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from ita_med import catalogue
from ita_med.archives import BROKEN, MAX_FILE_BYTES
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import text_chunks
from ita_med.errors import DataError, MissingPackage
from ita_med.schema import Example, TextExample
from ita_med.sources import GitHub, RawFiles

REPO = "humayoonbaig/construction-of-a-dataset-on-Italian-Medicines"
FILE = "FINAL_UPDATED_XLSX.xlsx"
SHEET = "FINAL_UPDATED"
VERSION = "1.0.0"
SOURCES = (GitHub(REPO, commit="13342fd2772920fac50ab921483e7e9380a0eba8", files=(FILE,)),)
CONFIGS = {"aifa_rcp": "text"}
SECTIONS = ("4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "6.2")
COLUMNS = (
    "Principio Attivo", "Descrizione Gruppo", "Denominazione e Confezione", "Titolare AIC", "AIC",
    "Codice Gruppo Equivalenza", "Classe", "Codice ATC", *SECTIONS, "Remarks",
)  # fmt: skip
"""In this order; the names of the sections go on after their number."""
NOTHING = {"", "not found"}
AIC_DIGITS = 9


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("aifa_rcp", "train", one document per row that has text)."""
    yield from text_chunks.chunks("aifa_rcp", _medicines(files), report)


def _medicines(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("aifa_rcp")
    where = f"aifa_rcp: {FILE}"
    rows = _rows(files.read(FILE), where)
    header = next(rows, ())
    if len(header) != len(COLUMNS) or not all(map(_is_column, header, COLUMNS)):
        raise DataError(f"{where}, sheet {SHEET} has the columns {list(header)}, expected {list(COLUMNS)}")
    for number, cells in enumerate(rows, 2):
        if not any(cells):
            continue
        row = dict(zip(COLUMNS, cells, strict=True))
        texts = [row.pop(section) for section in SECTIONS]
        meta = {column: value for column, value in row.items() if value} | {"AIC": row["AIC"].zfill(AIC_DIGITS)}
        text = "\n\n".join(text for text in texts if text.lower() not in NOTHING)
        yield TextExample(f"{number:04}", text, REPO, entry.licence, entry.homepage, meta=meta)


def _is_column(found: str, expected: str) -> bool:
    return found == expected or (expected in SECTIONS and found.startswith(f"{expected} "))


def _rows(content: bytes, where: str) -> Iterator[tuple[str, ...]]:
    """The cells of every row as stripped texts."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise MissingPackage("aifa_rcp", "corpora", error) from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            if sum(member.file_size for member in opened.infolist()) > MAX_FILE_BYTES:
                raise DataError(f"{where} would unpack to more than {MAX_FILE_BYTES:,} bytes")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        if SHEET not in book.sheetnames:
            raise DataError(f"{where} has the sheets {book.sheetnames}, expected {SHEET}")
        for row in book[SHEET].iter_rows(values_only=True):
            yield tuple(map(_text, row))
    except (*BROKEN, KeyError, SyntaxError) as error:
        raise DataError(f"{where} is no spreadsheet ({error}); get it again") from error


def _text(cell: Any) -> str:
    """A number is written without a fraction: the AIC code is one."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()
