"""Passages: nothing of a document is lost, nothing is cut through, and short enough where that is possible."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ita_med.dataset_builders.formats.passages import passages
from ita_med.schema import Span, SpanExample, validate

WORDS = st.sampled_from(
    ["febbre", "Dolore", "ramipril", "5 mg", "c.r.", "Nega", "à", "\n", "\n\n", ".", ". ", "; ", " "]
)


@st.composite
def documents(draw: st.DrawFn) -> SpanExample:
    text = "".join(draw(st.lists(WORDS, min_size=1, max_size=60))) + "x"
    spans = []
    for start, length in draw(st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 30)), max_size=8)):
        end = min(len(text), start + length)
        spans.append(Span(start, end, "FARMACO", text[start:end]))
    return SpanExample("d", "d", text, sorted(spans, key=lambda s: (s.start, s.end)))


@given(documents(), st.integers(1, 80))
def test_every_mention_is_in_exactly_one_passage(document: SpanExample, limit: int) -> None:
    found = list(passages(document, limit))
    for passage in found:
        validate(passage)
        at = passage.meta["offset"]
        assert document.text[at : at + len(passage.text)] == passage.text
    placed = [(s.start + p.meta["offset"], s.end + p.meta["offset"]) for p in found for s in p.spans]
    assert sorted(placed) == sorted((s.start, s.end) for s in document.spans)


@given(documents(), st.integers(1, 80))
def test_passages_follow_each_other_and_leave_out_only_white_space(document: SpanExample, limit: int) -> None:
    end = 0
    for number, passage in enumerate(passages(document, limit)):
        assert passage.id == f"d-p{number:03}"
        assert not document.text[end : passage.meta["offset"]].strip()
        end = passage.meta["offset"] + len(passage.text)
    assert not document.text[end:].strip()


@given(st.lists(st.integers(1, 29), min_size=1, max_size=20), st.integers(30, 90))
def test_sentences_that_fit_are_packed_up_to_the_limit(lengths: list[int], limit: int) -> None:
    sentences = ["A" * length + "." for length in lengths]
    found = [p.text for p in passages(SpanExample("d", "d", " ".join(sentences), []), limit)]
    assert " ".join(found) == " ".join(sentences)
    assert all(len(text) <= limit for text in found)
    for first, second in pairwise(found):
        assert len(first) + 1 + second.index(".") + 1 > limit


def test_a_long_sentence_stays_whole_and_abbreviations_do_not_end_one() -> None:
    text = "Il paziente assume ramipril 5 mg c.r. la sera e riferisce dispnea. Nega febbre."
    found = [p.text for p in passages(SpanExample("d", "d", text, []), 20)]
    assert found == ["Il paziente assume ramipril 5 mg c.r. la sera e riferisce dispnea.", "Nega febbre."]


def test_no_cut_inside_a_mention_and_pieces_move_along() -> None:
    text = "Nega febbre. Assume acido\nfolico e ferro. Dimessa."
    start = text.index("acido")
    mentions = [
        Span(start, start + 12, "FARMACO", "acido\nfolico"),
        Span(start, start + 20, "FARMACO", text[start : start + 20]),
    ]
    meta = {"discontinuous": [1], "parts": [[[start, start + 5], [start + 15, start + 20]]]}
    found = list(passages(SpanExample("d", "d", text, mentions, meta=meta), 5))
    assert [p.text for p in found] == ["Nega febbre.", "Assume acido\nfolico e ferro.", "Dimessa."]
    assert found[1].meta == {"discontinuous": [1], "parts": [[[7, 12], [22, 27]]], "offset": 13}
    assert [s.start for s in found[1].spans] == [7, 7]
