"""Leakage between splits: planted copies are found, unrelated texts are not, and a slow reading agrees."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ita_med.dataset_builders import leakage, leakage_page
from ita_med.dataset_builders.leakage import SplitTexts, compare, contained, nearest
from ita_med.dataset_builders.same_text import SequenceIndex, words
from ita_med.schema import ChoiceExample, SpanExample, TextExample

pytestmark = pytest.mark.slow

CASE = (
    "Donna di settantadue anni ricoverata per dispnea ingravescente e tosse secca da tre settimane, senza febbre. "
    "All'esame obiettivo si ascoltavano crepitii alle basi polmonari e la saturazione era ridotta in aria ambiente. "
    "La tomografia del torace mostrava un'interstiziopatia fibrosante con bronchiectasie da trazione."
)
WORDS = st.sampled_from(CASE.casefold().split()[:14])
TEXTS = st.lists(st.lists(WORDS, min_size=8, max_size=40).map(" ".join), min_size=1, max_size=6, unique=True)


def split_of(texts: list[str], split: str, corpus: bool = False, dataset: str = "med_ita") -> SplitTexts:
    """Texts as the examples of one split."""
    kind: Any = (
        [TextExample(str(n), text, "s", "l") for n, text in enumerate(texts)]
        if corpus
        else [SpanExample(str(n), "", text, []) for n, text in enumerate(texts)]
    )
    return leakage.split_texts(dataset, "view", split, kind)


def other_words(n: int) -> str:
    """So many different words, of letters alone."""
    return " ".join(f"parola{'abcdefgh'[i // 8]}{'abcdefgh'[i % 8]}" for i in range(n))


def plain_sequences(text: str, n: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)}


@settings(max_examples=50, deadline=None)
@given(TEXTS, TEXTS)
def test_a_slow_reading_agrees(train: list[str], held: list[str]) -> None:
    one, other = split_of(train, "train").texts, split_of(held, "test").texts
    jaccard = [
        max(len(a & b) / len(a | b) for b in (plain_sequences(t, 5) for t in train))
        for a in (plain_sequences(h, 5) for h in held)
    ]
    assert np.allclose(nearest(one, SequenceIndex.of([other], 5)), jaccard)
    known = set().union(*(plain_sequences(t, 13) for t in train))
    long = [n for n, text in enumerate(held) if len(text.split()) >= 13]
    shares = [len(plain_sequences(held[n], 13) & known) / len(plain_sequences(held[n], 13)) for n in long]
    assert np.allclose(contained(one, SequenceIndex.of([other], 13))[long], shares)


@pytest.mark.parametrize("chunk", [1, 60])
@pytest.mark.parametrize("portion", [1, 10_000_000])
def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch, chunk: int, portion: int) -> None:
    train = [f"{CASE} Controllo numero {n}." for n in range(7)]
    one, other = split_of(train, "train"), split_of([*train[:3], CASE], "test")
    whole = compare([one, other])
    monkeypatch.setattr(leakage, "CHUNK", chunk)
    monkeypatch.setattr(leakage, "PORTION", portion)
    assert compare([one, other]) == whole
    assert (whole[0].exact, whole[0].near) == (3, 1)


@pytest.mark.parametrize(
    ("held", "found"),
    [
        (CASE, (1, 0, 0, 1)),
        (CASE.upper().replace(",", " ;").replace(" ", "\n"), (1, 0, 0, 1)),
        (f"{CASE} Dimessa.", (0, 1, 0, 1)),
        (f"{CASE} {other_words(25)}", (0, 0, 1, 1)),
        (f"{' '.join(CASE.split()[:20])} {other_words(60)}", (0, 0, 0, 1)),
        (" ".join(reversed(CASE.split())), (0, 0, 0, 0)),
        (
            "Uomo di quarant'anni con dolore addominale e vomito da due giorni, operato di appendicectomia.",
            (0, 0, 0, 0),
        ),
    ],
)
def test_kinds_of_overlap(held: str, found: tuple[int, ...]) -> None:
    (overlap,) = compare(
        [split_of([CASE, "Tutt'altra storia clinica di un uomo giovane e sano."], "train"), split_of([held], "test")]
    )
    assert (overlap.exact, overlap.near, overlap.contained, overlap.touched) == found
    assert overlap.ids == (["0"] if sum(found[:3]) else [])


def test_headings_are_left_out() -> None:
    held = split_of(["RISULTATI", CASE], "test")
    assert (len(held.texts), held.left_out) == (1, 1)
    assert compare([split_of(["RISULTATI", CASE], "train"), held])[0].texts == 1


def test_a_corpus_is_held_against_labelled_training_texts_too() -> None:
    pairs = compare(
        [split_of([CASE], "train", corpus=True), split_of([CASE], "train"), split_of([CASE], "test", dataset="e3c")]
    )
    assert [(o.train, o.evaluation, o.exact) for o in pairs] == [
        ("med_ita/view/train", "med_ita/view/train", 1),
        ("med_ita/view/train", "e3c/view/test", 1),
        ("med_ita/view/train", "e3c/view/test", 1),
    ]


def test_a_text_counts_once_whatever_the_order_of_its_options() -> None:
    stem = "Quale esame conferma più spesso la diagnosi di polmonite?"
    one = ChoiceExample("1", stem, ["alfa", "beta"], 0)
    other = ChoiceExample("2", stem, ["beta", "alfa"], 1)
    assert leakage.split_texts("med_ita", "view", "test", [one, other]).texts.ids == ["1"]


def test_two_doses_are_two_texts() -> None:
    pairs = compare([split_of([f"{CASE} Ramipril 5 mg."], "train"), split_of([f"{CASE} Ramipril 50 mg."], "test")])
    assert (pairs[0].exact, pairs[0].near) == (0, 1)


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


def test_a_new_page_keeps_the_notes_below_it(command: Any, tmp_path: Path) -> None:
    page = tmp_path / "leakage.md"
    for _ in range(2):
        assert command("data", "leakage", "--mirror", "embedded", "--page", page).code == 0
        text = page.read_text("utf-8")
        page.write_text(text if leakage_page.NOTES in text else f"{text}\n{leakage_page.NOTES}One note.\n", "utf-8")
    assert text.endswith(f"\n\n{leakage_page.NOTES}One note.\n")
    assert text.count("One note.") == text.count("## Matrix") == 1


def test_nothing_to_measure(command: Any, tmp_path: Path) -> None:
    ran = command("data", "leakage", "--mirror", tmp_path)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)


@pytest.mark.real_data
def test_real_e3c_layer3_holds_labelled_documents(real_mirror: str) -> None:
    splits, _ = leakage.collect(["e3c"], real_mirror, lambda name: None)
    found = {(o.train, o.evaluation): o for o in compare(splits)}
    train, test = (found["e3c/layer3/train", f"e3c/disorder (+6)/{split}"] for split in ("train", "test"))
    assert train.touched + test.touched == 6
    assert train.ids + test.ids == ["IT101004", "IT101011", "IT101073", "IT101158", "IT101165", "IT101038"]
    assert found["e3c/layer3/train", "e3c/layer2/train"].touched == 8
    assert found["e3c/disorder (+6)/train", "e3c/disorder (+6)/test"].ids == ["IT101038"]
