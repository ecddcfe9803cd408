"""medmcqa-it: MedMCQA, questions of Indian medical entrance exams, translated into Italian by NLP-FBK.

Upstream  NLP-FBK/medmcqa-it on the Hub (no card, licence not stated); arXiv 2512.05658
Format    as in `medqa_it`: Parquet in a folder per split with the columns full_question, translated_answer_opa …
          translated_answer_opd and cop (counted from 0)
Split     only train was seen; a folder validation/ or test/ is read where it is there
Quirks    no ids: ours count the rows; the files themselves were not seen, so other columns stop the build
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.datasets import medqa_it
from ita_med.schema import Example
from ita_med.sources import Hub, RawFiles

REPO = "medmcqa-it"
VERSION = "1.0.0"
SOURCES = (Hub(f"NLP-FBK/{REPO}"),)
CONFIGS = {"questions": "choice"}


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("questions", split, examples in file order)."""
    return medqa_it.read_repository(files, REPO, report)
