"""Leakage between splits: planted copies are found, unrelated texts are not, and a slow reading agrees."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ita_med.dataset_builders import leakage
from ita_med.dataset_builders.leakage import Index, Texts, compare, contained, documents, nearest, word_hashes
from ita_med.schema import ChoiceExample, SpanExample, TextExample

CASE = (
    "Donna di settantadue anni ricoverata per dispnea ingravescente e tosse secca da tre settimane, senza febbre. "
    "All'esame obiettivo si ascoltavano crepitii alle basi polmonari e la saturazione era ridotta in aria ambiente. "
    "La tomografia del torace mostrava un'interstiziopatia fibrosante con bronchiectasie da trazione."
)
WORDS = st.sampled_from(CASE.casefold().split()[:14])
TEXTS = st.lists(st.lists(WORDS, min_size=8, max_size=40).map(" ".join), min_size=1, max_size=6, unique=True)


def group(texts: list[str], split: str, corpus: bool = False, dataset: str = "med_ita") -> Texts:
    """Texts as the examples of one split."""
    kind: Any = (
        [TextExample(str(n), text, "s", "l") for n, text in enumerate(texts)]
        if corpus
        else [SpanExample(str(n), "", text, []) for n, text in enumerate(texts)]
    )
    return leakage._texts(dataset, "view", split, kind)


def plain_words(text: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


def plain_sequences(text: str, n: int) -> set[tuple[str, ...]]:
    words = plain_words(text)
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30))
def test_words_are_those_of_the_regular_expression(text: str) -> None:
    inside_basic_plane = "".join(char for char in text if char <= "\uffff")
    hashes, words = word_hashes(inside_basic_plane), plain_words(inside_basic_plane)
    assert len(hashes) == len(words)
    assert len(set(hashes.tolist())) == len(set(words))


def test_spelling_variants_are_one_word() -> None:
    same = ["Perché È ﬁbrosi", "perche\u0301 e\u0300 FIBROSI", "perché… è, (fibrosi)!"]
    assert len({word_hashes(text).tobytes() for text in same}) == 1
    assert word_hashes("").tolist() == word_hashes(" .,;").tolist() == []


@settings(max_examples=50, deadline=None)
@given(TEXTS, TEXTS)
def test_a_slow_reading_agrees(train: list[str], held: list[str]) -> None:
    one, other = group(train, "train"), group(held, "test")
    jaccard = [
        max(len(a & b) / len(a | b) for b in (plain_sequences(t, 5) for t in train))
        for a in (plain_sequences(h, 5) for h in held)
    ]
    assert np.allclose(nearest(one, Index([other], 5)), jaccard)
    known = set().union(*(plain_sequences(t, 13) for t in train))
    long = [n for n, text in enumerate(held) if len(text.split()) >= 13]
    shares = [len(plain_sequences(held[n], 13) & known) / len(plain_sequences(held[n], 13)) for n in long]
    assert np.allclose(contained(one, Index([other], 13))[long], shares)


@pytest.mark.parametrize("words", [1, 60])
@pytest.mark.parametrize("portion", [1, 10_000_000])
def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch, words: int, portion: int) -> None:
    train = [f"{CASE} Controllo numero {n}." for n in range(7)]
    one, other = group(train, "train"), group([*train[:3], CASE], "test")
    whole = compare([one, other])
    monkeypatch.setattr(leakage, "CHUNK", words)
    monkeypatch.setattr(leakage, "PORTION", portion)
    assert compare([one, other]) == whole
    assert (whole[0].exact, whole[0].near) == (3, 1)


@pytest.mark.parametrize(
    ("held", "found"),
    [
        (CASE, (1, 0, 0, 1)),
        (CASE.upper().replace(",", " ;").replace(" ", "\n"), (1, 0, 0, 1)),
        (f"{CASE} Dimessa.", (0, 1, 0, 1)),
        (f"{CASE} {' '.join(f'parola{n}' for n in range(25))}", (0, 0, 1, 1)),
        (f"{' '.join(CASE.split()[:20])} {' '.join(f'parola{n}' for n in range(60))}", (0, 0, 0, 1)),
        (" ".join(reversed(CASE.split())), (0, 0, 0, 0)),
        (
            "Uomo di quarant'anni con dolore addominale e vomito da due giorni, operato di appendicectomia.",
            (0, 0, 0, 0),
        ),
    ],
)
def test_kinds_of_overlap(held: str, found: tuple[int, ...]) -> None:
    (overlap,) = compare(
        [group([CASE, "Tutt'altra storia clinica di un uomo giovane e sano."], "train"), group([held], "test")]
    )
    assert (overlap.exact, overlap.near, overlap.contained, overlap.touched) == found
    assert overlap.ids == (["0"] if sum(found[:3]) else [])


def test_headings_are_left_out() -> None:
    held = group(["RISULTATI", CASE], "test")
    assert (len(held), held.left_out) == (1, 1)
    assert compare([group(["RISULTATI", CASE], "train"), held])[0].texts == 1


def test_a_corpus_is_held_against_labelled_training_texts_too() -> None:
    pairs = compare([group([CASE], "train", corpus=True), group([CASE], "train"), group([CASE], "test", dataset="e3c")])
    assert [(o.train, o.evaluation, o.exact) for o in pairs] == [
        ("med_ita/view/train", "med_ita/view/train", 1),
        ("med_ita/view/train", "e3c/view/test", 1),
        ("med_ita/view/train", "e3c/view/test", 1),
    ]


def test_documents_are_joined_and_questions_know_no_order() -> None:
    sentences = [SpanExample("a-1", "a", "Prima frase.", []), SpanExample("a-2", "a", "Seconda.", [])]
    assert documents([*sentences, SpanExample("b", "", "Altro.", [])]) == {"a": "Prima frase.\nSeconda.", "b": "Altro."}
    one = ChoiceExample("1", "Quale?", ["alfa", "beta"], 0)
    other = ChoiceExample("2", "Quale?", ["beta", "alfa"], 1)
    assert list(documents([one, other])) == ["1"]


def test_command_and_page(command: Any, tmp_path: Path) -> None:
    page = tmp_path / "leakage.md"
    ran = command("data", "leakage", "--mirror", "embedded", "--page", page)
    assert (ran.code, ran.err) == (0, "")
    assert "On the synthetic samples." in page.read_text("utf-8")
    found = json.loads(command("data", "leakage", "--mirror", "embedded", "--json").out)
    assert found["synthetic"] is True
    assert found["not_measured"] == []
    for line in ran.out.splitlines()[1:-1]:
        train, evaluation, texts, *_ = re.split("  +", line)
        assert any(o["train"] == train and o["evaluation"] == evaluation for o in found["overlaps"])
        assert f"| {train} | {evaluation} | {texts} |" in page.read_text("utf-8")


def test_nothing_to_measure(command: Any, tmp_path: Path) -> None:
    ran = command("data", "leakage", "--mirror", tmp_path)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)


@pytest.mark.real_data
@pytest.mark.slow
def test_real_e3c_layer3_holds_labelled_documents(real_mirror: str) -> None:
    groups, _ = leakage.collect(["e3c"], real_mirror, lambda name: None)
    found = {(o.train, o.evaluation): o for o in compare(groups)}
    train, test = (found["e3c/layer3/train", f"e3c/disorder (+6)/{split}"] for split in ("train", "test"))
    assert train.touched + test.touched == 6
    assert train.ids + test.ids == ["IT101004", "IT101011", "IT101073", "IT101158", "IT101165", "IT101038"]
    assert found["e3c/layer3/train", "e3c/layer2/train"].touched == 8
    assert found["e3c/disorder (+6)/train", "e3c/disorder (+6)/test"].ids == ["IT101038"]
