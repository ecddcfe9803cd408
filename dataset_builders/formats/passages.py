"""Long documents cut into passages: a view that small models can read and answer whole.

A passage ends at the end of a line or of a sentence, never inside a mention, so that no mention is lost: scores over
passages are scores over documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ita_med.schema import Span, SpanExample

LIMIT = 600
"""Characters: four to six sentences of a clinical case, about 250 tokens of Qwen3."""
_BREAK = re.compile(r"\n\s*|(?<=[.;:!?])\s+(?=[\"«(]?[A-ZÀ-Ý0-9•-])")


def passages(document: SpanExample, limit: int = LIMIT) -> Iterator[SpanExample]:
    """The document in passages of at most `limit` characters, or of one sentence where that is longer.

    Ids are DOC-p000, DOC-p001, …; `meta["offset"]` is where a passage begins in its document, and the other marks of
    discontinuous mentions move with it. White space around a passage and passages of nothing else are left out.
    """
    begin, number = 0, 0
    for end in [*_ends(document, limit), len(document.text)]:
        start, stop = _trim(document, begin, end)
        if start < stop:
            yield _passage(document, f"{document.id}-p{number:03}", start, stop)
            number += 1
        begin = end


def _ends(document: SpanExample, limit: int) -> Iterator[int]:
    """Where passages end: the last break that keeps the passage within the limit, else the first one after it."""
    inside = bytearray(len(document.text) + 1)
    for span in document.spans:
        inside[span.start + 1 : span.end] = b"\1" * (span.end - span.start - 1)
    begin, last = 0, 0
    for match in _BREAK.finditer(document.text):
        place = match.end()
        if inside[place]:
            continue
        if match.start() - begin > limit and last > begin:
            yield last
            begin = last
        last = place
    if len(document.text.rstrip()) - begin > limit and last > begin:
        yield last


def _trim(document: SpanExample, start: int, end: int) -> tuple[int, int]:
    """[start, end) without white space at its edges, unless that belongs to a mention."""
    text = document.text
    own = [span for span in document.spans if start <= span.start and span.end <= end]
    first = min((span.start for span in own), default=end)
    last = max((span.end for span in own), default=start)
    while start < min(end, first) and text[start].isspace():
        start += 1
    while end > max(start, last) and text[end - 1].isspace():
        end -= 1
    return start, end


def _passage(document: SpanExample, name: str, start: int, end: int) -> SpanExample:
    kept = [n for n, span in enumerate(document.spans) if start <= span.start and span.end <= end]
    spans = [document.spans[n] for n in kept]
    meta = {key: value for key, value in document.meta.items() if key not in ("discontinuous", "parts")}
    parts = dict(zip(document.meta.get("discontinuous", []), document.meta.get("parts", []), strict=True))
    pieces = {i: [[a - start, b - start] for a, b in parts[n]] for i, n in enumerate(kept) if n in parts}
    if pieces:
        meta |= {"discontinuous": list(pieces), "parts": list(pieces.values())}
    return SpanExample(
        name,
        document.doc_id or document.id,
        document.text[start:end],
        [Span(s.start - start, s.end - start, s.label, s.text) for s in spans],
        meta=meta | {"offset": start},
    )
