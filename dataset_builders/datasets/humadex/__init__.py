"""HUMADEX: problems, tests and treatments in Italian medical sentences, annotated by machine (silver).

Upstream  HUMADEX/italian_ner_dataset on the Hub: it_medical_data.parquet
Format    rows `sentence` (list of words) and `tags` (list of IOBES numbers, see TAGS), or `tokens` and `ner_tags`
Split     train alone, as upstream
Quirks    annotated in English, then translated, word-aligned and augmented; all punctuation is removed; no document
          ids; the column names come from upstream's code, no file was seen
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.errors import DataError
from ita_med.schema import Example, Span, SpanExample
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SOURCES = (Hub("HUMADEX/italian_ner_dataset"),)
CONFIGS = {"humadex": "spans"}
PATTERN = "italian_ner_dataset/it_medical_data*"
COLUMNS = (("sentence", "tags"), ("tokens", "ner_tags"))
TAGS = ["O", *(f"{prefix}-{label}" for label in ("PROBLEM", "TREATMENT", "TEST") for prefix in "BIES")]
"""Name of tag 0 to 12."""
MAX_BROKEN_SHARE = 0.25
"""If more of the mentions break IOBES, the numbers mean something else than TAGS says."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("humadex", "train", one example per sentence in file order)."""
    counts = report.split("humadex", "train")
    examples: list[Example] = []
    texts: set[str] = set()
    unended = 0
    for number, (where, words, tags) in enumerate(_rows(files)):
        text, spans, broken = _join(words, tags, counts, where)
        unended += broken
        report.warn("repeated_sentence", text in texts)
        texts.add(text)
        examples.append(SpanExample(f"train-{number:06}", "", text, spans))
    report.warn("mention_without_end", unended)
    orphans = counts.dropped["i_or_e_without_b"]
    mentions = sum(len(example.spans) for example in examples if isinstance(example, SpanExample)) + orphans
    if unended + orphans > max(1, MAX_BROKEN_SHARE * mentions):
        raise DataError(
            f"humadex: {PATTERN}: {unended + orphans} of {mentions} mentions break IOBES, "
            f"expected at most {MAX_BROKEN_SHARE:.0%}; the tag numbers are not those of {TAGS}"
        )
    yield "humadex", "train", examples


def _rows(files: RawFiles) -> Iterator[tuple[str, list[str], list[int]]]:
    """(where, words, tags) of every row."""
    first, second = COLUMNS
    names = first
    try:
        rows = list(hub_rows.rows(files, PATTERN, set(first)))
    except DataError as error:
        names = second
        try:
            rows = list(hub_rows.rows(files, PATTERN, set(second)))
        except DataError:
            raise DataError(f"{error} (or {sorted(second)})") from error
    for where, row in rows:
        words, tags = row[names[0]], row[names[1]]
        if not isinstance(words, list) or not isinstance(tags, list) or len(words) != len(tags):
            sizes = [len(value) if isinstance(value, list) else type(value).__name__ for value in (words, tags)]
            raise DataError(
                f"{where}: {names[0]} and {names[1]} have the sizes {sizes}, expected lists of equal length"
            )
        _check(words, tags, where)
        yield where, words, tags


def _check(words: list[Any], tags: list[Any], where: str) -> None:
    for n, (word, tag) in enumerate(zip(words, tags, strict=True)):
        json_lines.require_text({f"word {n}": word}, (f"word {n}",), where)
        if not word or word.split() != [word]:
            raise DataError(f'{where}: word {n} is "{word}", expected one word without white space')
        if type(tag) is not int or not 0 <= tag < len(TAGS):
            raise DataError(f'{where}: tag {str(tag)[:40]} at word {n} ("{word}"), expected 0 to {len(TAGS) - 1}')


def _join(words: list[str], tags: list[int], counts: SplitReport, where: str) -> tuple[str, list[Span], int]:
    """The words joined by single spaces, the spans of their tags, and how many spans have no end tag."""
    text = " ".join(words)
    if not text:
        raise DataError(f"{where}: no words, expected a sentence")
    spans: list[Span] = []
    open_span: Span | None = None
    orphan = ""
    unended = position = 0
    for word, number in zip(words, tags, strict=True):
        prefix, _, label = TAGS[number].partition("-")
        end = position + len(word)
        if prefix in ("I", "E") and open_span is not None and open_span.label == label:
            open_span.end = end
            orphan = ""
        else:
            unended += open_span is not None
            open_span = None
            if prefix in ("I", "E"):
                counts.drop("i_or_e_without_b", label != orphan)
            elif prefix in ("B", "S"):
                open_span = Span(position, end, label, "")
                spans.append(open_span)
            orphan = label if prefix == "I" else ""
        if prefix in ("E", "S"):
            open_span = None
        position = end + 1
    for span in spans:
        span.text = text[span.start : span.end]
    return text, spans, unended + (open_span is not None)
