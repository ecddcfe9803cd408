"""medqa-it: MedQA, questions of the US medical licensing exams, machine-translated into Italian.

Upstream  NLP-FBK/medqa-it on the Hub (no card, licence not stated); arXiv 2512.05658
Format    Parquet in a folder per split; the columns full_question, translated_answer_opa … translated_answer_opd and
          cop (the right option, counted from 0) are those that the owners' training code reads
Split     only train was seen; a folder validation/ or test/ is read where it is there
Quirks    no ids: ours count the rows; the files themselves were not seen, so other columns stop the build
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import Hub, RawFiles

REPO = "medqa-it"
VERSION = "1.0.0"
SOURCES = (Hub(f"NLP-FBK/{REPO}"),)
CONFIGS = {"questions": "choice"}
OPTIONS = tuple(f"translated_answer_op{letter}" for letter in "abcd")
COLUMNS = {"full_question", *OPTIONS, "cop"}
HIDDEN = -1
"""How MedMCQA writes that a question has no gold."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("questions", split, examples in file order)."""
    return read_repository(files, REPO, report)


def read_repository(files: RawFiles, repo: str, report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """The same for any repository with the columns and folders of medqa-it."""
    everything: list[Example] = []
    for split in ("train", "validation", "test"):
        if split != "train" and not files.has(f"{repo}/{split}"):
            continue
        examples: list[Example] = []
        hidden = 0
        for number, (where, row) in enumerate(hub_rows.rows(files, f"{repo}/{split}/*", COLUMNS), 1):
            json_lines.require_text(row, ("full_question", *OPTIONS), where)
            if not row["full_question"].strip():
                raise DataError(f'{where}: "full_question" is empty')
            answer = _answer(row["cop"], where)
            if answer is None:
                hidden += 1
                continue
            options = [row[key] for key in OPTIONS]
            examples.append(ChoiceExample(f"{split}-{number:06}", row["full_question"], options, answer))
        if hidden and not examples:
            if split != "test":
                raise DataError(f"{where}: none of the {hidden} rows of {split} has gold, expected cop 0 to 3")
            report.warn("test_without_gold", hidden)
            continue
        everything += examples
        report.split("questions", split).drop("no_gold", hidden)
        yield "questions", split, examples
    report.warn("repeated_question", questions.repeats(everything))


def _answer(cop: Any, where: str) -> int | None:
    """The right option's index, or None where there is no gold."""
    if cop is None or (type(cop) is int and cop == HIDDEN):
        return None
    if type(cop) is int and 0 <= cop < len(OPTIONS):
        return cop
    raise DataError(f'{where}: "cop" is {cop!r:.40}, expected 0 to 3, or {HIDDEN} for no gold')
