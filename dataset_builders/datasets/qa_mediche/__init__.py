"""qa_mediche_test: dialogues between patients and doctors, each turn translated into Italian.

Upstream  https://huggingface.co/datasets/FinancialSupport/qa_mediche_test (no licence)
Format    Parquet files `data/train-*`: file_name, dialogue_id, dialogue_url and dialogue_turns, a structure of three
          lists (speaker, utterance, utterance_ita); 14,914 rows
Split     train alone, as upstream
Quirks    only `utterance_ita` is read; dialogue_id is not known to be unique, so a document is called by its row
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, text_chunks
from ita_med.errors import DataError
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles

REPO = "FinancialSupport/qa_mediche_test"
VERSION = "1.0.0"
SOURCES = (Hub(REPO, revision="2ef2e7f8514d29f2374e4a824f6ad6be4d477fa0", allow_patterns=("data/train-*",)),)
CONFIGS = {"qa_mediche": "text"}
COLUMNS = {"file_name", "dialogue_id", "dialogue_url", "dialogue_turns"}
TURN_FIELDS = ["speaker", "utterance", "utterance_ita"]


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("qa_mediche", "train", dialogues in the order of the rows) in chunks."""
    yield from text_chunks.chunks("qa_mediche", _dialogues(files), report)


def _dialogues(files: RawFiles) -> Iterator[TextExample]:
    entry = catalogue.dataset("qa_mediche")
    for number, (where, row) in enumerate(hub_rows.stream(files, "qa_mediche_test/data/train-*", COLUMNS)):
        speakers, utterances = _turns(row["dialogue_turns"], where)
        url = text_chunks.require_text(row["dialogue_url"] or "", "dialogue_url", where)
        meta = {"dialogue_id": row["dialogue_id"], "file_name": row["file_name"], "speakers": speakers}
        yield TextExample(
            f"{number:05}", "\n\n".join(utterances), REPO, entry.licence, url or entry.homepage, meta=meta
        )


def _turns(turns: Any, where: str) -> tuple[list[Any], list[str]]:
    """The speakers and the Italian utterances of the turns that have any text."""
    if not isinstance(turns, dict) or sorted(turns) != TURN_FIELDS:
        found = sorted(turns) if isinstance(turns, dict) else type(turns).__name__
        raise DataError(f"{where}: dialogue_turns holds {found}, expected the lists {TURN_FIELDS}")
    lists = [turns[field] for field in TURN_FIELDS]
    if not all(isinstance(values, list) for values in lists) or len({len(values) for values in lists}) != 1:
        raise DataError(f"{where}: {TURN_FIELDS} are not lists of one length")
    said = [
        (speaker, text_chunks.require_text(utterance, "utterance_ita", where))
        for speaker, utterance in zip(turns["speaker"], turns["utterance_ita"], strict=True)
    ]
    said = [(speaker, utterance) for speaker, utterance in said if utterance.strip()]
    return [speaker for speaker, _ in said], [utterance for _, utterance in said]
