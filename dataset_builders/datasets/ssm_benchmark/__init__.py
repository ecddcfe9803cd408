"""SSM benchmark: questions of the Italian national admission test to medical specialties, 2020–2025, native.

Upstream  https://github.com/alessandroliva/ssm_benchmark (licence not stated)
Format    data/processed/ssm2020.json … ssm2025.json; the records' keys were not seen: ROLES names the ones that are
          understood, by analogy with ITAMed and EuropeMedQA; anything else stops the build with the keys that it met
Split     none upstream: whole exams by the rule of `itamed`, so that one exam lies in one split in both datasets
Quirks    a sixth option F (abstain) is no answer and is left out; options are put in the order of
          sha256("YEAR-NUMBER-LETTER"), as in `itamed`, and `meta.order` holds upstream's letters in the new order;
          about ten questions a year need an image
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.datasets.itamed import split_of
from ita_med.dataset_builders.formats import json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import GitHub, RawFiles
from ita_med.text import decode

YEARS = range(2020, 2026)
FILE = "data/processed/ssm{}.json"
VERSION = "1.0.0"
SOURCES = (GitHub("alessandroliva/ssm_benchmark", commit="main", files=tuple(FILE.format(year) for year in YEARS)),)
CONFIGS = {"ssm": "choice"}
LETTERS = "ABCDE"
ABSTAIN = "F"
ROLES = {
    "number": ("number", "question_number", "id"),
    "question": ("question", "text"),
    "options": ("options", "choices", "answers"),
    "answer": ("correct_answer", "answer", "correct"),
    "image": ("image", "image_path", "images", "has_image"),
    "topic": ("category", "specialty", "topic"),
}
"""What a record holds -> the keys under which it is understood; image and topic may be absent."""
NEEDED = ("number", "question", "options", "answer")


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("ssm", split, questions by year and in file order)."""
    splits: dict[str, list[Example]] = {"train": [], "test": []}
    found = [(year, files.find(FILE.format(year), required=False)) for year in YEARS]
    if not any(contents for _, contents in found):
        files.find("data/processed/ssm20*.json")
    for year, contents in found:
        report.warn("year_missing", not contents)
        for path, content in contents:
            numbers: set[str] = set()
            for where, row in _records(decode(content, f"ssm_benchmark: {path}"), f"ssm_benchmark: {path}"):
                example = _example(row, year, where, report)
                if example.id in numbers:
                    raise DataError(f"{where}: question {example.id} appears twice")
                numbers.add(example.id)
                splits[split_of(year)].append(example)
    report.warn("repeated_question", questions.repeats(e for group in splits.values() for e in group))
    for split, examples in splits.items():
        if examples:
            yield "ssm", split, examples


def _records(text: str, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place for messages, record by role); the list may be wrapped as {"questions": […]}."""
    try:
        data = json_lines.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error}); get the file again") from error
    if isinstance(data, dict) and isinstance(data.get("questions"), list):
        data = data["questions"]
    if not isinstance(data, list):
        held = sorted(data) if isinstance(data, dict) else repr(data)
        raise DataError(f"{where} holds {str(held)[:80]}, expected a list of questions")
    role_of = {key: role for role, keys in ROLES.items() for key in keys}
    for number, row in enumerate(data, 1):
        here = f"{where}, record {number}"
        if not isinstance(row, dict):
            raise DataError(f"{here}: {repr(row)[:60]}, expected an object")
        roles = Counter(role_of.get(key, "") for key in row)
        if "" in roles or max(roles.values()) > 1 or not set(NEEDED) <= set(roles):
            raise DataError(f"{here} has the keys {sorted(row)}, expected one each of {ROLES}")
        yield here, {role_of[key]: value for key, value in row.items()}


def _example(row: dict[str, Any], year: int, where: str, report: BuildReport) -> ChoiceExample:
    number, question, topic = str(row["number"]), row["question"], row.get("topic") or ""
    if type(row["number"]) not in (int, str) or not re.fullmatch(r"[\w-]{1,40}", number):
        raise DataError(f"{where}: the number is {row['number']!r:.40}, expected digits or a short name")
    json_lines.require_text({"question": question, "topic": topic}, ("question", "topic"), where)
    if not question.strip():
        raise DataError(f"{where}: the question is empty")
    options = _options(row["options"], where)
    report.warn("abstention_option", options.pop(ABSTAIN, None) is not None)
    gold = _gold(row["answer"], options, where)
    order = sorted(options, key=lambda letter: hashlib.sha256(f"{year}-{number}-{letter}".encode()).digest())
    return ChoiceExample(
        id=f"ssm-{year}-{number}",
        question=question,
        options=[options[letter] for letter in order],
        answer=order.index(gold),
        topic=topic,
        meta={"order": "".join(order), "has_image": bool(row.get("image"))},
    )


def _options(options: Any, where: str) -> dict[str, str]:
    """Letter -> text: from an object, or from a list in the order A to E (F)."""
    if isinstance(options, list):
        options = dict(zip(LETTERS + ABSTAIN, options, strict=False)) if len(options) <= 6 else None
    if not isinstance(options, dict) or "".join(options) not in (LETTERS, LETTERS + ABSTAIN):
        raise DataError(f"{where}: the options are {repr(options)[:80]}, expected five texts A to E and, maybe, F")
    json_lines.require_text(options, options, f"{where}, options")
    if empty := [letter for letter in LETTERS if not options[letter].strip()]:
        raise DataError(f"{where}: option {empty[0]} is empty")
    return dict(options)


def _gold(answer: Any, options: dict[str, str], where: str) -> str:
    """The right letter: given as such, or as the text of exactly one option; a number could count from 0 or 1."""
    if isinstance(answer, str):
        if answer.strip() in options:
            return answer.strip()
        same = [letter for letter, text in options.items() if text.strip() == answer.strip()]
        if len(same) == 1:
            return same[0]
    raise DataError(f"{where}: the answer is {answer!r:.60}, expected a letter A to E or the text of one option")
