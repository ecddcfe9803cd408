"""Evalita-LLM admission test: questions of the admission test to medical specialties with five options, native.

Upstream  https://huggingface.co/datasets/evalitahf/admission_test, known from lm-eval's evalita-mp_at task only
Format    {dev,test}* or data/{dev,test}* as Parquet or JSON Lines: Question, A, B, C, D, E, Correct (a letter)
Split     upstream's dev (its shots; here validation) and test
Quirks    no ids: the id is the row's number in its split; file names and further columns were not seen
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SOURCES = (Hub("evalitahf/admission_test"),)
CONFIGS = {"admission_test": "choice"}
SPLITS = {"validation": "dev", "test": "test"}
LETTERS = list("ABCDE")
COLUMNS = {"Question", *LETTERS, "Correct"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("admission_test", split, questions in file order)."""
    for split, upstream in SPLITS.items():
        found = list(hub_rows.rows(files, f"admission_test/data/{upstream}*", COLUMNS, required=False))
        rows = found or hub_rows.rows(files, f"admission_test/{upstream}*", COLUMNS)
        named = ((f"{split}-{number:04}", where, row) for number, (where, row) in enumerate(rows, 1))
        examples = questions.counted((_example(row, where, name, split, report) for name, where, row in named), report)
        yield "admission_test", split, examples


def _example(row: dict[str, Any], where: str, name: str, split: str, report: BuildReport) -> ChoiceExample | None:
    json_lines.require_text(row, ("Question", *LETTERS), where)
    if empty := [key for key in ("Question", *LETTERS) if not row[key].strip()]:
        raise DataError(f'{where}: "{empty[0]}" is empty')
    if row["Correct"] in (None, ""):
        report.split("admission_test", split).drop("no_gold")
        return None
    if row["Correct"] not in LETTERS:
        raise DataError(f'{where}: "Correct" is {row["Correct"]!r}, expected one of {LETTERS}')
    return ChoiceExample(
        id=name,
        question=row["Question"],
        options=[row[letter] for letter in LETTERS],
        answer=LETTERS.index(row["Correct"]),
    )
