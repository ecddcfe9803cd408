"""MMLU-ProX, Italian health questions: the part of a general benchmark whose category is "health".

Upstream  https://huggingface.co/datasets/li-lab/MMLU-ProX, config `it`
Format    it/{validation,test}-*.parquet (or .jsonl): question, option_0 … option_9, answer (a letter A–J),
          answer_index, cot_content, category, src
Split     upstream's validation (its shots, with reasoning in cot_content) and test
Quirks    up to ten options: unused ones are null, empty or "N/A" at the end; other categories are dropped
          (`not_health`); question_id_src is not in every version of the files
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import LETTERS, ChoiceExample, Example
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SOURCES = (Hub("li-lab/MMLU-ProX"),)
CONFIGS = {"mmlu_prox": "choice"}
SPLITS = ("validation", "test")
CATEGORY = "health"
OPTIONS = [f"option_{n}" for n in range(10)]
UNUSED = (None, "", "N/A")
SOURCE_ID = "question_id_src"
COLUMNS = {"question_id", "question", *OPTIONS, "answer", "answer_index", "cot_content", "category", "src", SOURCE_ID}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("mmlu_prox", split, health questions in file order)."""
    for split in SPLITS:
        rows = _rows(files, f"MMLU-ProX/it/{split}*")
        yield (
            "mmlu_prox",
            split,
            questions.counted((_example(row, where, split, report) for where, row in rows), report),
        )


def _rows(files: RawFiles, pattern: str) -> list[hub_rows.HubRow]:
    """The rows with all columns, or else all without question_id_src; an error names the full set."""
    try:
        return list(hub_rows.rows(files, pattern, COLUMNS))
    except DataError as error:
        try:
            return list(hub_rows.rows(files, pattern, COLUMNS - {SOURCE_ID}))
        except DataError:
            raise error from None


def _example(row: dict[str, Any], where: str, split: str, report: BuildReport) -> ChoiceExample | None:
    json_lines.require_text(row, ("category", "question", "src"), where)
    if row["category"] != CATEGORY:
        report.split("mmlu_prox", split).drop("not_health")
        return None
    if type(row["question_id"]) is not int:
        raise DataError(f'{where}: "question_id" is {row["question_id"]!r}, expected a number')
    if not row["question"].strip():
        raise DataError(f'{where}: "question" is empty')
    names = list(OPTIONS)
    while names and row[names[-1]] in UNUSED:
        names.pop()
    json_lines.require_text(row, names, where)
    if len(names) < 2 or not all(row[name].strip() for name in names):
        raise DataError(f"{where}: options {names} have a gap, expected 2 to 10 from option_0 on")
    if row["answer"] in (None, ""):
        report.split("mmlu_prox", split).drop("no_gold")
        return None
    letters = list(LETTERS[: len(names)])
    if row["answer"] not in letters:
        raise DataError(f'{where}: "answer" is {row["answer"]!r}, expected one of {letters}')
    answer = letters.index(row["answer"])
    if row["answer_index"] != answer:
        raise DataError(
            f'{where}: "answer_index" is {row["answer_index"]!r}, expected {answer} for the answer "{row["answer"]}"'
        )
    json_lines.require_text(row | {"cot_content": row["cot_content"] or ""}, ("cot_content",), where)
    kept = {name: row[name] for name in ("cot_content", "src", SOURCE_ID) if row.get(name) not in (None, "")}
    return ChoiceExample(
        id=f"{split}-{row['question_id']:05}",
        question=row["question"],
        options=[row[name] for name in names],
        answer=answer,
        topic=CATEGORY,
        meta=kept,
    )
