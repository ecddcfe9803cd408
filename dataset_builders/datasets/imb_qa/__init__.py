"""IMB-QA: 782,644 Italian forum questions to doctors with their answers (MedicItalia, Dica33), as text.

Upstream  praiselab-picuslab/IMB on the Hub (gated); paper arXiv 2510.18468
Format    IMB-QA.json: a JSON list, or category -> list, of records; expected by analogy with IMB-MCQA of the same
          repository, not seen: ID, Category, Question, Answer; or the names of the owners' code, in Italian (KEYS)
Split     train alone: open answers, nothing here evaluates them
Quirks    upstream reformulated and anonymised the answers with a language model
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ita_med import catalogue
from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import json_lines
from ita_med.errors import DataError
from ita_med.schema import Example, TextExample
from ita_med.sources import Hub, RawFiles
from ita_med.text import decode

REPO = "praiselab-picuslab/IMB"
FILES = ("IMB/IMB-QA.json", "IMB/IMD-QA.json")
"""The Hub's name, and the one before the dataset was renamed; the first that is there is read."""
VERSION = "1.0.0"
SOURCES = (Hub(REPO, gated=True),)
CONFIGS = {"pairs": "text"}
KEYS = {
    "id": ("ID",),
    "category": ("Category", "categoria"),
    "question": ("Question", "testo_domanda"),
    "answer": ("Answer", "testo_risposta"),
}
"""What a record holds -> the keys under which it is understood."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("pairs", "train", one text per question and answer in file order)."""
    entry = catalogue.dataset("imb_qa")
    counts = report.split("pairs", "train")
    path = next((path for path in FILES if files.find(path, required=False)), FILES[0])
    examples: list[Example] = []
    seen: set[str] = set()
    for number, (where, record) in enumerate(_records(files.read(path), f"imb_qa: {path}"), 1):
        json_lines.require_text(record, ("category", "question", "answer"), where)
        category, question, answer = (record[key].strip() for key in ("category", "question", "answer"))
        if not question or not answer:
            counts.drop("empty_question" if not question else "empty_answer")
            continue
        text = f"Domanda: {question}\n\nRisposta: {answer}"
        report.warn("repeated_pair", text in seen)
        seen.add(text)
        meta = {"category": category} | ({"id": str(record["id"])} if "id" in record else {})
        examples.append(TextExample(f"{number:06}", text, REPO, entry.licence, entry.homepage, meta=meta))
    yield "pairs", "train", examples


def _records(content: bytes, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place for messages, record by role), in file order."""
    try:
        data = json_lines.loads(decode(content, where))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error}); get the file again") from error
    groups = data if isinstance(data, dict) else {"": data}
    for category, records in groups.items():
        if not isinstance(records, list):
            kind = type(records).__name__
            raise DataError(f"{where}, {category[:60]!r} holds {kind}, expected records, or category -> records")
        for number, record in enumerate(records, 1):
            here = f"{where}, {category[:60]!r}, record {number}" if category else f"{where}, record {number}"
            yield here, _by_role(record, {"category": category} if category else {}, here)


def _by_role(record: Any, known: dict[str, str], where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"{where}: {repr(record)[:60]}, expected an object")
    role_of = {key: role for role, keys in KEYS.items() for key in keys}
    roles = Counter(role_of.get(key, "") for key in record)
    found = {role_of[key]: value for key, value in record.items() if key in role_of}
    if "" in roles or max(roles.values(), default=0) > 1 or not {"category", "question", "answer"} <= {*known, *found}:
        raise DataError(f"{where} has the keys {sorted(record)}, expected one each of {KEYS}")
    if known and found.get("category", known["category"]) != known["category"]:
        raise DataError(f"{where}: the category is {found['category']!r:.60}, expected {known['category']!r:.60}")
    return known | found
