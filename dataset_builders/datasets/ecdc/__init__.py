"""ECDC-TM: Italian translations of the public-health pages of the European Centre for Disease Prevention and Control.

Upstream  https://joint-research-centre.ec.europa.eu/language-technology-resources/ecdc-translation-memory_en
Format    `ECDC-TM/ECDC.tmx` in ECDC-TM.zip: a translation memory, one `tu` per segment, in it one `tuv` per language
Split     train alone
Quirks    languages are written in capitals (xml:lang="IT"); not every segment has Italian
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from lxml import etree

from ita_med import catalogue
from ita_med.borrowed.lxml_inside import XmlElement
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import text_chunks
from ita_med.errors import DataError
from ita_med.schema import Example, TextExample
from ita_med.sources import RawFiles, Url

VERSION = "1.0.0"
SOURCES = (Url("https://wt-public.emm4u.eu/Resources/ECDC-TM/ECDC-TM.zip", "ECDC-TM.zip"),)
CONFIGS = {"ecdc": "text"}
FILE = "ECDC-TM/ECDC.tmx"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("ecdc", "train", one document per segment that has Italian, in file order)."""
    yield from text_chunks.chunks("ecdc", _segments(files, report), report)


def _segments(files: RawFiles, report: BuildReport) -> Iterator[TextExample]:
    entry = catalogue.dataset("ecdc")
    for path, content in files.open(FILE):
        for number, unit in enumerate(_units(content, f"ecdc: {path}")):
            variants = [variant for variant in unit.iterfind("tuv") if _is_italian(variant)]
            report.warn("segment_without_italian", not variants)
            report.warn("segment_with_two_italian_texts", len(variants) > 1)
            for variant in variants[:1]:
                text = _text(variant, f"ecdc: {path}, tu {number}")
                yield TextExample(f"tu-{number:05}", text, "ECDC-TM", entry.licence, entry.homepage)


def _is_italian(variant: XmlElement) -> bool:
    return variant.get(LANGUAGE, variant.get("lang", "")).lower().partition("-")[0] == "it"


def _text(variant: XmlElement, where: str) -> str:
    segment = variant.find("seg")
    if segment is None:
        raise DataError(f"{where}: the Italian tuv has no seg")
    if any(element.tag is etree.Entity for element in segment.iter()):
        raise DataError(f"{where}: the Italian text uses an entity of its own; get the file again")
    return " ".join("".join(segment.itertext()).split())


def _units(content: BinaryIO, where: str) -> Iterator[XmlElement]:
    """Every `tu`, one in memory at a time; no entity is expanded and nothing else is read."""
    units = etree.iterparse(content, tag="tu", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        for _, unit in units:
            yield unit
            unit.clear()
            while unit.getprevious() is not None:
                del unit.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise DataError(f"{where} is not well-formed XML ({error.msg}); get it again") from error
    if units.root is None or units.root.tag != "tmx":
        found = None if units.root is None else units.root.tag
        raise DataError(f"{where} is no translation memory: the root is {found}, expected tmx")
