"""biomedical-mmlu-ita: the biomedical subjects of MMLU, machine-translated into Italian.

Upstream  https://huggingface.co/datasets/Detsutut/biomedical-mmlu-ita (MIT)
Format    data/{train,val,test}-*.parquet (or .jsonl): instruction, option_a … option_d, answer (a letter), id, subject
Split     upstream's train (55), val (233; here validation) and test (2,132)
Quirks    all columns are texts; whether `answer` holds the letter was not seen, and nothing else is accepted
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
SOURCES = (Hub("Detsutut/biomedical-mmlu-ita"),)
CONFIGS = {"biomedical_mmlu_ita": "choice"}
SPLITS = {"train": "train", "validation": "val", "test": "test"}
LETTERS = "ABCD"
OPTIONS = [f"option_{letter.lower()}" for letter in LETTERS]
TEXTS = ("instruction", *OPTIONS, "id", "subject")
COLUMNS = {*TEXTS, "answer"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("biomedical_mmlu_ita", split, questions in file order)."""
    for split, upstream in SPLITS.items():
        rows = hub_rows.rows(files, f"biomedical-mmlu-ita/data/{upstream}*", COLUMNS)
        examples = questions.counted((_example(row, where, split, report) for where, row in rows), report)
        yield "biomedical_mmlu_ita", split, examples


def _example(row: dict[str, Any], where: str, split: str, report: BuildReport) -> ChoiceExample | None:
    json_lines.require_text(row, TEXTS, where)
    if empty := [name for name in ("id", "instruction", *OPTIONS) if not row[name].strip()]:
        raise DataError(f'{where}: "{empty[0]}" is empty')
    if row["answer"] in (None, ""):
        report.split("biomedical_mmlu_ita", split).drop("no_gold")
        return None
    if row["answer"] not in list(LETTERS):
        raise DataError(f'{where}: "answer" is {row["answer"]!r}, expected one of {list(LETTERS)}')
    return ChoiceExample(
        id=f"{split}-{row['id']}",
        question=row["instruction"],
        options=[row[name] for name in OPTIONS],
        answer=LETTERS.index(row["answer"]),
        topic=row["subject"].replace("_", " "),
    )
