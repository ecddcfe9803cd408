"""medmcqa-ita: MedMCQA, questions of Indian medical entrance exams, machine-translated into Italian.

Upstream  Detsutut/medmcqa-ita on the Hub (licence not stated)
Format    rows id, question, opa … opd, cop, choice_type, exp, subject_name, topic_name; Parquet, JSON Lines or a JSON
          list; `cop` is a class label: 0–3, or its name a–d
Split     upstream's train, validation and test
Quirks    `cop` is -1 where the gold is hidden, believed to be so in the whole test split: such questions are dropped,
          and a split without any gold is left out
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines, questions
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample, Example
from ita_med.sources import Hub, RawFiles

REPO = "medmcqa-ita"
VERSION = "1.0.0"
SOURCES = (Hub(f"Detsutut/{REPO}"),)
CONFIGS = {"questions": "choice"}
SPLITS = ("train", "validation", "test")
OPTIONS = ("opa", "opb", "opc", "opd")
NULLABLE = ("choice_type", "exp", "subject_name", "topic_name")
COLUMNS = {"id", "question", *OPTIONS, "cop", *NULLABLE}
NAMES = ("a", "b", "c", "d")
HIDDEN = -1


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("questions", split, examples in file order) for every split that has gold."""
    everything: list[Example] = []
    for split in SPLITS:
        examples: list[Example] = []
        hidden = 0
        for where, row in _rows(files, split):
            json_lines.require_text(row, ("id", "question", *OPTIONS), where)
            json_lines.require_text(row, (key for key in NULLABLE if row[key] is not None), where)
            if not row["question"].strip():
                raise DataError(f'{where}: "question" is empty')
            answer = _answer(row["cop"], where)
            if answer is None:
                hidden += 1
                continue
            options = [row[key] for key in OPTIONS]
            examples.append(
                ChoiceExample(
                    id=row["id"],
                    question=row["question"],
                    options=options,
                    answer=answer,
                    topic=row["subject_name"] or "",
                    meta={key: row[key] for key in ("choice_type", "exp", "topic_name") if row[key] is not None},
                )
            )
        if hidden and not examples:
            if split != "test":
                raise DataError(f"{where}: none of the {hidden} rows of {split} has gold, expected cop 0 to 3")
            report.warn("test_without_gold", hidden)
            continue
        everything += examples
        report.split("questions", split).drop("no_gold", hidden)
        yield "questions", split, examples
    report.warn("repeated_question", questions.repeats(everything))


def _rows(files: RawFiles, split: str) -> Iterator[hub_rows.HubRow]:
    """The split's rows; the Hub stores a split's files in data/ or at the top."""
    folder = f"{REPO}/data" if files.has(f"{REPO}/data") else REPO
    return hub_rows.rows(files, f"{folder}/{split}*", COLUMNS)


def _answer(cop: Any, where: str) -> int | None:
    """The right option's index, or None where the gold is hidden."""
    if cop is None or (type(cop) is int and cop == HIDDEN):
        return None
    if type(cop) is int and 0 <= cop < len(OPTIONS):
        return cop
    if cop in NAMES:
        return NAMES.index(cop)
    raise DataError(f'{where}: "cop" is {cop!r:.40}, expected 0 to 3, one of {list(NAMES)}, or {HIDDEN} for no gold')
