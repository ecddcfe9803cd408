"""test-medicina: 3,301 questions of the Italian entrance test to medical school, native; only partly medical.

Upstream  https://github.com/room-b007/test-medicina (Apache-2.0 in the README), known by the commit prefix fddf87e1
Format    JSON Lines {"id": 1, "topic": …, "text": …, "answers": [5 texts], "label": 0-based index}
Split     all test, as in upstream's own lm-eval task
Quirks    biologia 1,180, chimica 1,009, fisica-matematica 655, competenze-conoscenze 245, logica 212 questions;
          texts keep their spaces and line ends at the edges
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import RawFiles, Source

VERSION = "1.0.0"
SOURCES: tuple[Source, ...] = ()
CONFIGS = {"test_medicina": "choice"}
FILE = "data/questions/medical_school_questions.jsonl"
KEYS = {"id", "topic", "text", "answers", "label"}
TOPICS = ("biologia", "chimica", "fisica-matematica", "competenze-conoscenze", "logica")
OPTION_COUNT = 5


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("test_medicina", "test", questions in file order)."""
    rows = hub_rows.rows(files, FILE, KEYS)
    yield "test_medicina", "test", questions.counted((_example(row, where, report) for where, row in rows), report)


def _example(row: dict[str, Any], where: str, report: BuildReport) -> ChoiceExample | None:
    json_lines.require_text(row, ("topic", "text"), where)
    if type(row["id"]) is not int:
        raise DataError(f'{where}: "id" is {row["id"]!r}, expected a number')
    if row["topic"] not in TOPICS:
        raise DataError(f'{where}: "topic" is "{row["topic"]}", expected one of {list(TOPICS)}')
    if not row["text"].strip():
        raise DataError(f'{where}: "text" is empty')
    answers, label = row["answers"], row["label"]
    if not isinstance(answers, list) or len(answers) != OPTION_COUNT:
        found = len(answers) if isinstance(answers, list) else repr(answers)[:40]
        raise DataError(f'{where}: "answers" holds {found}, expected a list of {OPTION_COUNT} texts')
    json_lines.require_text(dict(enumerate(answers)), range(OPTION_COUNT), f"{where}, answers")  # type: ignore[arg-type]
    if label is None:
        report.split("test_medicina", "test").drop("no_gold")
        return None
    if type(label) is not int or not 0 <= label < OPTION_COUNT:
        raise DataError(f'{where}: "label" is {label!r}, expected a number from 0 to {OPTION_COUNT - 1}')
    return ChoiceExample(
        id=f"test-{row['id']:05}", question=row["text"], options=answers, answer=label, topic=row["topic"]
    )
