"""Read token-per-line files with IOB2 tags, and turn tagged tokens into text with spans."""

from __future__ import annotations

from collections.abc import Iterator

from ita_med.build_report import SplitReport
from ita_med.errors import DataError
from ita_med.schema import Span


def blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """Runs of non-blank lines, each line with its number (from 1); only LF ends a line."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            block.append((number, line.removesuffix("\r")))
        elif block:
            yield block
            block = []
    if block:
        yield block


def join(
    tokens: list[str], tags: list[str], labels: tuple[str, ...], report: SplitReport, where: str, orphans: int = 0
) -> tuple[str, list[Span]]:
    """Tokens joined by single spaces, and the spans that their tags make.

    A run of I- that continues no B- is dropped (reason `i_without_b`) as long as the split has no more than `orphans`
    of them; beyond that, and for an unknown tag, there is an error at `where`.
    """
    text = " ".join(tokens)
    spans: list[Span] = []
    open_span: Span | None = None
    orphan = ""
    position = 0
    for token, tag in zip(tokens, tags, strict=True):
        prefix, _, label = tag.partition("-")
        end = position + len(token)
        if tag != "O" and (prefix not in ("B", "I") or label not in labels):
            raise DataError(f'{where}: tag "{tag}" at token "{token}", expected O, B- or I- with {" or ".join(labels)}')
        if prefix == "B":
            open_span = Span(position, end, label, "")
            spans.append(open_span)
        elif prefix == "I" and open_span is not None and open_span.label == label:
            open_span.end = end
        else:
            if prefix == "I" and label != orphan:
                report.drop("i_without_b")
                if report.dropped["i_without_b"] > orphans:
                    raise DataError(f'{where}: tag "{tag}" at token "{token}" continues no B-{label}')
            orphan = label
            open_span = None
        position = end + 1
    for span in spans:
        span.text = text[span.start : span.end]
    return text, spans
