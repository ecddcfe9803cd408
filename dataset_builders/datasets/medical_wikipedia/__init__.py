"""Medical Wikipedia: the articles of the Italian Wikipedia that lie in medical categories, as plain text.

Upstream  a dump of the articles, https://dumps.wikimedia.org/itwiki/ (CC BY-SA 4.0 and GFDL)
Format    `itwiki-*-pages-articles*.xml.bz2`: MediaWiki's XML export, one `page` per article, wikitext inside
Split     train alone
Quirks    the dump changes twice a month: keep the file that was used; which categories count is in categories.py, what
          becomes of wikitext in wikitext.py
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from lxml import etree

from ita_med import catalogue
from ita_med.borrowed.lxml_inside import XmlElement
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.datasets.medical_wikipedia.categories import categories, is_medical
from ita_med.dataset_builders.datasets.medical_wikipedia.wikitext import plain_text
from ita_med.dataset_builders.formats import text_chunks
from ita_med.errors import DataError
from ita_med.schema import Example, TextExample
from ita_med.sources import RawFiles, Url

VERSION = "1.0.0"
DUMP = "itwiki-latest-pages-articles.xml.bz2"
SOURCES = (Url(f"https://dumps.wikimedia.org/itwiki/latest/{DUMP}", DUMP),)
CONFIGS = {"medical_wikipedia": "text"}
PATTERN = "itwiki-*-pages-articles*.xml.bz2"
SITE = "https://it.wikipedia.org/wiki/"
ARTICLES = "0"
"""The namespace of articles."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("medical_wikipedia", "train", articles in the order of the dump) in chunks."""
    yield from text_chunks.chunks("medical_wikipedia", _articles(files, report), report)


def _articles(files: RawFiles, report: BuildReport) -> Iterator[TextExample]:
    licence = catalogue.dataset("medical_wikipedia").licence
    counts = report.split("medical_wikipedia", "train")
    for path, content in files.open(PATTERN):
        for page in _pages(content, f"medical_wikipedia: {path}"):
            values = {name: page.findtext(f"{{*}}{name}") or "" for name in ("ns", "id", "title")}
            if values["ns"] != ARTICLES:
                continue
            if page.find("{*}redirect") is not None:
                counts.drop("redirect")
                continue
            wikitext = page.findtext("{*}revision/{*}text") or ""
            medical = [category for category in categories(wikitext) if is_medical(category)]
            if not medical:
                counts.drop("no_medical_category")
                continue
            try:
                text = plain_text(wikitext)
            except ValueError:
                counts.drop("unreadable_wikitext")
                continue
            url = SITE + quote(values["title"].replace(" ", "_"))
            meta = {"title": values["title"], "categories": medical, "dump": path}
            meta |= {"revision": page.findtext("{*}revision/{*}id") or ""}
            yield TextExample(values["id"], text, "it.wikipedia.org", licence, url, meta=meta)


def _pages(content: BinaryIO, where: str) -> Iterator[XmlElement]:
    """Every `page`, one in memory at a time; no entity is expanded and nothing else is read."""
    with bz2.open(content) as unpacked:
        pages = etree.iterparse(
            unpacked, tag="{*}page", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        try:
            for _, page in pages:
                if page.getroottree().docinfo.internalDTD is not None:
                    raise DataError(f"{where} declares a document type, which dumps never do; get it again")
                yield page
                page.clear()
                while page.getprevious() is not None:
                    del page.getparent()[0]
        except (etree.XMLSyntaxError, OSError, EOFError) as error:
            raise DataError(f"{where} is no whole dump ({error}); get it again") from error
    root = None if pages.root is None else etree.QName(pages.root).localname
    if root != "mediawiki":
        raise DataError(f"{where} is no dump of a wiki: the root is {root}, expected mediawiki")
