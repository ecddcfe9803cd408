"""Encoders without training: what is labelled comes back as it was, through every window, for every task."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

for module in ("torch", "transformers"):
    pytest.importorskip(module)

from ita_med import catalogue, sources  # noqa: E402
from ita_med.schema import UNKNOWN_VALUES, Example, FormExample, Item, RelationExample, Span, SpanExample  # noqa: E402
from ita_med.tasks.benchmark.task_data import TaskData, load  # noqa: E402
from ita_med.training import recipe as recipes  # noqa: E402
from ita_med.training.encoders import forms, heads, pairs, parts, tagging, text  # noqa: E402
from ita_med.training.encoders.heads import IGNORED, LoadedPart, Part  # noqa: E402
from ita_med.training.encoders.text import Inputs  # noqa: E402

from ..conftest import tiny_encoder  # noqa: E402

pytestmark = pytest.mark.torch

KINDS = ("bert", "xlm-roberta", "modernbert")
ALL_KINDS = (*KINDS, "scratch")
READY = [task.id for task in catalogue.tasks(ready=True)]
SPANS = [task.id for task in catalogue.tasks(ready=True) if task.family in ("ner", "arg", "re")]


@cache
def tokenizer(kind: str) -> Any:
    return tiny_encoder(kind)[0]


def recipe(max_length: int = 512, overlap: int = 64) -> recipes.Recipe:
    changes = [f"data.max_length={max_length}", f"data.overlap={overlap}", "data.negatives=null"]
    return recipes.load(recipes.find("encoders/bert-base-italian"), changes)


# ----- an oracle in place of the encoder -----------------------------------------------------------------------------


class Oracle:
    """Gives the scores that a perfect encoder would give to the sequences of the training rows."""

    def __init__(self, part: Part) -> None:
        self.known: dict[bytes, Any] = {}
        for row in part.rows:
            for sequence, right in zip(row.sequences, self._scores(part, row), strict=True):
                self.known[sequence["input_ids"].tobytes()] = right

    @staticmethod
    def _scores(part: Part, row: heads.EncoderRow) -> list[Any]:
        length = len(row.sequences[0]["input_ids"])
        if part.head == "tokens":
            return [np.eye(3, dtype=np.float32)[np.where(row.target == IGNORED, 0, row.target)].reshape(length, -1)]
        if part.head == "span":
            scores = np.zeros((length, 2), np.float32)
            scores[row.target, [0, 1]] = 1
            return [scores]
        if len(part.labels) == 1:
            return [
                np.array([option == row.target[0]], np.float32)
                for option, size in enumerate(row.sizes)
                for _ in range(size)
            ]
        return [np.eye(len(part.labels), dtype=np.float32)[row.target[0]]] * len(row.sequences)

    def infer(self, sequences: Sequence[Inputs]) -> list[Any]:
        return [self.known[sequence["input_ids"].tobytes()] for sequence in sequences]


def infer(loaded: LoadedPart, sequences: Sequence[Inputs]) -> list[Any]:
    found: list[Any] = loaded.model.infer(sequences)
    return found


def answered(data: TaskData, example: Example, tokens: Any, chosen: recipes.Recipe) -> tuple[Any, list[Part]]:
    """The answer of a perfect encoder to one example, and its parts."""
    made = parts.of(chosen, replace(data, train=[example]), tokens)
    loaded = {part.name: LoadedPart(Oracle(part), tokens, part.labels, part.facts) for part in made}
    if not loaded:
        return None, made
    return parts.answers(loaded, replace(data, examples=[example]))[example.id], made


@pytest.mark.parametrize("max_length", [512, 48])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READY)
def test_gold_answers_come_back_exactly_where_the_rule_says_so(
    name: str, kind: str, max_length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "infer", infer)
    data = load(name, sources.EMBEDDED)
    for example in data.train[:: max(len(data.train) // 6, 1)]:
        if isinstance(example, FormExample):  # all known items and some of the unknown ones
            items = [item for n, item in enumerate(example.items) if n % 8 == 0 or item.value not in UNKNOWN_VALUES]
            example = replace(example, items=items)
        answer, made = answered(data, example, tokenizer(kind), recipe(max_length, 16))
        for part in made:
            assert all(len(sequence["input_ids"]) <= max_length for row in part.rows for sequence in row.sequences)
        gold = data.gold(example)
        match example:
            case SpanExample():
                found = sorted((e["start"], e["end"], e["label"], e["text"]) for e in answer["entities"])
                wanted = sorted((s.start, s.end, s.label, s.text) for s in tagging.chosen(example.spans))
                if made[0].counts["expressed"] == len(wanted):
                    assert found == wanted
            case RelationExample() if made and made[-1].name == "pairs":
                tagger = made[0].counts
                if tagger["expressed"] == tagger["gold"] and made[-1].counts["expressed"] == len(gold["relations"]):
                    key = lambda relation: sorted(relation.items())  # noqa: E731
                    assert sorted(answer["relations"], key=key) == sorted(gold["relations"], key=key)
            case FormExample():
                for part in made:
                    kinds = {i.name for i in example.items if (i.kind == "categorical") == (part.name == "options")}
                    if part.counts["expressed"] == part.counts["gold"]:
                        assert {n: v for n, v in answer["items"].items() if n in kinds} == {
                            n: v for n, v in gold["items"].items() if n in kinds
                        }
            case RelationExample():
                assert not example.relations
            case _:
                assert answer == gold


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_what_share_of_the_gold_mentions_can_be_expressed(kind: str) -> None:
    """All but mentions inside a longer one of their label (`chosen`), and those that end within a token."""
    gold = kept = expressed = 0
    for name in SPANS:
        data = load(name, sources.EMBEDDED)
        for example in [*data.train, *data.examples]:
            assert isinstance(example, SpanExample | RelationExample)
            places = text.units(tokenizer(kind), example.text)
            labels = sorted({span.label for span in example.spans})
            gold += len(example.spans)
            kept += len(tagging.chosen(example.spans))
            expressed += tagging.expressed(example.spans, places, labels, example.text)
    assert gold > 2000
    assert kept / gold > 0.97
    assert expressed / kept > (0.999 if kind in ("bert", "scratch") else 0.97), (kind, gold, kept, expressed)


@pytest.mark.real_data
def test_gold_mentions_of_real_data_that_can_be_expressed(real_mirror: str) -> None:
    """Counts with words as units, which is what every WordPiece tokenizer gives; docs/training.md has them."""
    found = {}
    for name in ("ner_e3c_disorder", "ner_e3c_all", "arg_abstrct", "arg_casimedicos"):
        data = load(name, real_mirror)
        counts = [0, 0]
        for example in [*data.train, *data.examples]:
            assert isinstance(example, SpanExample)
            places = [(m.start(), m.end()) for m in text._WORD.finditer(example.text)]
            counts[0] += len(example.spans)
            counts[1] += tagging.expressed(example.spans, places, data.setting.labels, example.text)
        found[name] = tuple(counts)
    assert found == REAL_COUNTS


REAL_COUNTS = {
    "ner_e3c_disorder": (869, 853),
    "ner_e3c_all": (5495, 5484),
    "arg_abstrct": (2951, 2951),
    "arg_casimedicos": (6457, 6457),
}
"""Task -> gold mentions of the training and test split, and those that come back exactly."""


# ----- units and tags ------------------------------------------------------------------------------------------------

SOME = ("la", "creatinina", "2,1", "mg/dl", "d'urgenza", "(febbre)", "àéì", "CO₂", "—", "\n")
WORDS = st.lists(st.sampled_from(SOME), min_size=1, max_size=14)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.data())
def test_mentions_between_units_are_expressed_exactly(words: list[str], draw: st.DataObject) -> None:
    said = " ".join(words)
    for kind in ALL_KINDS:
        places = text.units(tokenizer(kind), said)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(places))
        if not places:
            continue
        number = st.integers(0, len(places) - 1)
        spans = []
        for label in ("A", "B"):
            for _ in range(draw.draw(st.integers(0, 3))):
                first, last = sorted((draw.draw(number), draw.draw(number)))
                start, end = places[first][0], places[last][1]
                spans.append(Span(start, end, label, said[start:end]))
        wanted = {(s.start, s.end, s.label) for s in tagging.chosen(spans)}
        found = tagging.mentions(tagging.tags(spans, places, ["A", "B"]), places, ["A", "B"], said)
        assert {(s.start, s.end, s.label) for s in found} == wanted
        assert all(said[s.start : s.end] == s.text for s in found)
        assert tagging.expressed(spans, places, ["A", "B"], said) == len(wanted)


def test_of_overlapping_mentions_of_a_label_the_longest_is_learned() -> None:
    spans = [Span(0, 5, "A", ""), Span(2, 9, "A", ""), Span(2, 4, "A", ""), Span(3, 5, "B", ""), Span(9, 12, "A", "")]
    assert {(s.start, s.end, s.label) for s in tagging.chosen(spans)} == {(2, 9, "A"), (3, 5, "B"), (9, 12, "A")}


def test_a_mention_inside_a_unit_is_widened_and_an_inside_without_beginning_begins() -> None:
    said, places = "gastroduodenale, oggi", [(0, 15), (15, 16), (17, 21)]
    found = tagging.tags([Span(0, 6, "A", "gastro")], places, ["A"])
    assert found[:, 0].tolist() == [tagging.BEGIN, tagging.OUTSIDE, tagging.OUTSIDE]
    back = tagging.mentions(np.array([[2], [0], [2]]), places, ["A"], said)
    assert [(s.start, s.end, s.text) for s in back] == [(0, 15, "gastroduodenale"), (17, 21, "oggi")]
    assert tagging.mentions(np.zeros((0, 1), np.int64), [], ["A"], "") == []


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize(
    "said", ["", " \n\t ", "\u200b", "…", "\x00", "😀" * 40, "a" * 5000, "ﬁbrosi e\u0301", "\ud800x"]
)
def test_hostile_texts_are_read(kind: str, said: str) -> None:
    if "\ud800" in said:
        said = said.replace("\ud800", "\ufffd")  # a tokenizer refuses half characters, and so does every schema
    made = tagging.part([SpanExample("x", "x", said, [])], ["A"], tokenizer(kind), max_length=32, overlap=8)
    assert all(len(row.sequences[0]["input_ids"]) <= 32 for row in made.rows)
    assert all(0 <= start < end <= len(said) for start, end in text.units(tokenizer(kind), said))


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_windows_hold_every_unit_and_overlap(kind: str) -> None:
    said = " ".join(f"parola{n}" for n in range(200))
    places = text.units(tokenizer(kind), said)
    read = text.windows(tokenizer(kind), said, max_length=64, overlap=16)
    seen = [set(np.flatnonzero(tagging._units_of(w, places) >= 0)) for w in read]
    begun = [tagging._units_of(w, places) for w in read]
    assert len(read) > 3
    assert all(seen)
    assert {int(n) for w in begun for n in w if n >= 0} == set(range(len(places)))
    shared = [set(a[a >= 0]) & set(b[b >= 0]) for a, b in itertools.pairwise(begun)]
    assert all(shared), "windows do not overlap"


# ----- marks, values, choices ----------------------------------------------------------------------------------------


def test_mentions_are_marked_whether_they_overlap_or_not() -> None:
    said = "creatinina 2,1 mg/dl"
    event, value, unit = Span(0, 10, "EVENT", ""), Span(11, 20, "RML", ""), Span(15, 20, "RML", "")
    assert pairs.marked(said, value, event) == "# ^ EVENT ^ creatinina # @ * RML * 2,1 mg/dl @"
    assert pairs.marked(said, value, unit) == "creatinina @ * RML * 2,1 # ^ RML ^ mg/dl # @"
    same = pairs.marked(said, value, replace(value, label="EVENT"))
    assert same.replace("@ * RML * ", "").replace("# ^ EVENT ^ ", "").replace(" #", "").replace(" @", "") == said


def test_a_value_is_found_as_whole_words_first() -> None:
    assert forms.find("PLT 120, Hb 12 g", "12") == (12, 14)
    assert forms.find("PLT120", "12") == (3, 5)
    assert forms.find("nulla", "12") is None
    assert forms.find("nulla", "") is None
    assert forms.find("a (b) [c]", "(b)") == (2, 5)


def test_of_windows_the_best_one_counts_and_nothing_is_as_likely_as_where_it_is_least() -> None:
    import torch

    logits = torch.tensor([[3.0, 0.0, 1.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]])
    found = heads.pooled(logits, [2, 1])
    assert found.tolist() == [[1.0, 2.0, 1.0], [0.0, 0.0, 5.0]]
    for part, whole in zip(([0, 1], [2]), found, strict=True):
        assert heads.pooled_scores([logits[n].numpy() for n in part]).tolist() == whole.tolist()
    assert heads.pooled(torch.tensor([[1.0], [4.0], [2.0]]), [2, 1]).tolist() == [[4.0], [2.0]]


def test_an_item_is_given_one_of_its_own_options_or_stays_unknown() -> None:
    labels = ["unknown", "n", "neg", "pos", "y"]
    item = Item("blood in the stool", "categorical", ["pos", "neg"], "unknown")
    assert forms._choose(labels, item, [np.array([0, 9, 1, 2, 9], np.float32)]) == "pos"
    assert (
        forms._choose(labels, replace(item, options=["mai visto"]), [np.array([0, 9, 1, 2, 9], np.float32)])
        == "unknown"
    )


# ----- which encoder answers what ------------------------------------------------------------------------------------


def test_a_task_without_an_encoder_is_answered_by_one_with_its_labels() -> None:
    embedded = {task.id: load(task.id, sources.EMBEDDED) for task in catalogue.tasks(ready=True)}
    trained: dict[str, dict[str, dict[str, Any]]] = {}
    for task in sorted(recipes.tasks(recipe()), key=lambda task: -len(embedded[task.id].train)):
        items = [item.name for e in embedded[task.id].train if isinstance(e, FormExample) for item in e.items]
        trained[task.id] = {"part": {"items": items}}
    found = {name.removeprefix("ita_med_"): parts.teacher(data, trained) for name, data in embedded.items()}
    assert found["ner_cardioccc"] == "ita_med_ner_drugtemist"
    assert found["re_e3c_projected"] == "ita_med_re_clinkart"
    assert found["crf_ecream"] == "ita_med_crf_dyspnea"
    assert found["qa_med_ita"] == "ita_med_qa_imb", "the one with the most examples"
    assert found["arg_abstrct_glaucoma"] == found["arg_abstrct_mixed"] == "ita_med_arg_abstrct"
    assert all(found[name.removeprefix("ita_med_")] == name for name in trained)
    del trained["ita_med_ner_drugtemist"], trained["ita_med_crf_dyspnea"], trained["ita_med_arg_abstrct"]
    assert parts.teacher(embedded["ita_med_ner_cardioccc"], trained) is None, "disorders are no drugs"
    assert parts.teacher(embedded["ita_med_crf_ecream"], trained) is None, "no item in common"
    assert parts.teacher(embedded["ita_med_arg_abstrct_mixed"], trained) == "ita_med_arg_casimedicos"
    assert parts.teacher(embedded["ita_med_qa_med_ita"], {}) is None
