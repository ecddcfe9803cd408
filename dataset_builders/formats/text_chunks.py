"""The documents of a corpus that memory cannot hold: in chunks, counted, nothing de-duplicated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import json_lines
from ita_med.dataset_builders.formats.seen_texts import Seen
from ita_med.schema import Example, TextExample

CHUNK_DOCUMENTS = 10_000
CHUNK_CHARACTERS = 2**24
"""A chunk ends with the document that reaches one of the two."""
USUAL_COLUMNS = (
    ("text",),
    ("instruction", "input", "output"),
    ("instruction", "output"),
    ("question", "answer"),
    ("prompt", "completion"),
)
"""What a repository of texts or of questions with answers may be called by; for those whose columns were not seen."""


def chunks(
    config: str, documents: Iterable[TextExample], report: BuildReport
) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, "train", documents) until there are no more.

    A document of nothing but white space is dropped (reason `empty_text`). One whose text an earlier one has is kept
    and counted (warning `repeated_text`): de-duplication is a step of the corpus pipeline. So are the documents of
    each licence (warning `licence: NAME`).
    """
    texts = Seen()
    for group in _groups(_with_text(documents, report, config)):
        report.warn("repeated_text", len(texts.add([document.text for document in group])))
        yield config, "train", list[Example](group)


def _with_text(documents: Iterable[TextExample], report: BuildReport, config: str) -> Iterator[TextExample]:
    counts = report.split(config, "train")
    for document in documents:
        if not document.text.strip():
            counts.drop("empty_text")
            continue
        report.warn(f"licence: {document.licence}")
        yield document


def _groups(documents: Iterable[TextExample]) -> Iterator[list[TextExample]]:
    """At least one group, which is empty only if there are no documents."""
    group: list[TextExample] = []
    characters = 0
    for document in documents:
        if len(group) >= CHUNK_DOCUMENTS or characters >= CHUNK_CHARACTERS:
            yield group
            group, characters = [], 0
        group.append(document)
        characters += len(document.text)
    yield group


def usual_text(row: dict[str, Any], where: str) -> str:
    """The values of a row with one of USUAL_COLUMNS, in that order, joined by blank lines."""
    columns = next(columns for columns in USUAL_COLUMNS if set(columns) == set(row))
    json_lines.require_text(row, columns, where)
    return "\n\n".join(row[column] for column in columns if row[column].strip())


def require_text(value: Any, what: str, where: str) -> str:
    """The value, if it is a text that UTF-8 can hold."""
    json_lines.require_text({what: value}, (what,), where)
    return str(value)
