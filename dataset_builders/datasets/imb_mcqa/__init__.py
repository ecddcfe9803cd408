"""IMB-MCQA: 25,862 Italian multiple-choice questions of medical specialty exams, native.

Upstream  praiselab-picuslab/IMB on the Hub (gated); paper arXiv 2510.18468
Format    one JSON object, category -> list of questions, or one list of questions with a `Category` each; keys are
          spelt with or without spaces ("Answer A", "AnswerA"); the gold is the right option's text
Split     none upstream: by sha256 of the question's words in lower case, modulo 100: 0–9 test, 10–19 validation,
          20–99 train, so that every copy of a question lies in the same split
Quirks    4 or 5 options; stray white space around questions, options and gold (the cleaned copy has none) is removed
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import Hub, RawFiles
from ita_med.text import decode

FILES = ("IMB/IMB-MCQA.json", "IMB/IMD-MCQA_cleaned.json", "IMB/IMD-MCQA.json")
"""The Hub's name and those of the owners' notebook; the first that is there is read."""
VERSION = "1.0.0"
SOURCES = (Hub("praiselab-picuslab/IMB", gated=True),)
CONFIGS = {"questions": "choice"}
SPLITS = ("train", "validation", "test")
OPTIONS = ("AnswerA", "AnswerB", "AnswerC", "AnswerD", "AnswerE")
REQUIRED = {"Question", *OPTIONS[:4], "CorrectAnswer"}
KEPT = {"ID": "id", "PercentageCorrect": "percentage_correct"}
KEYS = {*REQUIRED, OPTIONS[4], "Category", *KEPT}
"""Keys without their spaces."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("questions", split, examples in file order) for every split that has any."""
    path = next((path for path in FILES if files.find(path, required=False)), FILES[0])
    where = f"imb_mcqa: {path}"
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    hidden: Counter[str] = Counter()
    for number, (here, category, record) in enumerate(_questions(files.read(path), where), 1):
        question = record["Question"].strip()
        if not question:
            raise DataError(f'{here}: "Question" is empty')
        options = _options(record, here, report)
        split = split_of(question)
        gold = record["CorrectAnswer"].strip()
        if not gold:
            hidden[split] += 1
            continue
        if options.count(gold) != 1:
            raise DataError(
                f'{here}: the right answer "{gold:.60}" is {options.count(gold)} of the options, expected exactly 1 of '
                f"{[option[:40] for option in options]}"
            )
        meta = {name: record[key] for key, name in KEPT.items() if key in record}
        splits[split].append(
            ChoiceExample(f"{number:05}", question, options, options.index(gold), topic=category, meta=meta)
        )
    report.warn("repeated_question", questions.repeats(e for group in splits.values() for e in group))
    if not any(splits.values()):
        raise DataError(f"{where} holds no questions with an answer")
    for split, group in splits.items():
        if group:
            report.split("questions", split).drop("no_gold", hidden[split])
            yield "questions", split, group
        else:
            report.warn(f"{split}_without_gold", hidden[split])


def split_of(question: str) -> str:
    """The fixed split of a question; neither white space nor capitals move it."""
    words = " ".join(question.lower().split())
    bucket = int(hashlib.sha256(words.encode()).hexdigest(), 16) % 100
    return "test" if bucket < 10 else "validation" if bucket < 20 else "train"


def _questions(content: bytes, where: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(place for messages, category, record without spaces in its keys), in file order."""
    try:
        data = json_lines.loads(decode(content, where))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error}); get the file again") from error
    if isinstance(data, list):
        for number, record in enumerate(data, 1):
            here = f"{where}, record {number}"
            question = _record(record, REQUIRED | {"Category"}, here)
            yield here, question["Category"].strip(), question
        return
    if not isinstance(data, dict):
        raise DataError(f"{where} holds {type(data).__name__}, expected an object category -> list of questions")
    for category, records in data.items():
        if not isinstance(records, list):
            raise DataError(f"{where}, {category[:60]!r} holds {type(records).__name__}, expected a list of questions")
        for number, record in enumerate(records, 1):
            here = f"{where}, {category[:60]!r}, record {number}"
            json_lines.require_text({"category": category}, ("category",), here)
            question = _record(record, REQUIRED, here)
            if (own := str(question.get("Category", category)).strip()) != category.strip():
                raise DataError(f'{here}: "Category" is {own[:60]!r}, expected {category[:60]!r}')
            yield here, category.strip(), question


def _record(record: Any, required: set[str], where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"{where} is {type(record).__name__}, expected an object")
    found = {key.replace(" ", ""): value for key, value in record.items()}
    if len(found) != len(record) or not required <= found.keys() <= KEYS:
        more = sorted(KEYS - required)
        raise DataError(f"{where} has the keys {sorted(record)}, expected {sorted(required)}, perhaps {more}")
    if found["CorrectAnswer"] is None:  # absent gold, as where it is empty
        found["CorrectAnswer"] = ""
    json_lines.require_text(found, (key for key in ("Question", "Category", "CorrectAnswer") if key in found), where)
    for key in KEPT.keys() & found.keys():
        if isinstance(found[key], str):
            json_lines.require_text(found, (key,), where)
        elif found[key] is not None and (type(found[key]) not in (int, float) or abs(found[key]) > 2**31):
            raise DataError(f'{where}: "{key}" is {found[key]!r:.40}, expected a number or a text')
    return found


def _options(record: dict[str, Any], where: str, report: BuildReport) -> list[str]:
    fifth = record.get(OPTIONS[4])
    absent = fifth is None or (isinstance(fifth, str) and not fifth.strip())
    keys = OPTIONS[:4] if absent else OPTIONS
    json_lines.require_text(record, keys, where)
    options = [record[key].strip() for key in keys]
    if "" in options:
        raise DataError(f"{where}: option {'ABCDE'[options.index('')]} is empty")
    report.warn("white_space_around_an_option", any(record[key] != record[key].strip() for key in keys))
    return options
