"""Global-MMLU-Lite, Italian medical questions: the part of a general benchmark whose subject_category is "Medical".

Upstream  https://huggingface.co/datasets/CohereForAI/Global-MMLU-Lite, config `it`
Format    it/{dev,test}-*.parquet (or .jsonl): question, option_a … option_d, answer (a letter), subject_category, and
          annotations of culture and region
Split     upstream's dev (here validation) and test
Quirks    other categories are dropped (`not_medical`)
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
SOURCES = (Hub("CohereForAI/Global-MMLU-Lite"),)
CONFIGS = {"global_mmlu": "choice"}
SPLITS = {"validation": "dev", "test": "test"}
CATEGORY = "Medical"
LETTERS = "ABCD"
OPTIONS = [f"option_{letter.lower()}" for letter in LETTERS]
ANNOTATIONS = (
    "required_knowledge", "time_sensitive", "reference", "culture", "region", "country",
    "cultural_sensitivity_label", "is_annotated",
)  # fmt: skip
COLUMNS = {"sample_id", "subject", "subject_category", "question", *OPTIONS, "answer", *ANNOTATIONS}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("global_mmlu", split, medical questions in file order)."""
    for split, upstream in SPLITS.items():
        rows = hub_rows.rows(files, f"Global-MMLU-Lite/it/{upstream}*", COLUMNS)
        yield (
            "global_mmlu",
            split,
            questions.counted((_example(row, where, split, report) for where, row in rows), report),
        )


def _example(row: dict[str, Any], where: str, split: str, report: BuildReport) -> ChoiceExample | None:
    json_lines.require_text(row, ("sample_id", "subject", "subject_category", "question", *OPTIONS), where)
    if row["subject_category"] != CATEGORY:
        report.split("global_mmlu", split).drop("not_medical")
        return None
    if empty := [name for name in ("sample_id", "question", *OPTIONS) if not row[name].strip()]:
        raise DataError(f'{where}: "{empty[0]}" is empty')
    if row["answer"] in (None, ""):
        report.split("global_mmlu", split).drop("no_gold")
        return None
    if row["answer"] not in list(LETTERS):
        raise DataError(f'{where}: "answer" is {row["answer"]!r}, expected one of {list(LETTERS)}')
    return ChoiceExample(
        id=row["sample_id"],
        question=row["question"],
        options=[row[name] for name in OPTIONS],
        answer=LETTERS.index(row["answer"]),
        topic=row["subject"],
        meta={name: row[name] for name in ANNOTATIONS},
    )
