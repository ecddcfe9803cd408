"""PharmaER.IT: drugs, diseases, symptoms and anatomical parts in Italian package leaflets (AIFA), native.

Upstream  https://huggingface.co/datasets/expertai/PharmaER.IT (Apache-2.0, gated)
Format    rows document_id, text, tokens, ner_tags (texts, BIO), as Parquet or JSON Lines
Split     upstream's train, validation, test and silver (annotated by machine, a split of its own)
Quirks    the labels have Italian names in version 0.2 and English ones in 0.3; tokens have no offsets and are searched
          in the text in order, with nothing but white space between them
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.dataset_builders.formats.passages import passages
from ita_med.errors import DataError
from ita_med.schema import Example, Span, SpanExample
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SOURCES = (Hub("expertai/PharmaER.IT", gated=True),)
CONFIGS = {
    "entities": "spans",  # one example per leaflet
    "entities_passages": "spans",  # the same in passages, as the task asks
}
FOLDER = "PharmaER.IT"
GOLD = ("train", "validation", "test")
SILVER = "silver"
COLUMNS = {"document_id", "text", "tokens", "ner_tags"}
LABELS = ("DRUG", "DISEASE", "SYMPTOM", "ANATOMICAL_PART")
OLD_LABELS = dict(zip(("FARMACO", "MALATTIA", "SINTOMO", "PARTE_ANATOMICA"), LABELS, strict=True))
"""The names of version 0.2, in the spelling of `_label`."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, one example per leaflet or passage in file order)."""
    for split, leaflets in _leaflets(files, report, configs):
        if "entities" in configs:
            yield "entities", split, [*leaflets]
        if "entities_passages" in configs:
            yield "entities_passages", split, [passage for leaflet in leaflets for passage in passages(leaflet)]


def _leaflets(files: RawFiles, report: BuildReport, configs: list[str]) -> Iterator[tuple[str, list[SpanExample]]]:
    """(split, leaflets); silver leaflets that are also gold are left out."""
    owners: dict[str, str] = {}
    for split in GOLD:
        examples = list(_examples(files, split, report, required=True))
        for example in examples:
            for name in (example.id, example.text):
                if owners.get(name, split) != split:
                    raise DataError(f"pharmaer: {split}: leaflet {example.id} is also in {owners[name]}")
            owners |= {example.id: split, example.text: split}
        yield split, examples
    silver = list(_examples(files, SILVER, report, required=False))
    if not silver:
        report.warn("silver_missing")
        return
    kept = [e for e in silver if e.id not in owners and e.text not in owners]
    for config in configs:
        report.split(config, SILVER).drop("leaflet_in_gold", len(silver) - len(kept))
    yield SILVER, kept


def _examples(files: RawFiles, split: str, report: BuildReport, *, required: bool) -> Iterator[SpanExample]:
    found = list(hub_rows.rows(files, f"{FOLDER}/data/{split}*", COLUMNS, required=False))
    for where, row in found or hub_rows.rows(files, f"{FOLDER}/{split}*", COLUMNS, required=required):
        json_lines.require_text(row, ("document_id", "text"), where)
        at = f"{where}, {row['document_id']}"
        tokens, tags = _texts(row, "tokens", at), _texts(row, "ner_tags", at)
        if len(tokens) != len(tags):
            raise DataError(f"{at}: {len(tokens)} tokens but {len(tags)} ner_tags")
        places = list(_places(tokens, row["text"], at))
        spans = _spans(places, tokens, tags, row["text"], at, report)
        yield SpanExample(row["document_id"], row["document_id"], row["text"], spans)


def _texts(row: dict[str, Any], column: str, where: str) -> list[str]:
    values = row[column]
    if not isinstance(values, list):
        raise DataError(f'{where}: "{column}" is {str(values)[:40]}, expected a list of texts')
    numbered = {f"{column}[{n}]": value for n, value in enumerate(values)}
    json_lines.require_text(numbered, numbered, where)
    return values


def _places(tokens: list[str], text: str, where: str) -> Iterator[tuple[int, int]]:
    """Start and end of every token: each is searched after the one before."""
    end = 0
    for number, token in enumerate(tokens):
        start = text.find(token, end) if token else -1
        if start < 0 or text[end:start].strip():
            goes_on = f'the text goes on with "{_shown(text[end:])}"'
            raise DataError(f'{where}: token {number} is "{_shown(token)}", but {goes_on}')
        end = start + len(token)
        yield start, end
    if text[end:].strip():
        raise DataError(f'{where}: the tokens end before the text, which goes on with "{_shown(text[end:])}"')


def _shown(text: str) -> str:
    """The beginning of a text, on one line."""
    return " ".join(text[:60].split())[:40]


def _spans(
    places: list[tuple[int, int]], tokens: list[str], tags: list[str], text: str, where: str, report: BuildReport
) -> list[Span]:
    spans: list[Span] = []
    open_span: Span | None = None
    for (start, end), token, tag in zip(places, tokens, tags, strict=True):
        prefix, _, name = tag.partition("-")
        label = _label(name)
        if tag != "O" and (prefix not in ("B", "I") or label not in LABELS):
            raise DataError(f'{where}: tag "{tag}" at token "{token}", expected O, B- or I- with one of {LABELS}')
        report.warn("label_name_of_version_0.2", prefix == "B" and name != label and _spelling(name) in OLD_LABELS)
        if prefix == "B":
            open_span = Span(start, end, label, "")
            spans.append(open_span)
        elif prefix == "O":
            open_span = None
        elif open_span is None or open_span.label != label:
            raise DataError(f'{where}: tag "{tag}" at token "{token}" continues no B-{name}')
        else:
            open_span.end = end
    for span in spans:
        span.text = text[span.start : span.end]
    return spans


def _label(name: str) -> str:
    """The label's name in version 0.3."""
    return OLD_LABELS.get(_spelling(name), _spelling(name))


def _spelling(name: str) -> str:
    return name.upper().replace(" ", "_")
