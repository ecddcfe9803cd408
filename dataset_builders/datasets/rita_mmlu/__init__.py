"""RiTA mmlu_ita, medical subjects: MMLU machine-translated into Italian (TowerInstruct-7B), ten subjects of 57.

Upstream  https://huggingface.co/datasets/RiTA-nlp/mmlu_ita (CC BY 4.0), config `all`
Format    all/{dev,validation,test}.parquet; columns expected by analogy with MMLU itself (cais/mmlu), not seen:
          question, subject, choices (four texts), answer (0–3, or a letter A–D); further columns are not read
Split     upstream's dev (here train: MMLU's examples for prompts), validation and test
Quirks    other subjects are dropped (`not_medical`)
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
SOURCES = (Hub("RiTA-nlp/mmlu_ita"),)
CONFIGS = {"rita_mmlu": "choice"}
SPLITS = {"train": "dev", "validation": "validation", "test": "test"}
COLUMNS = {"question", "subject", "choices", "answer"}
LETTERS = "ABCD"
SUBJECTS = frozenset(
    (
        "anatomy", "clinical_knowledge", "college_biology", "college_medicine", "human_aging", "human_sexuality",
        "medical_genetics", "nutrition", "professional_medicine", "virology",
    )
)  # fmt: skip
"""The medical subjects of MMLU, by its own names."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("rita_mmlu", split, medical questions in file order)."""
    for split, upstream in SPLITS.items():
        met: set[str] = set()
        rows = hub_rows.rows(files, f"mmlu_ita/all/{upstream}*", COLUMNS, others=report)
        numbered = ((f"{split}-{n:05}", where, row) for n, (where, row) in enumerate(rows, 1))
        examples = questions.counted(
            (_example(row, where, name, split, met, report) for name, where, row in numbered), report
        )
        if not examples:
            raise DataError(f"rita_mmlu: {upstream} has the subjects {sorted(met)[:8]}, expected {sorted(SUBJECTS)}")
        yield "rita_mmlu", split, examples


def _example(
    row: dict[str, Any], where: str, name: str, split: str, met: set[str], report: BuildReport
) -> ChoiceExample | None:
    json_lines.require_text(row, ("subject", "question"), where)
    subject = row["subject"].strip().lower().replace(" ", "_")
    met.add(subject)
    if subject not in SUBJECTS:
        report.split("rita_mmlu", split).drop("not_medical")
        return None
    if not row["question"].strip():
        raise DataError(f'{where}: "question" is empty')
    options, answer = row["choices"], row["answer"]
    if not isinstance(options, list) or len(options) != len(LETTERS):
        raise DataError(f'{where}: "choices" is {repr(options)[:60]}, expected {len(LETTERS)} texts')
    numbered = {f"choices[{n}]": option for n, option in enumerate(options)}
    json_lines.require_text(numbered, numbered, where)
    if isinstance(answer, str) and answer in list(LETTERS):
        answer = LETTERS.index(answer)
    if type(answer) is not int or not 0 <= answer < len(LETTERS):
        raise DataError(f'{where}: "answer" is {answer!r:.40}, expected 0 to {len(LETTERS) - 1} or a letter A to D')
    return ChoiceExample(name, row["question"], options, answer, topic=subject.replace("_", " "))
