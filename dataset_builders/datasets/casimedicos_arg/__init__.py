"""CasiMedicos-Arg-IT: claims and premises in commented clinical cases of the Spanish residency exam.

Upstream  https://github.com/ixa-ehu/antidote-casimedicos, casimedicos-arg.tar.gz (translated, projected, revised)
Format    token, tag, quality, note, separated by TABs; a blank line ends a block; IOB2 tags
Split     upstream's train, dev and test
Quirks    no document ids: a document starts at a block that opens with QUESTION; some lines are separated by spaces
          (`debolezza I-Premise HighQuality`); English headers stay in the Italian text; one I- tag without its B-
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import iob
from ita_med.errors import DataError
from ita_med.schema import Example, Span, SpanExample
from ita_med.sources import GitHub, RawFiles
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = (
    GitHub(
        "ixa-ehu/antidote-casimedicos",
        commit="bead23e4bd1235440c4ff5b37ae7f2f81ea7c738",
        files=("casimedicos-arg.tar.gz",),
    ),
)
CONFIGS = {"arguments": "spans"}
FILES = {"train": "IT/train.tsv", "validation": "IT/dev.tsv", "test": "IT/test.tsv"}
LABELS = ("Claim", "Premise")
MAX_ORPHANS = 1
"""Upstream's train split has one run of I- tags that continues no B-."""
QUALITIES = ("HighQuality", "LowQuality", "")
DOCUMENT_START = "QUESTION"


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("arguments", split, one example per document); blocks become the lines of its text."""
    for split, path in FILES.items():
        counts = report.split("arguments", split)
        documents: list[list[tuple[str, list[Span]]]] = []
        for block in iob.blocks(decode(files.read(path), f"casimedicos_arg: {path}")):
            tokens, tags = [], []
            for number, line in block:
                token, tag = _line(line, number, path, report)
                tokens.append(token)
                tags.append(tag)
            if tokens[0] == DOCUMENT_START:
                documents.append([])
            if not documents:
                raise DataError(
                    f'casimedicos_arg: {path}, line {block[0][0]}: "{tokens[0]}", '
                    f'expected a document to start with "{DOCUMENT_START}"'
                )
            where = f"casimedicos_arg: {path}, block at line {block[0][0]}"
            documents[-1].append(iob.join(tokens, tags, LABELS, counts, where, orphans=MAX_ORPHANS))
        yield "arguments", split, [_document(lines, f"{split}-{n:04}") for n, lines in enumerate(documents)]


def _line(line: str, number: int, path: str, report: BuildReport) -> tuple[str, str]:
    parts = line.split("\t")
    if len(parts) == 1:
        parts = line.split(" ")
        report.warn("line_separated_by_spaces")
    quality = parts[2] if len(parts) > 2 else ""
    if len(parts) not in (3, 4) or not parts[0] or quality not in QUALITIES:
        raise DataError(
            f'casimedicos_arg: {path}, line {number}: "{line[:60]}", expected token, tag, quality and note with TABs'
        )
    return parts[0], parts[1]


def _document(lines: list[tuple[str, list[Span]]], doc_id: str) -> Example:
    spans, offset = [], 0
    for text, found in lines:
        spans += [Span(s.start + offset, s.end + offset, s.label, s.text) for s in found]
        offset += len(text) + 1
    return SpanExample(doc_id, doc_id, "\n".join(text for text, _ in lines), spans)
