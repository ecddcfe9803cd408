"""Properties that every metric of every family has, its peers (seqeval, scikit-learn, scipy), and known defects."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.scheme import IOB2
from sklearn.metrics import f1_score as sklearn_f1

from ita_med import catalogue
from ita_med.schema import ChoiceExample, Example, FormExample, Item, Relation, RelationExample, Span, SpanExample
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.scoring import matching, metrics

pytestmark = pytest.mark.slow

TASKS = {
    "ner": "ner_e3c_all",
    "arg": "arg_abstrct",
    "re": "re_e3c_temporal",
    "re, one label": "re_clinkart",
    "crf": "crf_e3c",
    "qa": "qa_med_ita",
}
WORDS = ["febbre", "tosse", "PA", "PAZIENTE", "3,5", "cm"]
LABELS = {
    "ner": ["CLINENTITY", "EVENT", "?"],
    "arg": ["Claim", "Premise", "?"],
    "re": ["BEFORE", "OVERLAP", "?"],
    "re, one label": ["PERTAINSTO", "?"],
}
VALUES = ["y", "n", "3,5 mg/dl", "3.5 MG/DL", "non noto", "unknown"]
COUNTERS = {"parse_failure", "abstained"}
"""Metrics for which 0 is best."""
Answer = dict[str, Any]
Answers = dict[str, Answer | None]


def task_data(family: str, examples: list[Example]) -> TaskData:
    return TaskData(catalogue.task(TASKS[family]), examples, [], "test")


def values(data: TaskData, answers: Answers) -> dict[str, float]:
    """The metrics without a thorough bootstrap."""
    counts = np.array([data.count(e, answers.get(e.id)) for e in data.examples], dtype=float)
    return metrics.evaluate(data.metrics, counts, data.clusters, resamples=2)[0]


def rises(before: dict[str, float], after: dict[str, float]) -> set[str]:
    return {name for name in before if name != "parse_failure" and after[name] > before[name] + 1e-12}


# --- random examples and answers


@st.composite
def mentions(draw: st.DrawFn, text: str, labels: list[str]) -> list[Span]:
    """Spans of whole words, nested and repeated ones too."""
    starts = [0, *(i + 1 for i, sign in enumerate(text) if sign == " ")]
    found = []
    for _ in range(draw(st.integers(0, 4))):
        first = draw(st.integers(0, len(starts) - 1))
        last = draw(st.integers(first, min(first + 2, len(starts) - 1)))
        end = starts[last + 1] - 1 if last + 1 < len(starts) else len(text)
        found.append(Span(starts[first], end, draw(st.sampled_from(labels)), text[starts[first] : end]))
    return found


@st.composite
def examples(draw: st.DrawFn, family: str, number: int) -> Example:
    name = f"e{number}"
    document = draw(st.sampled_from(["d1", "d2", ""]))
    text = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8)))
    if family == "qa":
        options = draw(st.integers(2, 5))
        return ChoiceExample(name, text, WORDS[:options], draw(st.integers(0, options - 1)))
    if family == "crf":
        forms = [Item(f"i{i}", "text", [], draw(st.sampled_from(VALUES))) for i in range(draw(st.integers(1, 5)))]
        return FormExample(name, document, text, forms)
    spans = draw(mentions(text, LABELS.get(family, ["x"])[:-1]))
    if family in ("ner", "arg"):
        return SpanExample(name, document, text, spans)
    pairs = st.tuples(*[st.integers(0, max(len(spans) - 1, 0))] * 2, st.sampled_from(LABELS[family][:-1]))
    links = draw(st.lists(pairs, max_size=4)) if spans else []
    return RelationExample(name, document, text, spans, [Relation(*link) for link in links])


@st.composite
def answers_to(draw: st.DrawFn, family: str, example: Example, fail: bool) -> Answer | None:
    """None where `fail` allows it; texts of the document and others, with and without places, unknown labels."""
    if fail and draw(st.integers(0, 5)) == 0:
        return None
    if isinstance(example, ChoiceExample):
        return {"choice": draw(st.sampled_from([*"ABCDE", None]))}
    if isinstance(example, FormExample):
        names = st.sampled_from([f"i{i}" for i in range(7)])
        return {"items": draw(st.dictionaries(names, st.sampled_from(VALUES), max_size=6))}
    texts = st.sampled_from([*WORDS, "altrove", "febbre tosse"])
    if isinstance(example, RelationExample):
        known = [(r.label, example.spans[r.head].text, example.spans[r.tail].text) for r in example.relations]
        rows = st.tuples(st.sampled_from(LABELS[family]), texts, texts)
        chosen = draw(st.lists(st.one_of(rows, st.sampled_from(known)) if known else rows, max_size=5))
        return {"relations": [{"head": h, "label": label, "tail": t} for label, h, t in chosen]}
    assert isinstance(example, SpanExample)
    placed = draw(mentions(example.text, LABELS[family]))
    found = draw(st.lists(st.tuples(texts, st.sampled_from(LABELS[family])), max_size=4))
    return {"entities": [entity(x) for x in placed] + [{"text": text, "label": label} for text, label in found]}


def entity(span: Span) -> Answer:
    return {"text": span.text, "label": span.label, "start": span.start, "end": span.end}


@st.composite
def benchmarks(draw: st.DrawFn, family: str, fail: bool = True) -> tuple[TaskData, Answers]:
    drawn = [draw(examples(family, number)) for number in range(draw(st.integers(1, 4)))]
    return task_data(family, drawn), {e.id: draw(answers_to(family, e, fail)) for e in drawn}


def families(*names: str) -> Callable[..., Any]:
    return pytest.mark.parametrize("family", names or TASKS)


# --- properties


@families()
@settings(max_examples=60)
@given(drawn=st.data(), random=st.randoms(use_true_random=False))
def test_the_order_of_an_answer_changes_no_count(family: str, drawn: st.DataObject, random: Random) -> None:
    data, answers = drawn.draw(benchmarks(family))
    for example in data.examples:
        answer = answers[example.id]
        if answer is None or family == "qa":
            continue
        ((key, found),) = answer.items()
        shuffled = list(found.items() if isinstance(found, dict) else found)
        random.shuffle(shuffled)
        other = {key: dict(shuffled) if isinstance(found, dict) else shuffled}
        assert data.count(example, other) == data.count(example, answer)


@families()
@settings(max_examples=30)
@given(drawn=st.data(), random=st.randoms(use_true_random=False))
def test_the_order_of_the_examples_changes_no_metric(family: str, drawn: st.DataObject, random: Random) -> None:
    data, answers = drawn.draw(benchmarks(family))
    shuffled = random.sample(data.examples, len(data.examples))
    assert values(task_data(family, shuffled), answers) == pytest.approx(values(data, answers))
    assert values(data, dict(reversed(answers.items()))) == values(data, answers)


@families()
@settings(max_examples=40)
@given(drawn=st.data())
def test_metrics_lie_between_0_and_1_and_errors_are_finite(family: str, drawn: st.DataObject) -> None:
    data, answers = drawn.draw(benchmarks(family))
    scores = data.score(answers)
    assert all(0 <= value <= 1 for value in scores.metrics.values())
    assert all(0 <= error <= 0.71 for error in scores.stderr.values())
    assert set(scores.metrics) == set(scores.stderr)
    assert scores.metrics["parse_failure"] == sum(a is None for a in answers.values()) / len(answers)


@families()
@settings(max_examples=40)
@given(drawn=st.data())
def test_gold_against_gold_is_1(family: str, drawn: st.DataObject) -> None:
    data, _ = drawn.draw(benchmarks(family))
    found = values(data, {e.id: data.gold(e) for e in data.examples})
    assert found == {name: 0.0 if name in COUNTERS else 1.0 for name in found}


@families("ner", "arg", "re", "re, one label", "crf")
def test_nothing_to_find_and_nothing_found_is_1_and_anything_found_is_0(family: str) -> None:
    example: Example = {
        "ner": SpanExample("e", "", "sta bene", []),
        "arg": SpanExample("e", "", "sta bene", []),
        "crf": FormExample("e", "", "sta bene", [Item("spo2", "text", [], "unknown")]),
    }.get(family) or RelationExample("e", "", "sta bene", [], [])
    data = task_data(family, [example])
    found = values(data, {"e": data.gold(example)})
    assert found == {name: float(name not in COUNTERS) for name in found}
    wrong: Answer = {
        "crf": {"items": {"spo2": "94%"}},
        "re": {"relations": [{"head": "sta", "label": "BEFORE", "tail": "bene"}]},
        "re, one label": {"relations": [{"head": "sta", "label": "PERTAINSTO", "tail": "bene"}]},
    }.get(family) or {"entities": [{"text": "bene", "label": LABELS[family][0]}]}
    assert values(data, {"e": wrong})["score"] == 0


@families("ner", "arg")
@given(drawn=st.data())
def test_a_mention_that_is_wrong_in_every_way_raises_no_metric(family: str, drawn: st.DataObject) -> None:
    """score, precision, recall, f1_macro, f1_offset, f1_relaxed, f1_token and the F1 of each label."""
    data, answers = drawn.draw(benchmarks(family, fail=False))
    before = values(data, answers)
    example = drawn.draw(st.sampled_from(data.examples))
    assert isinstance(example, SpanExample)
    absent = st.builds(lambda label: {"text": "nell'altro referto", "label": label}, st.sampled_from(LABELS[family]))
    placed = st.sampled_from([entity(x) for x in drawn.draw(mentions(example.text, LABELS[family]))] or [None])
    extra = drawn.draw(st.one_of(absent, placed))
    assume(extra is not None)
    if "start" in extra:
        same = [x for x in example.spans if x.label == extra["label"]]
        assume(not any(extra["text"] == x.text or (extra["start"] < x.end and x.start < extra["end"]) for x in same))
    after = values(data, answers | {example.id: {"entities": [*answers[example.id]["entities"], extra]}})
    assert not rises(before, after)


@families("ner", "arg")
@given(drawn=st.data())
def test_one_repetition_too_many_raises_neither_score_nor_precision(family: str, drawn: st.DataObject) -> None:
    """Not so for f1_offset: the surplus mention may be grounded to a place that is right."""
    data, answers = drawn.draw(benchmarks(family, fail=False))
    example = drawn.draw(st.sampled_from(data.examples))
    gold = data.gold(example)["entities"]
    assume(gold)
    extra = {key: drawn.draw(st.sampled_from([x[key] for x in gold])) for key in ("text", "label")}
    full = [{"text": x["text"], "label": x["label"]} for x in gold] + answers[example.id]["entities"]
    before = values(data, answers | {example.id: {"entities": full}})
    after = values(data, answers | {example.id: {"entities": [*full, extra]}})
    assert not rises(before, after) & {"score", "precision", "recall", "f1_macro", *(f"f1_{x}" for x in LABELS[family])}


@families("re", "re, one label")
@given(drawn=st.data())
def test_a_wrong_relation_raises_no_metric(family: str, drawn: st.DataObject) -> None:
    """score, precision, recall, f1_macro and f1_unlabelled; wrong: a pair that gold has not, or not as often."""
    data, answers = drawn.draw(benchmarks(family, fail=False))
    example = drawn.draw(st.sampled_from(data.examples))
    own = answers[example.id]["relations"]
    text = st.sampled_from([*WORDS, "altrove"])
    extra = {"head": drawn.draw(text), "label": drawn.draw(st.sampled_from(LABELS[family])), "tail": drawn.draw(text)}

    gold = data.gold(example)["relations"]
    pair_is_right = any((x["head"], x["tail"]) == (extra["head"], extra["tail"]) for x in gold)
    rows = gold + own if pair_is_right else own
    before = values(data, answers | {example.id: {"relations": rows}})
    after = values(data, answers | {example.id: {"relations": [*rows, extra]}})
    assert not rises(before, after)


@given(drawn=st.data())
def test_a_value_for_an_unknown_item_raises_no_metric(drawn: st.DataObject) -> None:
    """The official macro-F1 (score), f1_known, precision, recall, f1_known_normalised and item_accuracy."""
    data, answers = drawn.draw(benchmarks("crf", fail=False))
    example = drawn.draw(st.sampled_from(data.examples))
    assert isinstance(example, FormExample)
    own = answers[example.id]["items"]
    silent = [x.name for x in example.items if x.value in ("unknown", "non noto")]
    silent = [name for name in silent if own.get(name, "unknown") in ("unknown", "non noto")]
    assume(silent)
    extra = {drawn.draw(st.sampled_from(silent)): drawn.draw(st.sampled_from(["y", "3,5 mg/dl", "altro"]))}
    assert not rises(values(data, answers), values(data, answers | {example.id: {"items": own | extra}}))


@given(drawn=st.data())
def test_a_wrong_value_for_a_known_item_raises_no_metric_but_the_official_one(drawn: st.DataObject) -> None:
    """The official macro-F1 may rise: "unknown" is a class of its own there, and loses a false positive."""
    data, answers = drawn.draw(benchmarks("crf", fail=False))
    example = drawn.draw(st.sampled_from(data.examples))
    assert isinstance(example, FormExample)
    name = drawn.draw(st.sampled_from([x.name for x in example.items]))
    own = {key: value for key, value in answers[example.id]["items"].items() if key != name}
    before = values(data, answers | {example.id: {"items": own}})
    after = values(data, answers | {example.id: {"items": own | {name: "sbagliato"}}})
    assert rises(before, after) <= {"score"}


@given(drawn=st.data())
def test_a_wrong_choice_is_no_better_than_none(drawn: st.DataObject) -> None:
    """score and accuracy_answered; an abstention less is no gain."""
    data, answers = drawn.draw(benchmarks("qa", fail=False))
    example = drawn.draw(st.sampled_from(data.examples))
    right = data.gold(example)["choice"]
    wrong = drawn.draw(st.sampled_from([x for x in "ABCDE" if x != right]))
    before = values(data, answers | {example.id: {"choice": None}})
    after = values(data, answers | {example.id: {"choice": wrong}})
    assert not rises(before, after)


# --- peers


@st.composite
def iob(draw: st.DrawFn) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences of gold and predicted IOB2 tags of equal lengths."""
    tags = ["O", "B-Claim", "I-Claim", "B-Premise", "I-Premise"]

    def sentence(size: int) -> list[str]:
        out: list[str] = []
        for tag in draw(st.lists(st.sampled_from(tags), min_size=size, max_size=size)):
            broken = tag[0] == "I" and (not out or out[-1][2:] != tag[2:])
            out.append("B" + tag[1:] if broken else tag)
        return out

    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    return [sentence(n) for n in sizes], [sentence(n) for n in sizes]


def spans_of(tags: list[str], text: str) -> list[Span]:
    starts = [match.start() for match in matching._WORD.finditer(text)]
    found: list[Span] = []
    for start, tag in zip(starts, tags, strict=True):
        end = start + len(text[start:].split(" ")[0])
        if tag[0] == "B":
            found.append(Span(start, end, tag[2:], ""))
        elif tag[0] == "I":
            found[-1].end = end
    return [Span(x.start, x.end, x.label, text[x.start : x.end]) for x in found]


@given(iob())
def test_strict_and_offset_f1_equal_seqeval(tags: tuple[list[list[str]], list[list[str]]]) -> None:
    gold, predicted = tags
    assume(any(tag != "O" for sentence in (*gold, *predicted) for tag in sentence))
    texts = [" ".join(f"parola{i}" for i in range(len(sentence))) for sentence in gold]
    drawn = [
        SpanExample(str(i), "", text, spans_of(sentence, text))
        for i, (sentence, text) in enumerate(zip(gold, texts, strict=True))
    ]
    answers: Answers = {
        str(i): {"entities": [entity(x) for x in spans_of(sentence, text)]}
        for i, (sentence, text) in enumerate(zip(predicted, texts, strict=True))
    }
    found = values(task_data("arg", list(drawn)), answers)
    with warnings.catch_warnings(action="ignore"):
        peer = float(seqeval_f1(gold, predicted, mode="strict", scheme=IOB2))
    assert found["f1_offset"] == pytest.approx(peer)
    assert found["score"] == pytest.approx(peer)


@given(iob())
def test_token_f1_equals_scikit_learns_micro_f1_over_labelled_tokens(tags: tuple[list[list[str]], ...]) -> None:
    gold, predicted = ([tag.split("-")[-1] for sentence in side for tag in sentence] for side in tags)
    assume(set(gold + predicted) != {"O"})
    text = " ".join(f"parola{i}" for i in range(len(gold)))
    flat = [[tag for sentence in side for tag in sentence] for side in tags]
    example = SpanExample("e", "", text, spans_of(flat[0], text))
    data = task_data("arg", [example])
    found = values(data, {"e": {"entities": [entity(x) for x in spans_of(flat[1], text)]}})
    peer = sklearn_f1(gold, predicted, labels=["Claim", "Premise"], average="micro", zero_division=0)
    assert found["f1_token"] == pytest.approx(float(peer))


@given(st.lists(st.tuples(*[st.sampled_from(["unknown", "y", "n", "94%", ""])] * 2), min_size=1, max_size=30))
def test_official_form_f1_equals_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    peer = sklearn_f1(gold, predicted, average="macro", zero_division=0)
    assert metrics.official_form_f1(gold, predicted) == pytest.approx(float(peer))


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=5))
def test_f1_is_the_harmonic_mean_and_macro_f1_skips_labels_that_never_occur(rows: list[tuple[int, int, int]]) -> None:
    table = np.array(rows, dtype=float)
    f1 = metrics.f1(*table.T)
    p, r = metrics.precision(*table.T), metrics.recall(*table.T)
    seen = table.sum(1) > 0
    assert np.isnan(f1[~seen]).all()
    both = seen & (table[:, 0] > 0)
    assert f1[both] == pytest.approx(2 / (1 / p[both] + 1 / r[both]))
    assert f1[seen & ~both] == pytest.approx(0)
    expected = f1[seen].mean() if seen.any() else np.nan
    assert float(metrics.macro_f1(table)) == pytest.approx(float(expected), nan_ok=True)


def test_the_report_takes_plain_means_of_tasks_and_then_of_families() -> None:
    means = metrics.family_means({"a": 0.2, "b": 0.4, "c": 0.9}, {"a": "ner", "b": "ner", "c": "qa"})
    assert means == pytest.approx({"ner": 0.3, "qa": 0.9})
    assert metrics.average(means) == pytest.approx(0.6)


# --- bootstrap


def accuracies(n: int = 200, seed: int = 0) -> metrics.Array:
    """(questions, failures, right, abstained) of `n` examples, a third of them right."""
    right = np.random.default_rng(seed).random(n) < 1 / 3
    return np.stack([np.ones(n), np.zeros(n), right, np.zeros(n)], axis=1).astype(float)


def micro_f1(sums: metrics.Array) -> metrics.Array:
    return metrics.f1(sums[..., 0], sums[..., 1], sums[..., 2])


def test_bootstrap_is_deterministic_and_centred_on_the_value() -> None:
    counts = np.random.default_rng(1).integers(0, 4, (120, 3)).astype(float)
    names = [str(i) for i in range(len(counts))]
    drawn = micro_f1(metrics.bootstrap(counts, names))
    assert np.array_equal(drawn, micro_f1(metrics.bootstrap(counts, names)))
    assert not np.array_equal(drawn, micro_f1(metrics.bootstrap(counts, names, seed=1)))
    value = float(micro_f1(counts.sum(0)))
    assert drawn.mean() == pytest.approx(value, abs=3 * drawn.std() / len(drawn) ** 0.5 + 0.002)


def test_bootstrap_error_of_a_mean_is_the_textbook_one() -> None:
    counts = accuracies()
    _, errors = metrics.evaluate({"score": lambda s: s[..., 2] / s[..., 0]}, counts, [str(i) for i in range(200)])
    p = counts[:, 2].mean()
    assert errors["score"] == pytest.approx((p * (1 - p) / 200) ** 0.5, rel=0.1)


def test_bootstrap_error_of_micro_f1_agrees_with_scipy() -> None:
    counts = np.random.default_rng(2).integers(0, 5, (80, 3)).astype(float)
    _, errors = metrics.evaluate({"f1": micro_f1}, counts, [str(i) for i in range(80)], resamples=4000)
    peer = scipy.stats.bootstrap(
        tuple(counts.T),
        lambda tp, fp, fn, axis=-1: metrics.f1(tp.sum(axis), fp.sum(axis), fn.sum(axis)),
        paired=True,
        vectorized=True,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(3),
    )
    assert errors["f1"] == pytest.approx(float(peer.standard_error), rel=0.07)


def test_bootstrap_draws_whole_documents() -> None:
    """Copies within a document bring no certainty; the same copies as documents of their own would."""
    counts = accuracies(60)
    names = [f"d{i}" for i in range(60)]
    metric = {"score": lambda s: s[..., 2] / s[..., 0]}
    once = metrics.evaluate(metric, counts, names)
    twice = metrics.evaluate(metric, np.repeat(counts, 2, axis=0), np.repeat(names, 2).tolist())
    assert twice[0] == once[0]
    assert twice[1]["score"] == pytest.approx(once[1]["score"], rel=1e-9)
    apart = metrics.evaluate(metric, np.repeat(counts, 2, axis=0), [str(i) for i in range(120)])
    assert apart[1]["score"] == pytest.approx(once[1]["score"] / 2**0.5, rel=0.12)


def test_sentences_of_one_document_share_its_fate() -> None:
    data = task_data("ner", [SpanExample(f"s{i}", "d1" if i < 3 else "d2", "x", []) for i in range(5)])
    assert data.clusters == ["d1", "d1", "d1", "d2", "d2"]
    assert metrics.cluster_sums(np.arange(5.0)[:, None], data.clusters).tolist() == [[3.0], [7.0]]
    alone = task_data("ner", [SpanExample(f"s{i}", "", "x", []) for i in range(2)])
    assert alone.clusters == ["s0", "s1"]


def test_resamples_with_nothing_to_find_say_nothing_about_the_error() -> None:
    counts = np.zeros((3, 3))
    values, errors = metrics.evaluate({"f1": micro_f1}, counts, ["a", "b", "c"])
    assert (values, errors) == ({"f1": 1.0}, {"f1": 0.0})
    counts[0] = [1, 0, 0]
    values, errors = metrics.evaluate({"f1": micro_f1}, counts, ["a", "b", "c"])
    assert (values, errors) == ({"f1": 1.0}, {"f1": 0.0})


# --- missing answers and the answers' bookkeeping


def test_a_missing_answer_is_wrong_and_named() -> None:
    example = SpanExample("e1", "", "ha febbre", [Span(3, 9, "CLINENTITY", "febbre")])
    other = SpanExample("e2", "", "ha tosse", [Span(3, 8, "CLINENTITY", "tosse")])
    data = task_data("ner", [example, other])
    scores = data.score({"e1": data.gold(example), "e9": data.gold(example)})
    assert (scores.missing, scores.unknown) == (["e2"], ["e9"])
    assert scores.metrics["recall"] == 0.5
    assert scores.metrics["parse_failure"] == 0.5
    assert scores.as_dict()["score"] == scores.metrics["score"] == pytest.approx(2 / 3)


# --- defects of other scorers (docs/paper_and_crf.md §3.3, FBK's lm-eval tasks and the CL4Health script)


def fever_and_cough() -> tuple[TaskData, SpanExample]:
    text = "febbre e tosse"
    spans = [Span(0, 6, "CLINENTITY", "febbre"), Span(9, 14, "CLINENTITY", "tosse")]
    example = SpanExample("e", "", text, spans)
    return task_data("ner", [example]), example


def ner(*texts: str) -> Answer:
    return {"entities": [{"text": text, "label": "CLINENTITY"} for text in texts]}


def test_defect_surplus_predictions_are_no_hits() -> None:
    """gold {febbre, tosse}, predicted {a, b, c}: the other scorer finds both gold mentions."""
    data, _ = fever_and_cough()
    assert values(data, {"e": ner("a", "b", "c")})["score"] == 0
    found = values(data, {"e": ner("a", "b", "c", "tosse")})
    assert (found["precision"], found["recall"]) == (0.25, 0.5)


def test_defect_the_order_of_the_output_changes_no_false_positive() -> None:
    """1 gold relation, 3 predicted, 1 right: 1 or 2 false positives there, by the place of the right one."""
    example = RelationExample(
        "e", "", "Hb 9", [Span(3, 4, "RML", "9"), Span(0, 2, "EVENT", "Hb")], [Relation(0, 1, "PERTAINSTO")]
    )
    data = task_data("re, one label", [example])
    right, *wrong = ({"head": h, "label": "PERTAINSTO", "tail": t} for h, t in [("9", "Hb"), ("8", "Hb"), ("9", "GB")])
    rows = [data.count(example, {"relations": rows}) for rows in ([right, *wrong], [*wrong, right])]
    assert rows[0] == rows[1]
    assert values(data, {"e": {"relations": [*wrong, right]}})["precision"] == pytest.approx(1 / 3)


def test_defect_a_comma_is_part_of_a_mention() -> None:
    text = "nodulo di 3,5 cm e febbre"
    example = SpanExample("e", "", text, [Span(10, 16, "RML", "3,5 cm"), Span(19, 25, "CLINENTITY", "febbre")])
    data = task_data("ner", [example])
    raw = data.target(example)
    assert '"3,5 cm"' in raw
    assert values(data, {"e": data.parse(raw, example)})["f1_offset"] == 1
    halves = {"entities": [{"text": "3", "label": "RML"}, {"text": "5 cm", "label": "RML"}]}
    assert values(data, {"e": halves})["score"] == 0


def test_defect_three_wrong_pairs_where_there_is_none_are_three_false_positives() -> None:
    example = RelationExample("e", "", "sta bene", [], [])
    data = task_data("re, one label", [example])
    rows = [{"head": str(i), "label": "PERTAINSTO", "tail": "Hb"} for i in range(3)]
    tp, fp, fn = data.count(example, {"relations": rows})[2:5]
    assert (tp, fp, fn) == (0, 3, 0)
    empty = values(data, {"e": {"relations": []}})
    assert (empty["score"], values(data, {"e": {"relations": rows}})["score"]) == (1, 0)


def test_defect_wrong_pairs_cost_even_when_there_are_fewer_than_gold() -> None:
    spans = [Span(0, 2, "EVENT", "Hb"), Span(3, 4, "RML", "9")]
    example = RelationExample("e", "", "Hb 9", spans, [Relation(1, 0, "PERTAINSTO")] * 2)
    data = task_data("re, one label", [example])
    wrong = {"relations": [{"head": "8", "label": "PERTAINSTO", "tail": "Hb"}]}
    assert data.count(example, wrong)[2:5] == [0, 1, 2]


def test_defect_form_items_are_matched_by_name_and_notes_by_id() -> None:
    """The official script zips items and notes by position."""
    items = [Item("spo2", "text", [], "94%"), Item("ph", "text", [], "7.40"), Item("febbre", "text", [], "unknown")]
    notes: list[Example] = [FormExample("n1", "", "t", items), FormExample("n2", "", "t", items[::-1])]
    data = task_data("crf", notes)
    right = {"items": {"ph": "7.40", "spo2": "94%"}}
    assert values(data, {"n2": right, "n1": right})["score"] == 1
    swapped = {"items": {"spo2": "7.40", "ph": "94%"}}
    found = values(data, {"n1": swapped, "n2": swapped})
    assert (found["f1_known"], found["item_accuracy"]) == (0, pytest.approx(1 / 3))


def test_defect_a_wrong_value_is_both_a_false_positive_and_a_miss() -> None:
    """The official script counts it as neither, in the figures that it prints."""
    example = FormExample("e", "", "t", [Item("spo2", "text", [], "94%")])
    data = task_data("crf", [example])
    assert data.count(example, {"items": {"spo2": "95%"}})[5:8] == [0, 1, 1]


def test_defect_the_official_form_score_stays_reachable_without_reading_but_the_known_f1_does_not() -> None:
    items = [Item(f"i{i}", "text", [], "y" if i == 0 else "unknown") for i in range(10)]
    data = task_data("crf", [FormExample("e", "", "t", items)])
    found = values(data, {"e": {"items": {}}})
    assert found["score"] == pytest.approx((18 / 19) / 2)
    assert found["f1_known"] == 0
