"""The one rule of what the same text is, and that hashes, sequences and index say what a slow reading says."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ita_med.dataset_builders import same_text
from ita_med.dataset_builders.same_text import (
    HashedTexts,
    SequenceIndex,
    documents,
    hashed,
    sequences,
    sequences_of,
    text_hashes,
    text_of,
    word_hashes,
    words,
)
from ita_med.schema import ChoiceExample, SpanExample

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join), max_size=8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Perché È ﬁbrosi", "perche\u0301 e\u0300 FIBROSI"),
        ("perché è più grave", "perchè é piu' grave"),
        ("L'ETA' E' ELEVATA", "l’età è elevata"),
        ("ramipril 5mg/die, ore 8", "Ramipril 5 mg / die (ore 8)"),
        ("37,5°C", "37.5 ° C"),
        ("poi\u00adché il pa\u200bziente", "poiché il paziente"),
        ("____ firma: ____", "firma"),
    ],
)
def test_the_same_text(one: str, other: str) -> None:
    assert words(one) == words(other) != []
    assert word_hashes(one).tobytes() == word_hashes(other).tobytes()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ramipril 5 mg", "ramipril 50 mg"),
        ("PA 120/80", "PA 130/80"),
        ("1,5 mg", "15 mg"),
        ("dolore assente", "assente dolore"),
        ("ipertensione", "ipotensione"),
    ],
)
def test_another_text(one: str, other: str) -> None:
    ones, others = (text_hashes(hashed({"": text})) for text in (one, other))
    assert ones.tolist() != others.tolist()


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u0345"), max_size=30))
def test_a_word_is_a_run_of_letters_or_digits_without_case_and_marks(text: str) -> None:
    """But for U+0345, a mark below Greek vowels that case folding turns into a letter."""
    found = words(text)
    assert len(word_hashes(text)) == len(found)
    assert all(word.isdigit() or not re.search(r"[\W\d_]", word) for word in found)
    for other in (text.upper().lower(), unicodedata.normalize("NFD", text), f" {text}\n"):
        assert words(other) == words(other.casefold())
    assert words(unicodedata.normalize("NFD", text)) == words(text) == words(f" {text}\n")


def test_half_a_character_is_no_error() -> None:
    assert len(word_hashes("testo \ud800 rotto")) == 2


def test_the_table_of_hashes_never_changes_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(f"parola{n}," for n in range(50))
    whole = word_hashes(text).tolist()
    monkeypatch.setattr(same_text, "_RUN_HASHES", same_text._RunHashes())
    monkeypatch.setattr(same_text._RunHashes, "MAX_RUNS", 3)
    assert [word_hashes(text).tolist() for _ in range(2)] == [whole, whole]


def test_hashes_are_the_same_in_every_process() -> None:
    code = "from ita_med.dataset_builders.same_text import word_hashes; print(word_hashes('età 80').tolist())"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert runs == {f"{word_hashes('età 80').tolist()}\n".encode()}


def test_documents_are_joined_and_questions_know_no_order() -> None:
    sentences = [SpanExample("a-1", "a", "Prima frase.", []), SpanExample("a-2", "a", "Seconda.", [])]
    assert documents([*sentences, SpanExample("b", "", "Altro.", [])]) == {"a": "Prima frase.\nSeconda.", "b": "Altro."}
    one, other = (ChoiceExample("1", "Quale?", options, 0, "Caso.") for options in (["a", "b"], ["b", "a"]))
    assert text_of(one) == text_of(other) == "Caso.\nQuale?\na\nb"


def plain(text: str, n: int) -> set[tuple[str, ...]]:
    """The sequences of a text, read slowly."""
    found = text.split()
    return {tuple(found[i : i + n]) for i in range(max(len(found) - n + 1, min(1, len(found))))}


@given(TEXTS, st.integers(1, 4))
def test_sequences_and_index_are_those_of_a_slow_reading(texts: list[str], n: int) -> None:
    every = hashed({str(i): text for i, text in enumerate(texts)})
    seen: dict[tuple[str, ...], int] = {}
    for text in texts:
        own = text.split()
        for i, number in enumerate(sequences_of(word_hashes(text), n).tolist()):
            assert seen.setdefault(tuple(own[i : i + n]), number) == number
    assert len(set(seen.values())) == len(seen)
    owners = sequences(every, n)[1].tolist()
    assert [owners.count(i) for i in range(len(texts))] == [len(plain(text, n)) for text in texts]
    index = SequenceIndex.of([every], n)
    assert index.sizes.tolist() == [len(plain(text, n)) for text in texts]
    for tokens, number in seen.items():
        (place,) = index.find(np.array([number], np.uint64)).tolist()
        assert index.owners_of(place).tolist() == [i for i, text in enumerate(texts) if tokens in plain(text, n)]
    assert index.find(word_hashes("altro")).tolist() == [-1]
    assert index.held(word_hashes("altro")) == []


@given(TEXTS)
def test_equal_texts_have_equal_hashes_and_no_others(texts: list[str]) -> None:
    hashes = text_hashes(hashed({str(i): text for i, text in enumerate(texts)})).tolist()
    assert len(set(hashes)) == len(set(texts))
    for a, x in zip(texts, hashes, strict=True):
        assert [a == b for b in texts] == [x == y for y in hashes]


def test_short_texts_can_be_left_out() -> None:
    few: HashedTexts = hashed({"a": "uno due", "b": "uno due tre"}, min_words=3)
    assert (few.ids, few.lengths.tolist(), len(few)) == (["b"], [3], 1)
