"""INCLUDE, Italian health questions: the part of a general benchmark of native exams on health oriented education.

Upstream  https://huggingface.co/datasets/CohereForAI/include-base-44, config `Italian`
Format    Italian/{validation,test}-*.parquet (or .jsonl): question, choices (a list), answer (0-based index), domain,
          subject, level, regional_feature, country, language
Split     upstream's test; its validation where the files have one (not at the pinned revision)
Quirks    other domains are dropped (`not_health`); the domain is compared without regard to case and hyphens
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
SOURCES = (Hub("CohereForAI/include-base-44", revision="933d2d9a932145261410315c387baeaa32ecc93c"),)
CONFIGS = {"include": "choice"}
SPLITS = ("validation", "test")
DOMAIN = "health oriented education"
TEXTS = ("language", "country", "domain", "subject", "regional_feature", "level", "question")
COLUMNS = {*TEXTS, "choices", "answer"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("include", split, health questions in file order)."""
    for split in SPLITS:
        rows = hub_rows.rows(files, f"include-base-44/Italian/{split}*", COLUMNS, required=split == "test")
        named = ((f"{split}-{number:04}", where, row) for number, (where, row) in enumerate(rows, 1))
        examples = questions.counted((_example(row, where, name, split, report) for name, where, row in named), report)
        if examples or split == "test":
            yield "include", split, examples


def _example(row: dict[str, Any], where: str, name: str, split: str, report: BuildReport) -> ChoiceExample | None:
    json_lines.require_text(row, TEXTS, where)
    if row["language"] != "Italian":
        raise DataError(f'{where}: "language" is "{row["language"]}", expected "Italian"')
    if row["domain"].replace("-", " ").casefold() != DOMAIN:
        report.split("include", split).drop("not_health")
        return None
    if not row["question"].strip():
        raise DataError(f'{where}: "question" is empty')
    options, answer = row["choices"], row["answer"]
    if not isinstance(options, list) or not 2 <= len(options) <= len(LETTERS):
        found = len(options) if isinstance(options, list) else repr(options)[:40]
        raise DataError(f'{where}: "choices" holds {found}, expected a list of 2 to {len(LETTERS)} texts')
    json_lines.require_text(dict(zip(LETTERS, options, strict=False)), LETTERS[: len(options)], f"{where}, choices")
    if answer is None:
        report.split("include", split).drop("no_gold")
        return None
    if type(answer) is not int or not 0 <= answer < len(options):
        raise DataError(f'{where}: "answer" is {answer!r}, expected a number from 0 to {len(options) - 1}')
    return ChoiceExample(
        id=name,
        question=row["question"],
        options=options,
        answer=answer,
        topic=row["subject"],
        meta={key: row[key] for key in ("country", "level", "regional_feature")},
    )
