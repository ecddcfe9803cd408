"""PsyNIT: diagnoses, symptoms, tests and drugs in Italian neuropsychiatric reports, annotated by a psychologist.

Upstream  https://huggingface.co/datasets/IVN-RIN/PsyNIT (CC BY-SA 4.0)
Format    irregular JSON that the loader of `datasets` cannot read (a field is a text here and an object there), so it
          is read by hand: a list of documents, an object id -> document, or one document per line. Its keys are not
          known: DOCUMENT and ENTITY name the ones that are understood, anything else stops the build
Split     none upstream ("90 % / 10 %" without ids): a document whose text, in lower case and with single spaces, has
          a sha256 that is divisible by 10 is test, every other one train
Quirks    mentions come with offsets, or as bare texts: the n-th of equal texts is then the n-th place that reads so
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders.formats import json_lines
from ita_med.dataset_builders.formats.passages import passages
from ita_med.errors import DataError
from ita_med.schema import Example, Span, SpanExample, check_span
from ita_med.sources import Hub, RawFiles
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = (Hub("IVN-RIN/PsyNIT"),)
CONFIGS = {
    "entities": "spans",  # one example per report
    "entities_passages": "spans",  # the same in passages, as the task asks
}
FOLDER = "PsyNIT"
DOCUMENT = {
    "id": ("id", "doc_id", "document_id"),
    "text": ("text", "testo"),
    "entities": ("entities", "labels", "label"),
}
"""What a document holds -> the keys under which it is understood; the id may be absent."""
ENTITY = {
    "label": ("label", "type", "entity_group"),
    "start": ("start", "start_offset"),
    "end": ("end", "end_offset"),
    "text": ("text", "word", "entity"),
}
"""The same of a mention: a label with start and end, with a text, or with both; or a list [start, end, label]."""
LABELS = (
    "DIAGNOSI E COMORBIDITÀ",
    "SINTOMI COGNITIVI",
    "SINTOMI NEUROPSICHIATRICI",
    "TRATTAMENTO FARMACOLOGICO",
    "TEST",
)
ENGLISH = ("DIAGNOSIS AND COMORBIDITIES", "COGNITIVE SYMPTOMS", "NEUROPSYCHIATRIC SYMPTOMS", "DRUG TREATMENT", "TEST")
"""The names of the English text of upstream's card, understood too."""
MAX_UNFOUND_SHARE = 0.05
"""If more of the mentions without offsets are not in their text, the text is another one."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, one example per document or passage in file order)."""
    splits: dict[str, list[SpanExample]] = {"train": [], "test": []}
    owners: dict[str, str] = {}
    for number, (where, document) in enumerate(_documents(files), 1):
        name, text, entities = _parts(document, f"psynit-{number:03}", where)
        split = split_of(text)
        if name in owners:
            raise DataError(f"{where}: document {name} appears twice, first in {owners[name]}")
        owners[name] = where
        report.warn("repeated_text", any(e.text == text for e in splits[split]))
        spans = _spans(entities, text, where, report.split(configs[0], split))
        splits[split].append(SpanExample(name, name, text, spans))
    unfound = sum(report.split(configs[0], split).dropped["mention_not_in_text"] for split in splits)
    kept = sum(len(e.spans) for group in splits.values() for e in group)
    if unfound > max(1, MAX_UNFOUND_SHARE * (kept + unfound)):
        raise DataError(
            f"psynit: {unfound} of {kept + unfound} mentions are not in the text of their document, "
            f"expected at most {MAX_UNFOUND_SHARE:.0%}"
        )
    for split, reports in splits.items():
        for config in configs:
            report.split(config, split).dropped = report.split(configs[0], split).dropped.copy()
            yield config, split, [*reports] if config == "entities" else [p for r in reports for p in passages(r)]


def split_of(text: str) -> str:
    """The fixed split of a document; neither white space nor capitals move it."""
    words = " ".join(text.lower().split())
    return "train" if int(hashlib.sha256(words.encode()).hexdigest(), 16) % 10 else "test"


def _documents(files: RawFiles) -> Iterator[tuple[str, Any]]:
    """(place for messages, document as JSON gives it), in path and file order."""
    for pattern in (f"{FOLDER}/*.json", f"{FOLDER}/*.jsonl", f"{FOLDER}/data/*.json", f"{FOLDER}/data/*.jsonl"):
        found = files.find(pattern, required=False)
        for path, content in found:
            yield from _of_file(decode(content, f"psynit: {path}"), f"psynit: {path}")
        if found:
            return
    files.find(f"{FOLDER}/*.json")


def _of_file(text: str, where: str) -> Iterator[tuple[str, Any]]:
    try:
        data = json_lines.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) < 2:
            raise DataError(f"{where} is not JSON ({error}); get the file again") from error
        for number, line in lines:
            try:
                yield f"{where}, line {number}", json_lines.loads(line)
            except (ValueError, RecursionError) as broken:
                raise DataError(f"{where}, line {number} is not JSON ({broken}); get the file again") from broken
        return
    if isinstance(data, dict) and not set(data) & set(DOCUMENT["text"]):
        for name, document in data.items():
            here = f"{where}, {name[:60]!r}"
            if not isinstance(document, dict):
                raise DataError(f"{here}: {_shown(document)}, expected a document with {_known(DOCUMENT)}")
            yield here, document if set(document) & set(DOCUMENT["id"]) else document | {"id": name}
        return
    for number, document in enumerate(data if isinstance(data, list) else [data], 1):
        yield f"{where}, document {number}", document


def _parts(document: Any, number: str, where: str) -> tuple[str, str, list[Any]]:
    """Id, text and mentions of a document; the text may be wrapped in an object."""
    if not isinstance(document, dict):
        raise DataError(f"{where}: {_shown(document)}, expected a document with {_known(DOCUMENT)}")
    found = _pick(document, DOCUMENT, where)
    text, entities, name = found.get("text"), found.get("entities"), found.get("id", number)
    if isinstance(text, dict):
        text = _pick(text, {"text": DOCUMENT["text"]}, f"{where}, text").get("text")
    if isinstance(entities, dict):  # label -> its mentions
        grouped = [(label, one) for label, group in entities.items() for one in _group(group, f"{where}, {label}")]
        entities = [
            one | {"label": label} if isinstance(one, dict) else {"label": label, "text": one} for label, one in grouped
        ]
    if not isinstance(text, str) or not text.strip() or not isinstance(entities, list):
        raise DataError(f"{where} has the keys {sorted(document)}, expected a text and a list: {_known(DOCUMENT)}")
    if type(name) not in (str, int) or name == "":
        raise DataError(f"{where}: the id is {_shown(name)}, expected a text or a number")
    json_lines.require_text({"text": text, "id": str(name)}, ("text", "id"), where)
    return str(name), text, entities


def _group(group: Any, where: str) -> list[Any]:
    if not isinstance(group, list):
        raise DataError(f"{where}: {_shown(group)}, expected a list of mentions")
    return group


def _pick(record: dict[str, Any], names: dict[str, tuple[str, ...]], where: str) -> dict[str, Any]:
    """Role -> value; a key that plays no role, or a role that two keys play, is an error with both sets."""
    role_of = {key: role for role, keys in names.items() for key in keys}
    roles = Counter(role_of.get(key, "") for key in record)
    if "" in roles or max(roles.values(), default=0) > 1:
        raise DataError(f"{where} has the keys {sorted(record)}, expected one each of {_known(names)}")
    return {role_of[key]: value for key, value in record.items()}


def _spans(entities: list[Any], text: str, where: str, counts: SplitReport) -> list[Span]:
    spans: dict[tuple[int, int, str], Span] = {}
    searched: Counter[str] = Counter()
    for number, entity in enumerate(entities, 1):
        at = f"{where}, mention {number}"
        span = _span(entity, text, searched, at)
        if span is None:
            counts.drop("mention_not_in_text")
            continue
        counts.drop("repeated_mention", (span.start, span.end, span.label) in spans)
        spans[span.start, span.end, span.label] = span
    return [spans[place] for place in sorted(spans)]


def _span(entity: Any, text: str, searched: Counter[str], where: str) -> Span | None:
    if isinstance(entity, list) and len(entity) == 3:
        entity = dict(zip(("start", "end", "label"), entity, strict=True))
    if not isinstance(entity, dict):
        raise DataError(f"{where}: {_shown(entity)}, expected an object with {_known(ENTITY)} or [start, end, label]")
    found = _pick(entity, ENTITY, where)
    start, end, mention = found.get("start"), found.get("end"), found.get("text")
    label = label_of(found.get("label"), where)
    if mention is not None and (not isinstance(mention, str) or not mention.strip()):
        raise DataError(f"{where}: the mention is {_shown(mention)}, expected a text")
    if start is None and end is None and mention is not None:
        return _search(mention.strip(), label, text, searched)
    if type(start) is not int or type(end) is not int:
        raise DataError(f"{where} has the keys {sorted(entity)}, expected whole numbers {_known(ENTITY)}")
    span = Span(start, end, label, text[start:end] if mention is None and start >= 0 else str(mention))
    if problem := check_span(span, text):
        raise DataError(f"{where}: {problem}")
    return span


def _search(mention: str, label: str, text: str, searched: Counter[str]) -> Span | None:
    """The next place that reads like the mention, or None; whole words only, else anywhere."""
    exact = re.escape(mention)
    places = list(re.finditer(rf"(?<!\w){exact}(?!\w)", text)) or list(re.finditer(exact, text))
    nth = searched[mention]
    searched[mention] += 1
    if nth >= len(places):
        return None
    return Span(places[nth].start(), places[nth].end(), label, mention)


def label_of(found: Any, where: str) -> str:
    """One of LABELS, whatever its capitals, accents and underscores, or from its English name."""
    plain = {_plain(name): label for names in (LABELS, ENGLISH) for name, label in zip(names, LABELS, strict=True)}
    if not isinstance(found, str) or _plain(found) not in plain:
        raise DataError(f"{where}: the label is {_shown(found)}, expected one of {list(LABELS)}")
    return plain[_plain(found)]


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.upper().replace("_", " ").replace("'", ""))
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())


def _known(names: dict[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{role} ({' or '.join(keys)})" if len(keys) > 1 else role for role, keys in names.items())


def _shown(value: Any) -> str:
    return repr(value)[:60]
