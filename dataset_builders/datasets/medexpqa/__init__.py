"""MedExpQA, Italian: exam cases of the Spanish residency exam (CasiMedicos) with options and gold explanations.

Upstream  HiTZ/MedExpQA on the Hub (CC BY 4.0), data/it (machine-translated, revised)
Format    JSON Lines; `options` and `explanations` are objects with the keys "1" … "5"; `correct_option` counts from 1;
          `char_ranges` of an explanation point into `full_answer`
Split     upstream's train, dev and test
Quirks    option 5 is null, or the bare word NaN, where a question has four options; the passages retrieved for each
          question (`rag`, most of the bytes) are no annotations and are not kept
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import Hub, RawFiles
from ita_med.text import decode

FILES = {
    split: f"MedExpQA/data/it/{name}.it.casimedicos.rag.jsonl"
    for split, name in (("train", "train"), ("validation", "dev"), ("test", "test"))
}
VERSION = "1.0.0"
SOURCES = (Hub("HiTZ/MedExpQA"),)
CONFIGS = {"questions": "choice"}
TEXTS = ("lang", "type", "full_question", "full_answer", "full_answer_no_ref")
IDS = ("id", "year", "question_id_specific")
KEYS = {*TEXTS, *IDS, "options", "correct_option", "explanations", "rag"}
NUMBERS = ("1", "2", "3", "4", "5")
EXPLANATION = {"text", "char_ranges"}
EXPLANATION_KEYS = EXPLANATION | {"exist", "word_ranges"}
"""What an explanation must hold, and may hold: the other two are not documented for this release."""
MAX_NUMBER = 2**31


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("questions", split, examples in file order)."""
    everything: list[Example] = []
    for split, path in FILES.items():
        examples: list[Example] = []
        for where, record in _records(files, path, report):
            options = _options(record, where)
            explanations = _explanations(record, where, report)
            answer = record["correct_option"]
            if answer is None:
                report.split("questions", split).drop("no_gold")
                continue
            if type(answer) is not int or not 1 <= answer <= len(options):
                raise DataError(f"{where}: correct_option is {answer!r:.40}, expected an integer 1 to {len(options)}")
            examples.append(
                ChoiceExample(
                    id=str(record["id"]),
                    question=record["full_question"],
                    options=options,
                    answer=answer - 1,
                    topic=record["type"],
                    meta={key: record[key] for key in (*IDS, "full_answer", "full_answer_no_ref")}
                    | {"explanations": explanations},
                )
            )
        everything += examples
        yield "questions", split, examples
    report.warn("repeated_question", questions.repeats(everything))


def _records(files: RawFiles, path: str, report: BuildReport) -> Iterator[tuple[str, dict[str, Any]]]:
    where = f"medexpqa: {path}"
    text = decode(files.read(path), where)
    bare = '"5": NaN'  # cannot occur inside a JSON string, where the quotation mark would be escaped
    report.warn("option_5_is_nan", text.count(bare))
    for number, record in json_lines.records(text.replace(bare, '"5": null'), KEYS, where):
        line = f"{where}, line {number}"
        json_lines.require_text(record, TEXTS, line)
        if not record["full_question"].strip():
            raise DataError(f'{line}: "full_question" is empty')
        if record["lang"] != "it":
            raise DataError(f'{line}: lang is "{record["lang"][:40]}", expected "it"')
        for key in IDS:
            value = record[key]
            if isinstance(value, str) and value.strip():
                json_lines.require_text(record, (key,), line)
            elif type(value) is not int or abs(value) > MAX_NUMBER:
                raise DataError(f'{line}: "{key}" is {value!r:.40}, expected an integer or a text')
        yield line, record


def _numbered(record: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    value = record[key]
    if not isinstance(value, dict) or value.keys() != set(NUMBERS):
        found = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise DataError(f"{where}: {key} has the keys {found}, expected {list(NUMBERS)}")
    return value


def _options(record: dict[str, Any], where: str) -> list[str]:
    options = _numbered(record, "options", where)
    numbers = NUMBERS if options["5"] is not None else NUMBERS[:-1]
    json_lines.require_text(options, numbers, f"{where}, options")
    return [options[number] for number in numbers]


def _explanations(record: dict[str, Any], where: str, report: BuildReport) -> dict[str, Any]:
    """The explanations as upstream has them, checked; ranges that do not read as their text are counted."""
    explanations = _numbered(record, "explanations", where)
    for number in NUMBERS:
        explanation, here = explanations[number], f"{where}, explanation {number}"
        if explanation is None:
            continue
        if not isinstance(explanation, dict) or not EXPLANATION <= explanation.keys() <= EXPLANATION_KEYS:
            found = sorted(explanation) if isinstance(explanation, dict) else type(explanation).__name__
            raise DataError(f"{here} has the keys {found}, expected {sorted(EXPLANATION)}")
        json_lines.require_text(explanation, ("text",), here)
        for key in explanation.keys() & {"char_ranges", "word_ranges"}:
            if not _are_ranges(explanation[key]):
                raise DataError(f"{here}: {key} is {explanation[key]!r:.60}, expected a list of [start, end]")
        if type(explanation.get("exist", True)) is not bool:
            raise DataError(f"{here}: exist is {explanation['exist']!r:.40}, expected true or false")
        read = " ".join(record["full_answer"][start:end] for start, end in explanation["char_ranges"])
        report.warn("explanation_ranges_differ_from_text", read.split() != explanation["text"].split())
    return explanations


def _are_ranges(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and [type(n) for n in pair] == [int, int] and 0 <= pair[0] <= pair[1] <= MAX_NUMBER
        for pair in value
    )
