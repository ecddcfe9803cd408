"""ITAMed: 1,260 questions of the Italian national admission test to medical specialties (SSM), 2017–2025, native.

Upstream  https://github.com/LM-Healthcare/ITAMed; Filo-White/ITAMed on the Hub (gated, CC BY 4.0)
Format    Dataset/IT/json/ITAMed_YEAR.json: a JSON list of records with answer_a … answer_e, correct_answer
Split     none upstream: whole exams, because questions of one exam share their case. sha256("ssm-YEAR"), read as a
          number, is even: test (2018, 2020, 2022, 2025); odd: train (2017, 2019, 2021, 2023, 2024)
Quirks    correct_answer is always "A": options are put in the order of sha256("YEAR-NUMBER-LETTER"), and
          `meta.order` holds upstream's letters in the new order; 76 questions need an image (`meta.has_image`);
          ITAMed_complete.json and ITAMed_complete_shuffled.json repeat the same questions and are not read
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SOURCES = (Hub("Filo-White/ITAMed", gated=True),)
CONFIGS = {"itamed": "choice"}
FILES = "Dataset/IT/json/ITAMed_20*.json"
LETTERS = "ABCDE"
ANSWERS = {letter: f"answer_{letter.lower()}" for letter in LETTERS}
TEXTS = ["question_code", "question", *ANSWERS.values(), "category", "image_category", "image_path"]
KEYS = {*TEXTS, "year", "question_number", "correct_answer", "has_image"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("itamed", split, questions by year and in file order)."""
    splits: dict[str, list[Example]] = {"train": [], "test": []}
    found = list(hub_rows.rows(files, FILES, KEYS, required=False))
    for where, row in found or hub_rows.rows(files, f"ITAMed/{FILES}", KEYS):
        example = _example(row, where, report)
        if example is None:
            continue
        splits[split_of(row["year"])].append(example)
    report.warn("repeated_question", questions.repeats(e for group in splits.values() for e in group))
    for split, examples in splits.items():
        if examples:
            yield "itamed", split, examples


def split_of(year: int) -> str:
    digest = hashlib.sha256(f"ssm-{year}".encode()).hexdigest()
    return "train" if int(digest, 16) % 2 else "test"


def _example(row: dict[str, Any], where: str, report: BuildReport) -> ChoiceExample | None:
    year, number, gold = row["year"], row["question_number"], row["correct_answer"]
    file_year = re.search(r"ITAMed_(\d{4})\.json", where)
    if type(year) is not int or file_year is None or int(file_year[1]) != year:
        raise DataError(f'{where}: "year" is {year!r}, expected the number in the file\'s name')
    if type(number) is not int or number < 1:
        raise DataError(f'{where}: "question_number" is {number!r}, expected a number from 1')
    if not isinstance(row["has_image"], bool):
        raise DataError(f'{where}: "has_image" is {row["has_image"]!r}, expected true or false')
    json_lines.require_text(row, TEXTS, where)
    if not row["question"].strip():
        raise DataError(f'{where}: "question" is empty')
    counts = report.split("itamed", split_of(year))
    if gold in (None, ""):
        counts.drop("no_gold")
        return None
    there = [letter for letter in LETTERS if row[ANSWERS[letter]].strip()]
    if not there and row["has_image"]:
        counts.drop("options_only_in_image")
        return None
    if len(there) < 2 or gold not in there:
        raise DataError(f'{where}: "correct_answer" is {gold!r}, expected one of the answers that are there, {there}')
    report.warn("correct_answer_is_not_a", gold != "A")
    report.warn("fewer_than_five_options", len(there) < len(LETTERS))
    order = sorted(there, key=lambda letter: hashlib.sha256(f"{year}-{number}-{letter}".encode()).digest())
    return ChoiceExample(
        id=f"ssm-{year}-{number:03}",
        question=row["question"],
        options=[row[ANSWERS[letter]] for letter in order],
        answer=order.index(gold),
        topic=row["category"],
        meta={
            "question_code": row["question_code"],
            "order": "".join(order),
            "has_image": row["has_image"],
            "image_category": row["image_category"],
            "image_path": row["image_path"],
        },
    )
