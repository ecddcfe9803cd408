"""MMMED, Italian: 194 questions of the Spanish residency exam (MIR) with images, machine-translated.

Upstream  https://huggingface.co/datasets/praiselab-picuslab/MMMED (CC BY-NC 4.0), MMMED_Italian.csv
Format    CSV with a header: Category, Question, Image URL, Answer A … Answer E, Correct Answer (a letter)
Split     upstream's splits are languages, so by image: sha256 of the Image URL (without one, of the question), read as
          a number, is even: test; odd: train
Quirks    questions need their image, of which only the address is kept (`meta.has_image`, `meta.image_url`);
          Answer E is empty in questions with four options
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import Hub, RawFiles
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = (Hub("praiselab-picuslab/MMMED"),)
CONFIGS = {"mmmed": "choice"}
FILE = "MMMED/MMMED_Italian.csv"
LETTERS = list("ABCDE")
ANSWERS = {letter: f"Answer {letter}" for letter in LETTERS}
COLUMNS = {"Category", "Question", "Image URL", *ANSWERS.values(), "Correct Answer"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("mmmed", split, questions in file order)."""
    splits: dict[str, list[Example]] = {"train": [], "test": []}
    for number, (where, row) in enumerate(_rows(files), 1):
        split = split_of(row["Image URL"] or row["Question"])
        example = _example(row, where, number, split, report)
        if example is None:
            continue
        splits[split].append(example)
    report.warn("repeated_question", questions.repeats(e for group in splits.values() for e in group))
    for split, examples in splits.items():
        if examples:
            yield "mmmed", split, examples


def split_of(document: str) -> str:
    return "train" if int(hashlib.sha256(document.encode()).hexdigest(), 16) % 2 else "test"


def _rows(files: RawFiles) -> Iterator[tuple[str, dict[str, str]]]:
    """All rows with the line on which each ends; a cell may hold line ends."""
    where = f"mmmed: {FILE}"
    reader = csv.reader(io.StringIO(decode(files.read(FILE), where), newline=""), strict=True)
    try:
        header = next(reader, [])
        if set(header) != COLUMNS or len(header) != len(COLUMNS):
            raise DataError(f"{where} has the columns {header}, expected {sorted(COLUMNS)}")
        for cells in reader:
            if len(cells) != len(header):
                raise DataError(f"{where}, line {reader.line_num}: {len(cells)} cells, expected {len(header)}")
            yield f"{where}, line {reader.line_num}", dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num} is not CSV ({error}); get the file again") from error


def _example(row: dict[str, str], where: str, number: int, split: str, report: BuildReport) -> ChoiceExample | None:
    json_lines.require_text(row, COLUMNS, where)
    if not row["Question"].strip():
        raise DataError(f'{where}: "Question" is empty')
    gold = row["Correct Answer"]
    if not gold:
        report.split("mmmed", split).drop("no_gold")
        return None
    there = [letter for letter in LETTERS if row[ANSWERS[letter]].strip()]
    if len(there) < 2 or there != LETTERS[: len(there)]:
        raise DataError(f"{where}: answers {there} are there, expected A, B, … without a gap")
    if gold not in there:
        raise DataError(f'{where}: "Correct Answer" is "{gold}", expected one of {there}')
    report.warn("question_without_image", not row["Image URL"])
    return ChoiceExample(
        id=f"mir-{number:04}",
        question=row["Question"],
        options=[row[ANSWERS[letter]] for letter in there],
        answer=there.index(gold),
        topic=row["Category"],
        meta={"has_image": bool(row["Image URL"]), "image_url": row["Image URL"]},
    )
