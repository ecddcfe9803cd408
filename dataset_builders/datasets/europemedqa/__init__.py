"""EuropeMedQA, Italian: 1,060 text-only questions of the admission test to medical specialties (SSM), native.

Upstream  data/ssm_questions_text_only.json of https://github.com/causius0/medical-ai-leaderboard, derived from
          https://huggingface.co/datasets/causius0/europemedqa, whose own columns are not known
Format    a JSON list of {id "IT0001", question "[case] stem", options [{letter, text}], correct_answer, specialty,
          has_image, metadata {test_year, number_in_test, nullified}}
Split     none upstream: whole exams by the rule of `itamed`; sha256("ssm-YEAR"), read as a number, is even: test
Quirks    correct_answer is {letter, index} (a plain letter is accepted), "A" in every record that was seen: options
          are put in the order of sha256("YEAR-NUMBER-LETTER"), upstream's letters stay in `meta.order`; the case in
          brackets becomes the context; an option's text may be null
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
from ita_med.sources import RawFiles, Source

VERSION = "1.0.0"
SOURCES: tuple[Source, ...] = ()
CONFIGS = {"europemedqa": "choice"}
FILE = "data/ssm_questions_text_only.json"
KEYS = {"id", "question", "options", "correct_answer", "specialty", "has_image", "metadata"}
METADATA = {"test_year", "number_in_test", "nullified"}
LETTERS = list("ABCDE")
CASE = re.compile(r"\[(?P<case>[^\]]+)\]\.?\s*(?P<stem>\S.*)", re.DOTALL)


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("europemedqa", split, questions in file order)."""
    splits: dict[str, list[Example]] = {"train": [], "test": []}
    ids: set[str] = set()
    for where, row in hub_rows.rows(files, FILE, KEYS):
        year = _metadata(row, where)
        if row["id"] in ids:
            raise DataError(f"{where}: id {row['id']} appears twice")
        ids.add(row["id"])
        split = split_of(year)
        example = _example(row, where, split, report)
        if example is None:
            continue
        splits[split].append(example)
    report.warn("repeated_question", questions.repeats(e for group in splits.values() for e in group))
    for split, examples in splits.items():
        if examples:
            yield "europemedqa", split, examples


def split_of(year: int) -> str:
    digest = hashlib.sha256(f"ssm-{year}".encode()).hexdigest()
    return "train" if int(digest, 16) % 2 else "test"


def _metadata(row: dict[str, Any], where: str) -> int:
    """The exam's year, once all plain values are checked."""
    json_lines.require_text(row, ("id", "question", "specialty"), where)
    if not re.fullmatch(r"IT\d+", row["id"]):
        raise DataError(f'{where}: "id" is "{row["id"]}", expected IT and digits')
    found = row["metadata"]
    if not isinstance(found, dict) or found.keys() != METADATA:
        shown = sorted(found) if isinstance(found, dict) else repr(found)[:40]
        raise DataError(f'{where}: "metadata" holds {shown}, expected {sorted(METADATA)}')
    for name in ("test_year", "number_in_test"):
        if type(found[name]) is not int:
            raise DataError(f'{where}: "{name}" is {found[name]!r}, expected a number')
    for name, value in (("has_image", row["has_image"]), ("nullified", found["nullified"])):
        if not isinstance(value, bool):
            raise DataError(f'{where}: "{name}" is {value!r}, expected true or false')
    year: int = found["test_year"]
    return year


def _options(row: dict[str, Any], where: str) -> dict[str, str]:
    """Letter -> text of the options that are there."""
    options = row["options"]
    if not isinstance(options, list):
        raise DataError(f'{where}: "options" is {repr(options)[:40]}, expected a list')
    for option in options:
        if not isinstance(option, dict) or option.keys() != {"letter", "text"}:
            raise DataError(f"{where}: an option is {repr(option)[:60]}, expected an object with letter and text")
    letters = [option["letter"] for option in options]
    if letters != LETTERS[: len(letters)]:
        raise DataError(f"{where}: options are lettered {letters}, expected A to E in order")
    there = {option["letter"]: option["text"] for option in options if option["text"] not in (None, "")}
    json_lines.require_text(there, list(there), f"{where}, options")
    return there


def _example(row: dict[str, Any], where: str, split: str, report: BuildReport) -> ChoiceExample | None:
    options, metadata = _options(row, where), row["metadata"]
    gold = row["correct_answer"]
    index = None
    if isinstance(gold, dict):
        if gold.keys() != {"letter", "index"}:
            raise DataError(f'{where}: "correct_answer" holds {sorted(gold)}, expected letter and index')
        gold, index = gold["letter"], gold["index"]
    if gold in (None, ""):
        report.split("europemedqa", split).drop("no_gold")
        return None
    if len(options) < 2 or gold not in list(options):
        raise DataError(f'{where}: "correct_answer" is {gold!r}, expected one of the options, {list(options)}')
    if index not in (None, LETTERS.index(gold)):
        expected = f'{LETTERS.index(gold)} for "{gold}"'
        raise DataError(f'{where}: "correct_answer" has the index {index!r}, expected {expected}')
    if not row["question"].strip():
        raise DataError(f'{where}: "question" is empty')
    report.warn("correct_answer_is_not_a", gold != "A")
    report.warn("fewer_than_five_options", len(options) < len(LETTERS))
    report.warn("nullified_question", metadata["nullified"])
    key = f"{metadata['test_year']}-{metadata['number_in_test']}"
    order = sorted(options, key=lambda letter: hashlib.sha256(f"{key}-{letter}".encode()).digest())
    case = CASE.fullmatch(row["question"].strip())
    return ChoiceExample(
        id=row["id"],
        question=case["stem"] if case else row["question"],
        options=[options[letter] for letter in order],
        answer=order.index(gold),
        context=case["case"] if case else "",
        topic=row["specialty"],
        meta={"order": "".join(order), "has_image": row["has_image"], **metadata},
    )
