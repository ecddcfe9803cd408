"""EMEA: the Italian side of the European Medicines Agency's documents, aligned with English line by line.

Upstream  OPUS EMEA v3, https://object.pouta.csc.fi/OPUS-EMEA/v3/moses/en-it.txt.zip (Moses format)
Format    `EMEA.en-it.it` and `EMEA.en-it.en`: one sentence or fragment per line, line N of one translates line N of the
          other
Split     train alone
Quirks    PDF turned into text: fragments, tables, repeated lines; nothing is de-duplicated or joined here, so that an
          id still leads to the English line
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import text_chunks
from ita_med.errors import DataError
from ita_med.schema import Example, TextExample
from ita_med.sources import RawFiles, Url
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = (Url("https://object.pouta.csc.fi/OPUS-EMEA/v3/moses/en-it.txt.zip", "en-it.txt.zip"),)
CONFIGS = {"emea": "text"}
ITALIAN, ENGLISH = "EMEA.en-it.it", "EMEA.en-it.en"


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("emea", "train", one document per Italian line that is not empty) in chunks."""
    lines = {path: _count(content) for name in (ITALIAN, ENGLISH) for path, content in files.open(name)}
    if lines[ITALIAN] != lines[ENGLISH]:
        counts = f"{lines[ITALIAN]:,} lines, {ENGLISH} {lines[ENGLISH]:,}"
        raise DataError(f"emea: {ITALIAN} has {counts}; they must be aligned line by line: get them again")
    yield from text_chunks.chunks("emea", _lines(files), report)


def _count(content: BinaryIO) -> int:
    return sum(1 for _ in content)


def _lines(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("emea")
    for path, content in files.open(ITALIAN):
        for number, line in enumerate(content, 1):
            text = decode(line, f"emea: {path}, line {number}").strip()
            yield TextExample(f"line-{number:07}", text, "OPUS EMEA v3", entry.licence, entry.homepage)
