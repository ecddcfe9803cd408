"""Mentions in brat `.ann` files and in the TSV files of the nlp4bia shared tasks, every offset checked in the text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ita_med.build_report import BuildReport, SplitReport
from ita_med.errors import DataError
from ita_med.schema import Span, SpanExample
from ita_med.sources import RawFiles
from ita_med.text import decode

NOTE = "#"
TSV_COLUMNS = (
    ["filename", "ann_id", "label", "start_span", "end_span", "text"],
    ["filename", "label", "start_span", "end_span", "text"],
)
_MENTION = re.compile(r"(T[0-9]{1,9})\t(\S+) ([0-9]{1,9} [0-9]{1,9}(?:;[0-9]{1,9} [0-9]{1,9})*)\t(.*)")
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(slots=True)
class BratMention:
    """A mention as its file gives it; `parts` are the pieces of a discontinuous one, else a single pair."""

    id: str
    label: str
    parts: list[tuple[int, int]]
    text: str

    @property
    def start(self) -> int:
        return self.parts[0][0]

    @property
    def end(self) -> int:
        return self.parts[-1][1]

    @property
    def place(self) -> tuple[int, int, str]:
        return self.start, self.end, self.label


@dataclass(frozen=True, slots=True)
class TsvRow:
    """One line of a TSV file, whose offsets are not checked yet; `where` names file and line."""

    where: str
    doc_id: str
    label: str
    start: int
    end: int
    text: str
    values: dict[str, str]


def documents(files: RawFiles, texts: str, annotations: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield (document id, its text, path of its `.ann`, content of that), in the order of the ids.

    A `.txt` without `.ann` is an error, and so is the reverse.

    Args:
        files: Of the dataset.
        texts: Pattern of the `.txt` files below the dataset's folder.
        annotations: Pattern of the `.ann` files.
    """
    txt = {_stem(path): (path, content) for path, content in files.find(texts)}
    ann = {_stem(path): (path, content) for path, content in files.find(annotations)}
    for missing, kind, other in ((txt.keys() - ann.keys(), "ann", txt), (ann.keys() - txt.keys(), "txt", ann)):
        if missing:
            path = other[min(missing)][0]
            raise DataError(f"{files.dataset}: {path} has no .{kind} file beside it ({len(missing)} such files)")
    for doc_id, (path, content) in sorted(txt.items()):
        ann_path, ann_content = ann[doc_id]
        text = decode(content, f"{files.dataset}: {path}")
        yield doc_id, text, ann_path, decode(ann_content, f"{files.dataset}: {ann_path}")


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def mentions(content: str, text: str, labels: tuple[str, ...], report: BuildReport, where: str) -> list[BratMention]:
    """The T-lines of an `.ann` file, sorted by place; notes ("#…") are counted, any other line is an error."""
    found: dict[str, BratMention] = {}
    for number, line in enumerate(content.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line:
            continue
        if line.startswith(NOTE):
            report.warn("annotator_note")
            continue
        at = f"{where}, line {number}"
        match = _MENTION.fullmatch(line)
        if not match:
            raise DataError(f'{at}: "{line[:60]}", expected "T1<TAB>LABEL START END<TAB>mention" or a note with "#"')
        name, label, offsets, written = match.groups()
        if name in found:
            raise DataError(f"{at}: id {name} appears twice")
        if label not in labels:
            raise DataError(f'{at}: label "{label}" of {name}, expected {" or ".join(labels)}')
        parts = [(int(a), int(b)) for a, b in (pair.split(" ") for pair in offsets.split(";"))]
        _check(parts, written, text, f"{at}, {name}")
        found[name] = BratMention(name, label, parts, written)
    return sorted(found.values(), key=lambda m: (m.place, m.parts, int(m.id[1:])))


def _check(parts: list[tuple[int, int]], written: str, text: str, where: str) -> None:
    """Raise DataError unless the parts follow each other in the text and read, joined by spaces, what is written."""
    previous = 0
    for start, end in parts:
        if not previous <= start < end <= len(text):
            raise DataError(f"{where}: offsets {start} {end} are out of order or outside the {len(text)} characters")
        previous = end
    reads = one_line(" ".join(text[start:end] for start, end in parts))
    if reads != one_line(written):
        shown = ";".join(f"{start} {end}" for start, end in parts)
        raise DataError(f'{where}: offsets {shown} read "{reads[:80]}", expected "{one_line(written)[:80]}"')


def one_line(text: str) -> str:
    """brat writes a mention that crosses a line end with a space in its place."""
    return text.replace("\r", " ").replace("\n", " ")


def rows(content: str, columns: tuple[list[str], ...], where: str) -> Iterator[TsvRow]:
    """The lines of a TSV file with one of the expected headers; quoted cells may hold line ends.

    Offsets and mention stand in `start_span`, `end_span` and `text`, or (DisTEMIST) in `off0`, `off1` and `span`.
    """
    reader = csv.reader(io.StringIO(content, newline=""), delimiter="\t", strict=True)
    expected = " or ".join(f'"{" ".join(names)}"' for names in columns)
    header: list[str] = []
    try:
        for cells in reader:
            at = f"{where}, line {reader.line_num}"
            if not header:
                header = cells
                if header not in columns:
                    raise DataError(f'{at} has the columns "{" ".join(header)[:200]}", expected {expected}')
            elif len(cells) == len(header):
                yield _row(dict(zip(header, cells, strict=True)), at)
            elif cells:
                raise DataError(f"{at} has {len(cells)} cells, expected {len(header)}: {' '.join(header)}")
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {error}; get the file again") from error
    if not header:
        raise DataError(f"{where} is empty, expected the columns {expected}")


def _row(values: dict[str, str], where: str) -> TsvRow:
    names = ("off0", "off1", "span") if "off0" in values else ("start_span", "end_span", "text")
    start, end, text = (values[name] for name in names)
    for name, value in zip(names, (start, end), strict=False):
        if not _NUMBER.fullmatch(value):
            raise DataError(f'{where}: {name} is "{value[:40]}", expected a number')
    return TsvRow(where, values["filename"].removesuffix(".txt"), values["label"], int(start), int(end), text, values)


def check_row(row: TsvRow, text: str, labels: tuple[str, ...]) -> None:
    """Raise DataError unless the row's label is known and its offsets read its mention."""
    if row.label not in labels:
        raise DataError(f'{row.where}: label "{row.label}", expected {" or ".join(labels)}')
    _check([(row.start, row.end)], row.text, text, f"{row.where}, {row.doc_id}")


def example(doc_id: str, text: str, found: list[BratMention], report: SplitReport) -> SpanExample:
    """The document with its mentions, from first to last character each; `meta` has the parts of discontinuous ones.

    A mention that repeats another (same place, parts and label) is dropped: no system can find it twice.
    """
    spans: list[Span] = []
    pieces: dict[int, list[tuple[int, int]]] = {}
    seen: set[tuple[Any, ...]] = set()
    for mention in found:
        key = (*mention.place, tuple(mention.parts))
        if key in seen:
            report.drop("repeated_mention")
            continue
        seen.add(key)
        if len(mention.parts) > 1:
            pieces[len(spans)] = mention.parts
        spans.append(Span(mention.start, mention.end, mention.label, text[mention.start : mention.end]))
    meta = {"discontinuous": list(pieces), "parts": list(pieces.values())} if pieces else {}
    return SpanExample(doc_id, doc_id, text, spans, meta=meta)
