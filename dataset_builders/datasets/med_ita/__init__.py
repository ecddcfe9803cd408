"""MED-ITA: 10,000 Italian multiple-choice questions of medical specialties, native.

Upstream  https://github.com/Crisp-Unimib/MED-ITA (MIT; Zenodo 16631997)
Format    JSON Lines; `options` is a list of one-key objects [{"A": …}, …, {"E": …}], `answer` a letter
Split     no train split: `questions` and `hard` (a subset of it) are evaluation sets; `shots` are upstream's 5 examples
Quirks    63 questions repeat an earlier question text (with other options); they are kept and counted
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import json_lines
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import GitHub, RawFiles
from ita_med.text import decode

FILES = {
    "questions": ("test", "dataset.jsonl"),
    "hard": ("test", "dataset_hard.jsonl"),
    "shots": ("train", "5_shots.jsonl"),
}
VERSION = "1.0.0"
SOURCES = (
    GitHub(
        "Crisp-Unimib/MED-ITA",
        commit="376b65d02951c4b1d2b2bbef9f5a9f3d4870cf56",
        files=tuple(file for _, file in FILES.values()),
    ),
)
CONFIGS = dict.fromkeys(FILES, "choice")
KEYS = {"question", "options", "answer", "category", "macrocategory"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, examples in file order)."""
    for config in configs:
        split, file = FILES[config]
        where = f"med_ita: {file}"
        examples: list[Example] = []
        seen: set[str] = set()
        for number, record in json_lines.records(decode(files.read(file), where), KEYS, where):
            json_lines.require_text(record, KEYS - {"options"}, f"{where}, line {number}")
            letters, options = _options(record, f"{where}, line {number}")
            if record["answer"] not in letters:
                raise DataError(f'{where}, line {number}: answer "{record["answer"]}", expected one of {letters}')
            report.warn(f"{config}: repeated_question_text", record["question"] in seen)
            seen.add(record["question"])
            examples.append(
                ChoiceExample(
                    id=f"{config}-{number:05}",
                    question=record["question"],
                    options=options,
                    answer=letters.index(record["answer"]),
                    topic=record["category"].replace("_", " "),
                    meta={"macrocategory": record["macrocategory"]},
                )
            )
        yield config, split, examples


def _options(record: dict[str, Any], where: str) -> tuple[list[str], list[str]]:
    options = record["options"]
    if not isinstance(options, list) or not all(isinstance(o, dict) and len(o) == 1 for o in options):
        raise DataError(f'{where}: options are no list of one-key objects [{{"A": …}}, …]')
    letters = [letter for option in options for letter in option]
    lettered = {letter: text for option in options for letter, text in option.items()}
    if letters != list("ABCDE")[: len(letters)] or len(letters) < 2:
        raise DataError(f"{where}: options are lettered {letters}, expected A, B, … in order")
    json_lines.require_text(lettered, letters, f"{where}, options")
    return letters, list(lettered.values())
