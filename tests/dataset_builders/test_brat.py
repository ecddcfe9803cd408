"""The reader of brat files and of the nlp4bia TSV files, on inputs written here."""

from __future__ import annotations

import re

import pytest

from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders.formats import brat
from ita_med.errors import DataError

TEXT = "Assume vitamine B1 e B12, poi àcido\nfolico. 😀 Stop aspirina."
LABELS = ("FARMACO",)
HEADER = "filename\tann_id\tlabel\tstart_span\tend_span\ttext\n"


def ann(content: str, report: BuildReport | None = None) -> list[brat.BratMention]:
    return brat.mentions(content, TEXT, LABELS, report or BuildReport(), "x: a.ann")


def test_mentions_are_sorted_by_place() -> None:
    place = TEXT.index("aspirina")
    found = ann(f"T1\tFARMACO {place} {place + 8}\taspirina\nT2\tFARMACO 7 18\tvitamine B1\n")
    assert [(m.id, m.start, m.end) for m in found] == [("T2", 7, 18), ("T1", place, place + 8)]


def test_a_mention_in_pieces_spans_from_first_to_last() -> None:
    found = ann("T1\tFARMACO 7 15;21 24\tvitamine B12\n")
    counts = SplitReport()
    example = brat.example("d", TEXT, found, counts)
    assert [(s.start, s.end, s.text) for s in example.spans] == [(7, 24, "vitamine B1 e B12")]
    assert example.meta == {"discontinuous": [0], "parts": [[(7, 15), (21, 24)]]}
    assert counts.dropped == {}


def test_a_continuous_mention_has_no_meta() -> None:
    assert brat.example("d", TEXT, ann("T1\tFARMACO 7 15\tvitamine\n"), SplitReport()).meta == {}


def test_a_mention_over_a_line_end_is_written_with_a_space() -> None:
    start = TEXT.index("àcido")
    (found,) = ann(f"T1\tFARMACO {start} {start + 12}\tàcido folico\n")
    assert brat.example("d", TEXT, [found], SplitReport()).spans[0].text == "àcido\nfolico"


def test_notes_and_carriage_returns() -> None:
    report = BuildReport()
    found = ann("T1\tFARMACO 7 15\tvitamine\r\n#1\tAnnotatorNotes T1\tvedi\r\n\n# libero\n", report)
    assert len(found) == 1
    assert report.warnings == {"annotator_note": 2}


def test_a_repeated_mention_is_kept_once() -> None:
    counts = SplitReport()
    found = ann("T1\tFARMACO 7 15\tvitamine\nT2\tFARMACO 7 15\tvitamine\n")
    assert len(brat.example("d", TEXT, found, counts).spans) == 1
    assert counts.dropped == {"repeated_mention": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("T1\tFARMACO 8 15\tvitamine\n", 'line 1, T1: offsets 8 15 read "itamine", expected "vitamine"'),
        ("T1\tFARMACO 7 900\tvitamine\n", "line 1, T1: offsets 7 900"),
        ("T1\tFARMACO 15 7\tvitamine\n", "line 1, T1: offsets 15 7"),
        ("T1\tFARMACO 7 7\t\n", "line 1, T1: offsets 7 7"),
        ("T1\tFARMACO 21 24;7 15\tB12 vitamine\n", "line 1, T1: offsets 7 15 are out of order"),
        ("T1\tFARMACO 7 15;21 24\tvitamine B1\n", 'offsets 7 15;21 24 read "vitamine B12"'),
        ("\nT1\tMALATTIA 7 15\tvitamine\n", 'line 2: label "MALATTIA" of T1, expected FARMACO'),
        ("T1\tFARMACO 7 15\tvitamine\nT1\tFARMACO 7 15\tvitamine\n", "line 2: id T1 appears twice"),
        ("T1\tFARMACO 7\tvitamine\n", "line 1: "),
        ("T1\tFARMACO -7 15\tvitamine\n", "line 1: "),
        ("T1 FARMACO 7 15 vitamine\n", "line 1: "),
        ("R1\tCAUSA Arg1:T1 Arg2:T2\n", 'line 1: "R1'),
    ],
)
def test_bad_annotation(content: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^x: a.ann, .*{re.escape(message)}") as error:
        ann(content)
    assert "\n" not in str(error.value)


def test_rows_with_and_without_annotation_id() -> None:
    with_id = list(brat.rows(HEADER + "d.txt\tT1\tFARMACO\t7\t15\tvitamine\n", brat.TSV_COLUMNS, "x: t.tsv"))
    without = HEADER.replace("ann_id\t", "") + "d\tFARMACO\t7\t15\tvitamine\n"
    plain = list(brat.rows(without, brat.TSV_COLUMNS, "x: t.tsv"))
    for (row,) in (with_id, plain):
        assert (row.where, row.doc_id, row.label, row.start, row.end, row.text) == (
            "x: t.tsv, line 2",
            "d",
            "FARMACO",
            7,
            15,
            "vitamine",
        )
    assert with_id[0].values["ann_id"] == "T1"


def test_quoted_cells() -> None:
    content = HEADER + 'd\tT1\tFARMACO\t30\t42\t"àcido\nfolico"\nd\tT2\tFARMACO\t0\t3\t"""A"""\n'
    first, second = brat.rows(content, brat.TSV_COLUMNS, "x: t.tsv")
    assert (first.text, second.text, second.where) == ("àcido\nfolico", '"A"', "x: t.tsv, line 4")
    brat.check_row(first, TEXT, LABELS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty, expected the columns"),
        ("filename\tmark\n", 'line 1 has the columns "filename mark", expected "filename ann_id label'),
        (HEADER + "d\tT1\tFARMACO\t7\t15\n", "line 2 has 5 cells, expected 6"),
        (HEADER + "d\tT1\tFARMACO\tsette\t15\tvitamine\n", 'line 2: start_span is "sette", expected a number'),
        (HEADER + "d\tT1\tFARMACO\t7\t-1\tvitamine\n", 'line 2: end_span is "-1"'),
        (HEADER + 'd\tT1\tFARMACO\t7\t15\t"vitamine\n', "get the file again"),
    ],
)
def test_bad_table(content: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^x: t.tsv.*{re.escape(message)}"):
        list(brat.rows(content, brat.TSV_COLUMNS, "x: t.tsv"))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("FARMACO\t8\t15\tvitamine", 'line 2, d: offsets 8 15 read "itamine", expected "vitamine"'),
        ("FARMACO\t7\t1500\tvitamine", "line 2, d: offsets 7 1500"),
        ("MALATTIA\t7\t15\tvitamine", 'line 2: label "MALATTIA", expected FARMACO'),
    ],
)
def test_bad_row(cells: str, message: str) -> None:
    (row,) = brat.rows(f"{HEADER}d\tT1\t{cells}\n", brat.TSV_COLUMNS, "x: t.tsv")
    with pytest.raises(DataError, match=re.escape(message)):
        brat.check_row(row, TEXT, LABELS)
