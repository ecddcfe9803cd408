"""Counts of one example: multisets, overlap matching, grounding, tokens; against brute force, scipy and seqeval."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import permutations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from ita_med.tasks.scoring import matching

ITEMS = st.lists(st.sampled_from([("A", "febbre"), ("A", "tosse"), ("B", "febbre"), ("?", "febbre")]), max_size=7)
LABELS = ["A", "B", "C"]


@st.composite
def places(draw: st.DrawFn, size: int = 6) -> list[matching.Located]:
    start = st.integers(0, 20)
    rows = draw(st.lists(st.tuples(st.sampled_from("AB"), start, st.integers(1, 6)), max_size=size))
    return [(label, at, at + length) for label, at, length in rows]


def touches(gold: matching.Located, found: matching.Located) -> bool:
    return gold[0] == found[0] and bool(set(range(*gold[1:])) & set(range(*found[1:])))


# --- multisets


@given(ITEMS, ITEMS)
def test_multiset_counts_each_item_as_often_as_it_occurs(gold: list, predicted: list) -> None:
    tp = sum((Counter(gold) & Counter(predicted)).values())
    assert matching.multiset(gold, predicted) == (tp, len(predicted) - tp, len(gold) - tp)


def test_a_mention_said_twice_is_found_twice_at_most() -> None:
    assert matching.multiset(["febbre"] * 2, ["febbre"] * 3) == (2, 1, 0)
    assert matching.multiset(["febbre"] * 2, ["febbre"]) == (1, 0, 1)


@given(ITEMS, ITEMS, st.randoms())
def test_counts_by_label_add_up_to_the_multiset_in_any_order(gold: list, predicted: list, random: Random) -> None:
    by_label = matching.multiset_by_label(gold, predicted, LABELS)
    assert tuple(np.reshape(by_label, (-1, 3)).sum(0)) == matching.multiset(gold, predicted)
    random.shuffle(predicted)
    random.shuffle(gold)
    assert matching.multiset_by_label(gold, predicted, LABELS) == by_label


def test_a_label_that_the_task_does_not_know_is_wrong_and_stands_last() -> None:
    gold = [("A", "febbre")]
    assert matching.multiset_by_label(gold, [("?", "febbre")], LABELS) == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert matching.multiset_by_label([], [("?", "x"), ("B", "x")], LABELS) == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]


# --- overlap


@given(places(5), places(5))
def test_overlap_is_the_best_one_to_one_assignment_by_brute_force(gold: list, predicted: list) -> None:
    short, long = sorted((gold, predicted), key=len)
    best = max(sum(map(touches, short, chosen)) for chosen in permutations(long, len(short)))
    assert matching.overlap(gold, predicted) == (best, len(predicted) - best, len(gold) - best)


@given(places(12), places(12), st.randoms())
def test_overlap_equals_scipys_maximum_matching_in_any_order(gold: list, predicted: list, random: Random) -> None:
    edges = np.array([[touches(g, p) for p in predicted] for g in gold]).reshape(len(gold), len(predicted))
    expected = int((maximum_bipartite_matching(csr_array(edges), perm_type="column") >= 0).sum()) if edges.size else 0
    assert matching.overlap(gold, predicted)[0] == expected
    random.shuffle(gold)
    random.shuffle(predicted)
    assert matching.overlap(gold, predicted)[0] == expected


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.02, 0.5), st.integers(0, 2**32 - 1))
def test_maximum_matching_of_any_graph_equals_scipys(rows: int, columns: int, density: float, seed: int) -> None:
    edges = np.random.default_rng(seed).random((rows, columns)) < density
    expected = int((maximum_bipartite_matching(csr_array(edges), perm_type="column") >= 0).sum())
    assert matching._maximum_matching([np.flatnonzero(row).tolist() for row in edges]) == expected


def test_a_mention_without_a_place_matches_nothing() -> None:
    assert matching.overlap([("A", 0, 6)], [None, None]) == (0, 2, 1)
    assert matching.multiset([("A", 0, 6)], [None]) == (0, 1, 1)


@pytest.mark.parametrize("place", [("A", 3, 3), ("A", 5, 4)], ids=["empty", "inverted"])
def test_a_mention_of_no_characters_overlaps_nothing(place: matching.Located) -> None:
    assert matching.overlap([("A", 0, 6)], [place]) == (0, 1, 1)
    assert matching.token_labels("febbre alta", [place]) == set()


def test_neighbours_share_no_character() -> None:
    assert matching.overlap([("A", 0, 6)], [("A", 6, 9)]) == (0, 1, 1)
    assert matching.overlap([("A", 0, 6)], [("A", 5, 9)]) == (1, 0, 0)
    assert matching.overlap([("A", 0, 6)], [("B", 0, 6)]) == (0, 1, 1)


# --- grounding


def spots(text: str, *mentions: str) -> list[tuple[int, int] | None]:
    return [place and place[1:] for place in matching.ground(text, [("A", mention) for mention in mentions])]


TEXTS = st.text(alphabet="aàPA.3,5 \n\r\t\u00a0", min_size=1, max_size=40)


@given(st.data())
def test_a_slice_of_the_text_is_grounded_to_the_same_words(data: st.DataObject) -> None:
    text = data.draw(TEXTS)
    start = data.draw(st.integers(0, len(text) - 1))
    mention = text[start : data.draw(st.integers(start + 1, len(text)))]
    (place,) = spots(text, mention)
    if not matching.fold(mention):
        assert place is None
    else:
        assert place is not None
        found = text[slice(*place)]
        assert matching.fold(found) == matching.fold(mention)
        assert found == found.strip()


@given(TEXTS, st.lists(st.text(alphabet="aàPA.3,5 \n", max_size=3), max_size=6))
def test_whatever_is_grounded_reads_as_the_mention_and_no_place_is_used_twice(text: str, mentions: list[str]) -> None:
    located = matching.ground(text, [("A", mention) for mention in mentions])
    for mention, place in zip(mentions, located, strict=True):
        if place is None:
            continue
        assert 0 <= place[1] < place[2] <= len(text)
        assert matching.fold(text[place[1] : place[2]]) == matching.fold(mention)
    taken = [place for place in located if place]
    assert len(taken) == len(set(taken))


def test_the_nth_repetition_takes_the_nth_occurrence() -> None:
    text = "febbre, poi tosse, poi febbre"
    assert spots(text, "febbre", "tosse", "febbre", "febbre") == [(0, 6), (12, 17), (23, 29), None]


def test_repetitions_are_counted_per_label() -> None:
    assert matching.ground("febbre", [("A", "febbre"), ("B", "febbre")]) == [("A", 0, 6), ("B", 0, 6)]


def test_whole_words_come_first() -> None:
    assert spots("PAZIENTE con PA 120", "PA", "PA", "PA") == [(13, 15), (0, 2), None]


@pytest.mark.parametrize("mention", ["febbre alta da ieri", "febbre  alta\r\nda ieri", " febbre\talta da ieri\n"])
def test_line_ends_and_blanks_do_not_matter(mention: str) -> None:
    text = "  Ha\r\n\r\nfebbre   alta\r\nda  ieri.\r\n"
    (place,) = spots(text, mention)
    assert place is not None
    assert text[slice(*place)] == "febbre   alta\r\nda  ieri"


def test_signs_of_regular_expressions_are_only_characters() -> None:
    assert spots("PCR (3,5 mg/dl) [a+b]*", "(3,5 mg/dl)", "[a+b]*", ".") == [(4, 15), (16, 22), None]


def test_case_and_accents_are_part_of_the_text() -> None:
    assert spots("Perché ha Febbre", "perché", "febbre", "Perche") == [None, None, None]


# --- tokens


def test_a_span_covers_every_token_that_it_touches() -> None:
    assert matching.token_labels("uno due  tre", [("A", 2, 5), None]) == {("A", 0), ("A", 1)}
    assert matching.token_labels("uno due  tre", [("A", 7, 9)]) == set()
    assert matching.token_labels("uno due  tre", [("A", 0, 3), ("A", 0, 12), ("B", 10, 11)]) == {
        *(("A", i) for i in range(3)),
        ("B", 2),
    }


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_sets_split_into_hits_and_misses(gold: set[int], predicted: set[int]) -> None:
    tp, fp, fn = matching.sets(set(gold), set(predicted))
    assert (tp + fn, tp + fp) == (len(gold), len(predicted))
    assert tp == len([item for item in gold if item in predicted])


PIECES = ["a", "e", "à", "è", "e\u0300", "a\u0301", " ", "\n", "  ", "x", ".", "ﬁ", "Å"]
ACCENTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def test_decomposed_accents_are_the_same_text() -> None:
    composed, decomposed = "varietà di", unicodedata.normalize("NFD", "varietà di")
    assert composed != decomposed
    assert matching.fold(decomposed) == composed
    assert matching.ground(f"Una {decomposed} forme", [("X", "varietà")]) == [("X", 4, 12)]
    assert matching.ground(f"Una {composed} forme", [("X", unicodedata.normalize("NFD", "varietà"))]) == [("X", 4, 11)]


@given(ACCENTS, ACCENTS, ACCENTS)
def test_a_mention_is_grounded_where_the_text_reads_so(before: str, mention: str, after: str) -> None:
    text = f"{before} {mention} {after}"
    for place in matching.ground(text, [("X", mention)]):
        if place is None:
            assert not matching.fold(mention)
        else:
            assert matching.fold(text[place[1] : place[2]]) == matching.fold(mention)
