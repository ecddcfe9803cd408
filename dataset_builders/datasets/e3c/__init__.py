"""E3C, Italian: clinical cases with mentions, test results and temporal links (layer 1), silver (2), raw text (3).

Upstream  https://github.com/hltfbk/E3C-Corpus (CC BY-NC; every collection file names its own licence)
Format    layers 1 and 2: UIMA CAS XMI, one file per document; layer 3: JSON, one file per document
Split     documentation/train_test_split.txt lists the train documents of layer 1; all others are test
Quirks    28 documents of layer 1 are annotated for disorders alone and 57 have no temporal links: `meta` says so;
          offsets in UTF-16 units; carriage returns in the text; 19 concept ids in the attribute `discontinuous`;
          2 temporal links from an event to itself; layer 3 repeats documents and holds some of layers 1 and 2
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ita_med.build_report import BuildReport, SplitReport, count_words
from ita_med.dataset_builders.datasets.e3c import crf_items
from ita_med.dataset_builders.datasets.e3c.xmi import MENTION_TYPES, XMI_ID, Link, XmiDocument, XmiMention, parse
from ita_med.dataset_builders.formats import json_lines
from ita_med.errors import DataError
from ita_med.schema import Example, FormExample, Relation, RelationExample, Span, SpanExample, TextExample
from ita_med.sources import GitHub, RawFiles
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = (GitHub("hltfbk/E3C-Corpus", commit="8196181eacd5d65828d324dcc63970c503aff5e9"),)
CONFIGS = {
    "disorder": "spans",  # layer 1 by sentence: CLINENTITY
    "mentions": "spans",  # layer 1 by sentence: all six mention types
    "clinkart": "relations",  # layer 1 by sentence: test result (RML) -> test (EVENT); all lie within a sentence
    "temporal": "relations",  # layer 1 by document: TLINK
    "temporal_by_sentence": "relations",  # the same by sentence: the quarter of them that crosses sentences is dropped
    "crf": "form",  # layer 1 by document, turned into forms: see forms.py
    "full": "relations",  # layer 1 by document: every mention and every link
    "layer2": "spans",  # silver CLINENTITY by sentence
    "layer3": "text",  # unlabelled documents
}
TEMPORAL_LABELS = ("BEFORE", "CONTAINS", "OVERLAP", "BEGINS-ON", "ENDS-ON", "SIMULTANEOUS")
SPLIT_FILE = "documentation/train_test_split.txt"
COLLECTION_KEYS = frozenset(
    [
        "authors",
        "doi",
        "publication_date",
        "id",
        "url",
        "source",
        "source_url",
        "licence",
        "language",
        "type",
        "description",
        "text",
    ]
)
TEXT_KEYS = ("id", "text", "source", "licence", "url")


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, examples); each layer is parsed once for all its views."""
    if "layer3" in configs:
        yield "layer3", "train", _collection(files, report)
    if set(configs) - {"layer2", "layer3"}:
        yield from _layer1(files, configs, report)
    if "layer2" in configs:
        documents = [parse(content, path) for path, content in files.find("data_annotation/Italian/layer2/*.xml")]
        yield "layer2", "train", [e for d in documents for e in _sentences(d, ("CLINENTITY",))]


def _layer1(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    documents = [parse(content, path) for path, content in files.find("data_annotation/Italian/layer1/*.xml")]
    in_train = train_ids(decode(files.read(SPLIT_FILE), f"e3c: {SPLIT_FILE}"))
    if missing := in_train - {d.id for d in documents}:
        raise DataError(f"e3c: {SPLIT_FILE} lists {sorted(missing)[0]}, which layer 1 does not hold; get layer 1 again")
    splits = {
        "train": [d for d in documents if d.id in in_train],
        "test": [d for d in documents if d.id not in in_train],
    }
    _warn(documents, report)
    vocabulary = crf_items.Vocabulary.of(splits["train"])
    for config in (config for config in configs if not config.startswith("layer")):
        for split, members in splits.items():
            counts = report.split(config, split)
            yield config, split, [e for d in members for e in _view(config, d, vocabulary, counts)]


def _warn(documents: list[XmiDocument], report: BuildReport) -> None:
    report.warn("self_link", sum(link.source == link.target for d in documents for link in d.links))
    discontinuous = [m.attributes.get("discontinuous", "") for d in documents for m in d.mentions]
    report.warn("concept_id_in_discontinuous", sum(value.startswith("C") for value in discontinuous))
    report.warn("document_annotated_for_disorders_alone", sum(not _has_events(d) for d in documents))
    report.warn("document_without_temporal_links", sum(not _has_links(d, "TLINK") for d in documents))


def _view(
    config: str, document: XmiDocument, vocabulary: crf_items.Vocabulary, counts: SplitReport
) -> Iterator[Example]:
    """The examples that a document of layer 1 gives in one view."""
    no_results = _not_annotated(["PERTAINSTO"], _has_events(document))
    no_times = _not_annotated(TEMPORAL_LABELS, _has_links(document, "TLINK"))
    match config:
        case "disorder":
            yield from _sentences(document, ("CLINENTITY",))
        case "mentions":
            yield from _sentences(document, MENTION_TYPES)
        case "clinkart":
            yield from _sentence_relations(document, ("RML", "EVENT"), "PERTAINSTO", no_results, counts)
        case "temporal":
            example = _relations(document, ("EVENT", "TIMEX3"), ("TLINK",))
            example.meta |= no_times
            yield example
        case "temporal_by_sentence":
            yield from _sentence_relations(document, ("EVENT", "TIMEX3"), "TLINK", no_times, counts)
        case "full":
            yield _relations(document, MENTION_TYPES, None)
        case "crf":
            items, dropped = crf_items.items(document, vocabulary)
            counts.dropped.update(dropped)
            yield FormExample(document.id, document.id, document.text, items)


def train_ids(text: str) -> set[str]:
    """Document ids that the split file lists under ITALIAN."""
    match = re.search(r"^ITALIAN\s*\n(.*?)(?:\n\s*\n|\Z)", text.replace("\r\n", "\n"), re.M | re.S)
    ids = set(re.findall(r"'(IT\d+)'", match[1])) if match else set()
    if not ids:
        raise DataError(f"e3c: {SPLIT_FILE} has no list of ids under ITALIAN, expected 'IT100001', …")
    return ids


def _has_events(document: XmiDocument) -> bool:
    """Clinical text without a single event does not exist: without one, only disorders were annotated."""
    return any(mention.type == "EVENT" for mention in document.mentions)


def _has_links(document: XmiDocument, kind: str) -> bool:
    return any(link.kind == kind for link in document.links)


def _not_annotated(labels: tuple[str, ...] | list[str], annotated: bool) -> dict[str, Any]:
    """`meta` entry: labels that nobody marked in this document, so that answers with them are not judged."""
    return {} if annotated else {"not_annotated": list(labels)}


def _sentences(document: XmiDocument, types: tuple[str, ...]) -> Iterator[SpanExample]:
    unmarked = _not_annotated([t for t in types if t != "CLINENTITY"], len(types) == 1 or _has_events(document))
    for n, (start, end) in enumerate(document.sentences):
        mentions = [m for m in (document.mentions[i] for i in document.by_sentence[n]) if m.type in types]
        text = document.text[start:end]
        spans = [_span(m, text, start) for m in mentions]
        yield SpanExample(f"{document.id}-s{n:03}", document.id, text, spans, meta=_meta(mentions) | unmarked)


def _sentence_relations(
    document: XmiDocument, types: tuple[str, ...], kind: str, unmarked: dict[str, Any], counts: SplitReport
) -> Iterator[RelationExample]:
    """One example per sentence with the links of one kind; a link out of its sentence is dropped and counted."""
    links = [link for link in document.links if link.kind == kind]
    for n, (start, end) in enumerate(document.sentences):
        places = [i for i in document.by_sentence[n] if document.mentions[i].type in types]
        index = {place: i for i, place in enumerate(places)}
        text = document.text[start:end]
        spans = [_span(document.mentions[i], text, start) for i in places]
        here = [link for link in links if link.source in index]
        inside = [link for link in here if link.target in index]
        if kind == "PERTAINSTO" and len(inside) < len(here):
            result = document.mentions[next(link.source for link in here if link.target not in index)]
            raise DataError(f"e3c: {document.id}, RML {result.xmi_id}: its test lies in another sentence")
        counts.drop("link_crosses_sentences", len(here) - len(inside))
        relations = [
            Relation(index[x.source], index[x.target], kind if kind == "PERTAINSTO" else x.role) for x in inside
        ]
        yield RelationExample(f"{document.id}-s{n:03}", document.id, text, spans, relations, meta=dict(unmarked))


def _relations(document: XmiDocument, types: tuple[str, ...], kinds: tuple[str, ...] | None) -> RelationExample:
    """The whole document; `kinds` None means all, then labels carry their kind ("ALINK:INITIATES")."""
    places = [i for i, m in enumerate(document.mentions) if m.type in types]
    index = {place: i for i, place in enumerate(places)}
    mentions = [document.mentions[i] for i in places]
    relations = [
        Relation(index[link.source], index[link.target], link.role if kinds else _label(link))
        for link in document.links
        if kinds is None or link.kind in kinds
    ]
    spans = [_span(m, document.text, 0) for m in mentions]
    meta = _meta(mentions) | ({} if kinds else {"attributes": [_plain(m.attributes) for m in mentions]})
    return RelationExample(document.id, document.id, document.text, spans, relations, meta=meta)


def _label(link: Link) -> str:
    return link.kind if link.kind == "PERTAINSTO" else f"{link.kind.upper()}:{link.role}"


def _plain(attributes: dict[str, str]) -> dict[str, str]:
    left_out = ("TLINK", "ALINK", "PERTAINSTO", "timexLink", "sofa", "begin", "end", XMI_ID)
    return {name: value for name, value in attributes.items() if name not in left_out and value}


def _span(mention: XmiMention, text: str, offset: int) -> Span:
    start, end = mention.start - offset, mention.end - offset
    return Span(start, end, mention.type, text[start:end])


def _meta(mentions: list[XmiMention]) -> dict[str, Any]:
    """Concept ids per span (UMLS; "" where there is none) and the indices of discontinuous spans, if any."""
    meta: dict[str, Any] = {}
    concepts = [m.attributes.get("entityID", "") for m in mentions]
    if any(concepts):
        meta["cui"] = concepts
    discontinuous = [i for i, m in enumerate(mentions) if m.attributes.get("discontinuous") == "DISCONTINUOUS"]
    if discontinuous:
        meta["discontinuous"] = discontinuous
    return meta


def _collection(files: RawFiles, report: BuildReport) -> list[Example]:
    """Layer 3; repeated texts are kept (corpora de-duplicate) and reported by three kinds of equality."""
    examples: list[Example] = []
    alike: dict[tuple[int, int], list[str]] = {}
    for path, content in files.each("data_collection/Italian/layer3/*.json"):
        record = _record(content, path)
        text = record["text"]
        words, letters = count_words(text)
        alike.setdefault((words, letters), []).append(text)
        meta = {"words": words}
        examples.append(TextExample(record["id"], text, record["source"], record["licence"], record["url"], meta=meta))
    examples.sort(key=lambda example: example.id)
    groups = [group for group in alike.values() if len(group) > 1]  # equal texts are in one group, whatever the kind
    report.warn("duplicate_exact", sum(map(_repeats, groups)))
    report.warn("duplicate_stripped", sum(_repeats(text.strip() for text in group) for group in groups))
    report.warn("duplicate_white_space_folded", sum(_repeats(" ".join(t.split()) for t in group) for group in groups))
    return examples


def _record(content: bytes, path: str) -> dict[str, Any]:
    name = path.rsplit("/", 1)[-1]
    try:
        # orjson keeps the last of repeated keys: a file with more colons than keys is read strictly, and slowly.
        content = content.removeprefix(BOM_UTF8)
        usual = content.count(b'":') == len(COLLECTION_KEYS)
        record = orjson.loads(content) if usual else json_lines.loads(decode(content, f"e3c: {name}"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"e3c: {name} is not JSON ({error}); get the file again") from error
    if not isinstance(record, dict) or record.keys() != COLLECTION_KEYS:
        odd = sorted(set(record) ^ COLLECTION_KEYS) if isinstance(record, dict) else ["(not an object)"]
        raise DataError(f'e3c: {name}: unknown or missing key "{odd[0]}", expected {sorted(COLLECTION_KEYS)}')
    if not all(isinstance(record[key], str) for key in TEXT_KEYS):
        json_lines.require_text(record, TEXT_KEYS, f"e3c: {name}")
    return record


def _repeats(texts: Iterable[str]) -> int:
    """How many texts repeat an earlier one."""
    return sum(n - 1 for n in Counter(texts).values())
