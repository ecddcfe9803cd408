"""E3C-3.0, projected Italian: English clinical cases projected to Italian with GPT-4 and revised by hand.

Upstream  NLP-FBK/e3c-sentences-IT-revised (disorders) and NLP-FBK/Italian_Relation_Exteraction (test results; the
          spelling is upstream's) on the Hub; arXiv 2503.20568
Format    entities: the columns of `e3c_sentences`, expected by analogy with e3c-sentences-IT-native; relations: rows
          text, relations [[measurement, exam], …] as upstream's lm-eval task reads them, in it_{train,val,test}.json,
          expected by analogy with Slovak_Relation_Extraction; neither was seen
Split     upstream's train, validation (also called dev or val) and test
Quirks    relations have no offsets: each pair is put on the two places that lie closest to each other
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders.datasets import e3c_sentences
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.errors import DataError
from ita_med.schema import Example, Relation, RelationExample, Span
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SENTENCES = "e3c-sentences-IT-revised"
RELATIONS = "Italian_Relation_Exteraction"
SOURCES = (Hub(f"NLP-FBK/{SENTENCES}"), Hub(f"NLP-FBK/{RELATIONS}"))
CONFIGS = {"entities": "spans", "relations": "relations"}
SPLITS = {"train": ("train",), "validation": ("val", "dev"), "test": ("test",)}
"""Split -> how upstream's file names may begin; "val" also finds "validation"."""
COLUMNS = {"text", "relations"}
LABEL = "PERTAINSTO"
"""The name of the same link in E3C."""
MAX_UNFOUND_SHARE = 0.1
"""If more of the pairs are not in their text, the columns mean something else."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, one example per sentence in file order)."""
    if "entities" in configs:
        for split, examples in e3c_sentences.sentences(files, SENTENCES, report):
            yield "entities", split, examples
    if "relations" in configs:
        for split, names in SPLITS.items():
            patterns = [f"{RELATIONS}/{place}{name}*" for place in ("data/", "it_", "") for name in names]
            yield "relations", split, _sentences(files, tuple(patterns), split, report)


def _sentences(files: RawFiles, patterns: tuple[str, ...], split: str, report: BuildReport) -> list[Example]:
    counts = report.split("relations", split)
    examples: list[Example] = []
    texts: set[str] = set()
    for where, row in hub_rows.rows(files, patterns, COLUMNS, others=report):
        json_lines.require_text(row, ("text",), where)
        if not row["text"].strip():
            raise DataError(f'{where}: "text" is empty, expected a sentence')
        report.warn("repeated_sentence", row["text"] in texts)
        texts.add(row["text"])
        name = f"{split}-{len(examples):05}"
        examples.append(_example(row["text"], _pairs(row["relations"], where), name, counts))
    pairs = sum(len(e.relations) for e in examples if isinstance(e, RelationExample))
    unfound = counts.dropped["pair_not_in_text"]
    if unfound > max(1, MAX_UNFOUND_SHARE * (pairs + unfound)):
        raise DataError(
            f"e3c_projected: {RELATIONS}, {split}: {unfound} of {pairs + unfound} pairs are not in their text, "
            f"expected at most {MAX_UNFOUND_SHARE:.0%}"
        )
    return examples


def _pairs(relations: Any, where: str) -> list[tuple[str, str]]:
    """(measurement, exam) pairs."""
    expected = "expected a list of [measurement, exam]"
    if not isinstance(relations, list):
        raise DataError(f"{where}: relations are {repr(relations)[:60]}, {expected}")
    for number, pair in enumerate(relations, 1):
        if not isinstance(pair, list) or len(pair) != 2:
            raise DataError(f"{where}, relation {number}: {repr(pair)[:60]}, {expected}")
        named = dict(zip(("measurement", "exam"), pair, strict=True))
        json_lines.require_text(named, named, f"{where}, relation {number}")
        if not all(mention.strip() for mention in pair):
            raise DataError(f"{where}, relation {number}: {pair}, {expected}, neither of them empty")
    return [(measurement, exam) for measurement, exam in relations]


def _example(text: str, pairs: list[tuple[str, str]], name: str, counts: SplitReport) -> RelationExample:
    spans: dict[tuple[int, int, str], int] = {}
    relations: list[Relation] = []
    taken: set[tuple[int, int]] = set()
    for measurement, exam in pairs:
        heads, tails = _places(measurement, text), _places(exam, text)
        if not heads or not tails:
            counts.drop("pair_not_in_text")
            continue
        found = sorted((_gap(head, tail), head, tail) for head in heads for tail in tails if head != tail)
        ends = next((e for e in ((head, tail) for _, head, tail in found) if (e[0][0], e[1][0]) not in taken), None)
        if ends is None:
            counts.drop("repeated_pair")
            continue
        (head, tail) = ends
        taken.add((head[0], tail[0]))
        h = spans.setdefault((*head, "RML"), len(spans))
        t = spans.setdefault((*tail, "EVENT"), len(spans))
        relations.append(Relation(h, t, LABEL))
    made = [Span(start, end, label, text[start:end]) for start, end, label in spans]
    return RelationExample(name, "", text, made, relations)


def _places(mention: str, text: str) -> list[tuple[int, int]]:
    """Where the mention stands in the text: as a whole word, else anywhere, else whatever its capitals and spaces."""
    plain = re.escape(mention.strip())
    loose = r"\s+".join(re.escape(word) for word in mention.split())
    for pattern in (rf"(?<!\w){plain}(?!\w)", plain, f"(?i:{loose})"):
        if found := [match.span() for match in re.finditer(pattern, text)]:
            return found
    return []


def _gap(one: tuple[int, int], other: tuple[int, int]) -> int:
    """How many characters lie between two places."""
    return max(one[0], other[0]) - min(one[1], other[1])
