"""synth_emerg_ITA: synthetic sheets of the Italian emergency number 118.

Upstream  https://huggingface.co/datasets/praiselab-picuslab/synth_emerg_ITA (Apache-2.0), a copy of
          pacovalentino/synth_emerg_ITA
Format    not seen. A folder `data`: read are text files, one sheet each, or else Parquet or JSON Lines with one of the
          usual columns of text
Split     train alone
Quirks    upstream's labels (55 entity types by the card of its model) are not read
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, text_chunks
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles
from ita_med.text import decode

REPO = "praiselab-picuslab/synth_emerg_ITA"
FOLDER = "synth_emerg_ITA/data"
VERSION = "1.0.0"
SOURCES = (Hub(REPO, revision="cde3989cdd1aabc2664ed9707cc36ba5b200ec18"),)
CONFIGS = {"synth_emerg": "text"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("synth_emerg", "train", sheets in the order of files and rows) in chunks."""
    yield from text_chunks.chunks("synth_emerg", _sheets(files), report)


def _sheets(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("synth_emerg")
    rest = (REPO, entry.licence, entry.homepage)
    as_text = False
    for path, content in files.open(f"{FOLDER}/*.txt", required=False):
        as_text = True
        name = path.rpartition("/")[2].removesuffix(".txt")
        yield TextExample(name, decode(content.read(), f"synth_emerg: {path}"), *rest)
    if not as_text:
        columns = map(set, text_chunks.USUAL_COLUMNS)
        for number, (where, row) in enumerate(hub_rows.stream(files, f"{FOLDER}/*", *columns)):
            yield TextExample(f"{number:06}", text_chunks.usual_text(row, where), *rest)
