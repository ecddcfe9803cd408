"""Prompts, answers and parsers of every ready task on the embedded sample: gold round trips, hostile outputs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ita_med import catalogue
from ita_med.schema import ChoiceExample, Example, FormExample, Item, Span, SpanExample
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.scoring import metrics

READY = [task.id for task in catalogue.tasks(ready=True)]
REAL = [
    n for n in READY if catalogue.dataset(catalogue.task(n).dataset).status == "ready" and n != "ita_med_crf_dyspnea"
]
"""Tasks whose upstream files are among those that the real_data tests use."""
SECONDS = 2.0
"""Of computing, the most that any one output may cost the parser and the scorer."""
ZERO = {"parse_failure", "abstained"}
EMPTY: dict[str, Any] = {"spans": [], "relations": [], "form": {}, "choice": None}
"""Schema of a family's examples -> the value that stands for nothing found."""


@pytest.fixture(params=READY)
def data(request: pytest.FixtureRequest, embedded: dict[str, TaskData]) -> TaskData:
    return embedded[request.param]


def some(data: TaskData) -> Example:
    """An example with something to find."""
    return next(e for e in data.examples if any(data.gold(e).values()))


def one(data: TaskData, example: Example, raw: str) -> dict[str, float]:
    """The metrics of a single output."""
    counts = np.array([data.count(example, data.parse(raw, example))], dtype=float)
    return metrics.evaluate(data.metrics, counts, ["e"], resamples=2)[0]


def fields(data: TaskData) -> tuple[str, Any]:
    """The key of the answer and the value that stands for nothing found."""
    target = json.loads(data.target(some(data)))
    return next(iter(target)), EMPTY[data.family.example_schema]


# --- prompts and round trips


def test_every_prompt_is_text_that_ends_where_the_answer_begins(data: TaskData) -> None:
    for example in [*data.examples, *data.train]:
        prompt = data.prompt(example)
        assert type(prompt) is str
        assert prompt.endswith("\nRisposta:")
        assert "\n\n" not in prompt
    instruction = data.instruction()
    assert instruction == instruction.strip()
    assert "JSON" in instruction


def test_the_right_answer_reads_back_and_scores_1(data: TaskData) -> None:
    answers = {e.id: data.parse(data.target(e), e) for e in data.examples}
    scores = data.score(answers)
    assert scores.metrics == {name: float(name not in ZERO) for name in scores.metrics}
    assert (scores.missing, scores.unknown, scores.n) == ([], [], len(data.examples))


def test_the_right_answer_is_one_line_of_json_in_the_shape_that_the_instruction_shows(data: TaskData) -> None:
    shape = json.loads(next(iter(objects(data.instruction()))))
    for example in [*data.examples, *data.train]:
        target = data.target(example)
        assert "\n" not in target
        assert set(json.loads(target)) == set(shape)


def objects(text: str) -> Iterator[str]:
    decoder = json.JSONDecoder()
    for at, sign in enumerate(text):
        if sign == "{":
            yield text[at : decoder.raw_decode(text, at)[1]]


def test_gold_is_an_answer_in_canonical_form_and_is_read_as_such(data: TaskData) -> None:
    for example in data.examples:
        gold = data.gold(example)
        assert data.is_answer(gold)
        assert data.parse(json.dumps(gold), example) == gold


def test_every_category_of_the_gold_is_explained_in_the_instruction(data: TaskData) -> None:
    instruction = data.instruction()
    for example in data.examples:
        for key, value in json.loads(data.target(example)).items():
            assert key in instruction
            assert all(word in instruction for row in value if isinstance(row, dict) for word in row)


WRAPPERS = {
    "fence": "```json\n{}\n```",
    "chatter": "Certo! Ecco la risposta richiesta:\n{}\nSpero che sia utile.",
    "fence in chatter": "Ecco:\n\n```json\n{}\n```\n\nNote: [1] v. testo.",
    "braces before": "Gli insiemi {{a}} e {{b, c}} non c'entrano. {}",
    "trailing line": "{}\n\nTesto: un altro paziente\nRisposta: {{}}",
    "reasoning": "<think>La lista [febbre, tosse] va controllata.</think>\n\n{}",
    "blanks": "\n \t{}\r\n",
}


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_what_stands_around_the_json_does_not_matter(data: TaskData, wrapper: str) -> None:
    for example in data.examples[:12]:
        target = data.target(example)
        plain = data.parse(target, example)
        assert plain is not None
        assert data.parse(wrapper.format(target), example) == plain
        assert data.parse(wrapper.format(json.dumps(json.loads(target), indent=2)), example) == plain
        assert data.parse(wrapper.format(json.dumps(json.loads(target))), example) == plain


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_right_answers_read_back_on_the_real_data(name: str, real_mirror: str) -> None:
    """Grounding may pick another occurrence of the same text: only what needs places may fall short of 1."""
    data = load(name, real_mirror)
    scores = data.score({e.id: data.parse(data.target(e), e) for e in data.examples})
    by_place = {"f1_offset", "f1_relaxed", "f1_token"}
    assert {k: v for k, v in scores.metrics.items() if k not in by_place} == {
        name: float(name not in ZERO) for name in scores.metrics if name not in by_place
    }
    assert all(scores.metrics[name] > 0.99 for name in by_place & set(scores.metrics))
    assert all(data.prompt(e) == data.prompt(e).strip() for e in data.examples)


# --- hostile outputs


def failures(key: str, nothing: Any, target: str) -> dict[str, str]:
    """Outputs in which there is no answer."""
    empty = json.dumps(nothing)
    return {
        "empty": "",
        "blank": " \n\t ",
        "braces": "{" * 1_000_000,
        "text": "lorem ipsum dolor " * 60_000,
        "quotes": '{"' * 500_000,
        "brackets": "[" * 100_000,
        "nested objects": '{"a":' * 100_000,
        "nested in the answer": f'{{"{key}": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "NaN": f'{{"{key}": NaN}}',
        "NaN beside the answer": f'{target[:-1]}, "sicurezza": NaN}}',
        "infinity": f'{{"{key}": [-Infinity]}}',
        "key twice": f'{{"{key}": {empty}, "{key}": {empty}}}',
        "inner key twice": f'{{"{key}": {{"a": "1", "a": "2"}}}}',
        "surrogate": "\ud800",
        "surrogates": "\udfff\ud800 " * 1000,
        "null bytes": "\x00" * 1000,
        "null byte in a string": f'{{"{key}": "feb\x00bre"}}',
        "truncated": target[:-1],
        "truncated early": target[: len(target) // 2],
        "wrong object": '{"nome": "Mario"}',
        "bare list": '["febbre", "tosse"]',
        "single quotes": target.replace('"', "'"),
        "long number": f'{{"{key}": {"9" * 10_000}}}',
        "the question again": '{"domanda": {}}',
    }


HOSTILE = list(failures("k", [], "{}"))


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_output_is_a_failure_quickly_and_worth_no_more_than_silence(data: TaskData, kind: str) -> None:
    example = some(data)
    raw = failures(*fields(data), data.target(example))[kind]
    started = time.thread_time()
    found = one(data, example, raw)
    assert time.thread_time() - started < SECONDS
    assert data.parse(raw, example) is None
    assert found == one(data, example, "")
    assert found["parse_failure"] == 1
    assert found["score"] == 0


WRONG_TYPES: dict[str, list[str]] = {
    "spans": [
        '{"%s": null}',
        '{"%s": 1}',
        '{"%s": true}',
        '{"%s": {}}',
        '{"%s": [1]}',
        '{"%s": [null]}',
        '{"%s": [["febbre"]]}',
        '{"%s": [{"text": "febbre"}]}',
        '{"%s": [], "altro": 1}',
        '{"entities": null}',
        '{"entities": {}}',
        '{"entities": ["febbre"]}',
        '{"entities": [{}]}',
        '{"entities": [{"text": "febbre"}]}',
        '{"entities": [{"text": null, "label": "EVENT"}]}',
        '{"entities": [{"text": "febbre", "label": ["EVENT"]}]}',
        '{"entities": [{"text": "febbre", "label": "EVENT", "start": 0}]}',
        '{"entities": [{"text": "febbre", "label": "EVENT", "start": -1, "end": 5}]}',
        '{"entities": [{"text": "febbre", "label": "EVENT", "start": 0, "end": 6.0}]}',
        '{"entities": [{"text": "febbre", "label": "EVENT", "start": false, "end": true}]}',
        '{"entities": [{"text": "febbre", "label": "EVENT", "start": 0, "end": 99999999999999999999}]}',
        '{"entities": [{"text": "febbre", "label": "EVENT", "score": 1}]}',
    ],
    "relations": [
        '{"%s": null}',
        '{"%s": "x"}',
        '{"%s": {}}',
        '{"%s": [1]}',
        '{"%s": ["x"]}',
        '{"%s": [null]}',
        '{"%s": [[]]}',
        '{"%s": [{}]}',
        '{"%s": [{"risultato": 1, "esame": "Hb", "evento": 1, "riferimento": "x", "relazione": "prima di"}]}',
        '{"%s": [{"risultato": "1", "esame": null, "evento": "1", "riferimento": [], "relazione": "prima di"}]}',
        '{"relations": null}',
        '{"relations": ["x"]}',
        '{"relations": [{"head": "a", "tail": "b"}]}',
        '{"relations": [{"head": "a", "label": 1, "tail": "b"}]}',
        '{"relations": [{"head": "a", "label": "x", "tail": "b", "more": ""}]}',
    ],
    "form": [
        '{"%s": null}',
        '{"%s": "x"}',
        '{"%s": 1}',
        '{"%s": []}',
        '{"%s": [{"spo2": "94%%"}]}',
        '{"%s": {"spo2": true}}',
        '{"%s": {"spo2": ["94%%"]}}',
        '{"%s": {"spo2": {"valore": "94%%"}}}',
        '{"items": null}',
        '{"items": []}',
        '{"items": {"spo2": 94}}',
        '{"items": {"spo2": null}}',
    ],
    "choice": [
        '{"%s": 1}',
        '{"%s": true}',
        '{"%s": ["B"]}',
        '{"%s": {}}',
        '{"%s": ""}',
        '{"%s": "Z"}',
        '{"%s": "AB"}',
        '{"%s": "ABCDE"}',
        '{"%s": "la seconda"}',
        '{"choice": 1}',
        '{"choice": ["B"]}',
        '{"choice": "Z"}',
    ],
}


def test_wrong_types_in_every_place_are_failures(data: TaskData) -> None:
    example, (key, _) = some(data), fields(data)
    wrong = WRONG_TYPES[data.family.example_schema]
    accepted = [raw for raw in wrong if data.parse(raw.replace("%s", key), example) is not None]
    assert accepted == []


def variants(value: Any) -> Iterator[Any]:
    """The JSON value with each of its parts replaced by something of another type, or left out."""
    yield from (None, True, 0, -1, 1e308, "", "x", "\ud800", "\x00", [], [[]], {}, {"": None})
    if isinstance(value, list):
        for i, part in enumerate(value[:3]):
            yield from ([*value[:i], other, *value[i + 1 :]] for other in variants(part))
            yield value[:i] + value[i + 1 :]
    if isinstance(value, dict):
        for key, part in list(value.items())[:4]:
            yield from (value | {key: other} for other in variants(part))
            yield {k: v for k, v in value.items() if k != key}
            yield {("\ud800" if k == key else k): v for k, v in value.items()}


@pytest.mark.parametrize("canonical", [False, True], ids=["as asked", "canonical"])
def test_no_mangled_answer_raises(data: TaskData, canonical: bool) -> None:
    example = some(data)
    right = data.gold(example) if canonical else json.loads(data.target(example))
    for mangled in variants(right):
        found = one(data, example, json.dumps(mangled))
        assert all(0 <= value <= 1 for value in found.values())


def test_lone_surrogates_and_null_characters_in_an_answer_are_only_wrong(data: TaskData) -> None:
    example, (key, nothing) = some(data), fields(data)
    silent = one(data, example, json.dumps({key: nothing}))
    for text in ("\\ud800", "\\u0000", "\\udfff\\ud800"):
        values = {"form": f'{{"{text}": "{text}"}}', "choice": f'"{text}"'}
        value = values.get(data.family.example_schema, f'["{text}"]')
        found = one(data, example, f'{{"{key}": {value}}}')
        assert found["score"] <= silent["score"]


def test_an_object_with_a_repeated_key_among_thousands_is_refused_quickly(embedded: dict[str, TaskData]) -> None:
    """All families read JSON through the same function; up to 49 levels could stand around the object."""
    data = embedded["ita_med_ner_e3c_disorder"]
    pairs = ",".join(f'"{i}":0' for i in range(18_000))
    raw = '{"a":{' + pairs + ',"17999":0}}'
    started = time.thread_time()
    assert data.parse(raw, data.examples[0]) is None
    assert time.thread_time() - started < SECONDS


def test_a_model_that_repeats_itself_for_ever_is_counted_quickly(data: TaskData) -> None:
    example = max(data.examples, key=lambda e: len(data.prompt(e)))
    target = json.loads(data.target(some(data)))
    (key, value) = next((k, v) for k, v in target.items() if v)
    unit = value if not isinstance(value, list) else value[0]
    times = 150_000 // (len(json.dumps(unit)) + 2)
    endless = {key: [unit] * times if isinstance(value, list) else unit}
    started = time.thread_time()
    found = one(data, example, json.dumps(endless, ensure_ascii=False))
    assert time.thread_time() - started < SECONDS
    assert found["parse_failure"] == 0


# --- families


def mention_task(embedded: dict[str, TaskData]) -> tuple[TaskData, SpanExample]:
    task = embedded["ita_med_ner_e3c_all"].task
    spans = [Span(22, 24, "EVENT", "PA"), Span(0, 6, "CLINENTITY", "febbre")]
    example = SpanExample("e", "", "febbre e PAZIENTE con PA 120", spans)
    return TaskData(task, [example], [], "test"), example


def test_a_key_that_is_no_category_is_a_wrong_mention_not_a_failure(embedded: dict[str, TaskData]) -> None:
    data, example = mention_task(embedded)
    found = one(data, example, '{"evento": ["PA"], "farmaco": ["febbre"]}')
    assert (found["precision"], found["recall"], found["parse_failure"]) == (0.5, 0.5, 0)


def test_each_label_has_an_f1_of_its_own(embedded: dict[str, TaskData]) -> None:
    data, example = mention_task(embedded)
    found = one(data, example, '{"evento": ["PA"], "disturbo": ["tosse"]}')
    assert (found["f1_EVENT"], found["f1_CLINENTITY"], found["f1_macro"], found["score"]) == (1, 0, 0.5, 0.5)


def test_a_mention_is_grounded_as_a_whole_word(embedded: dict[str, TaskData]) -> None:
    data, example = mention_task(embedded)
    assert one(data, example, '{"evento": ["PA"], "disturbo": "febbre"}')["f1_offset"] == 1


def test_a_place_given_twice_is_right_once(embedded: dict[str, TaskData]) -> None:
    data, example = mention_task(embedded)
    rows = [{"text": "PA", "label": "EVENT", "start": 22, "end": 24}] * 2
    found = one(data, example, json.dumps({"entities": rows}))
    assert (found["score"], found["f1_offset"], found["f1_relaxed"]) == (0.5, 0.5, 0.5)


def test_blanks_inside_a_mention_do_not_matter() -> None:
    text = "nodulo di 3,5\r\n cm"
    example = SpanExample("e", "", text, [Span(10, 18, "RML", text[10:])])
    data = TaskData(catalogue.task("ner_e3c_all"), [example], [], "test")
    assert data.target(example).count("3,5 cm") == 1
    for mention in ("3,5 cm", "3,5  cm", " 3,5\\ncm "):
        found = one(data, example, f'{{"risultato": ["{mention}"]}}')
        assert (found["score"], found["f1_offset"]) == (1, 1)


def test_text_alone_makes_the_headline_and_offsets_make_the_rest(embedded: dict[str, TaskData]) -> None:
    data, example = mention_task(embedded)
    found = one(data, example, '{"entities": [{"text": "PA", "label": "EVENT", "start": 9, "end": 11}]}')
    half = pytest.approx(2 / 3)
    assert (found["score"], found["f1_offset"], found["f1_relaxed"]) == (half, 0, 0)
    near = one(data, example, '{"evento": ["con PA"]}')
    assert (near["score"], near["f1_offset"], near["f1_relaxed"]) == (0, 0, half)


def test_a_relation_word_that_is_not_offered_is_a_wrong_label(embedded: dict[str, TaskData]) -> None:
    data = embedded["ita_med_re_e3c_temporal"]
    example = some(data)
    target = json.loads(data.target(example))
    for row in target["relazioni"]:
        row["relazione"] = "accanto a"
    found = one(data, example, json.dumps(target))
    assert (found["score"], found["f1_unlabelled"], found["parse_failure"]) == (0, 1, 0)


def question(options: int = 5) -> tuple[TaskData, ChoiceExample]:
    example = ChoiceExample("q", "Quale?", list("vwxyz"[:options]), 1)
    return TaskData(catalogue.task("qa_med_ita"), [example], [], "test"), example


@pytest.mark.parametrize(
    "raw",
    [
        *["B", "B)", "(B)", " B\n", "B.", "B: y", "B) y", "(B) y", "B\nPerché y"],
        *['{"risposta": "B"}', '{"risposta": "b"}', '{"risposta": " B "}', '{"choice": "B"}'],
    ],
)
def test_a_letter_is_an_answer(raw: str) -> None:
    data, example = question()
    assert data.parse(raw, example) == {"choice": "B"}


@pytest.mark.parametrize(
    "raw",
    [
        *["A mio parere la B", "A\u00a0mio avviso", "E' la C", "È la B", "E la risposta è B", "E, direi", "C'è dubbio"],
        *["La risposta è B", "Bene", "Bradicardia", "AB", "B C", "B e C", "F", "F)"],
    ],
)
def test_a_word_is_no_letter(raw: str) -> None:
    data, example = question()
    assert data.parse(raw, example) is None


@pytest.mark.parametrize("raw", ["E. coli", "C. difficile", "B. burgdorferi è l'agente"])
def test_a_germ_is_no_letter(raw: str) -> None:
    data, example = question()
    assert data.parse(raw, example) is None


def test_only_the_letters_of_the_options_are_answers() -> None:
    data, example = question(3)
    assert data.parse("C", example) == {"choice": "C"}
    assert [data.parse(raw, example) for raw in ("D", '{"risposta": "D"}', '{"risposta": "ABC"}')] == [None] * 3


def test_null_abstains_and_is_wrong_but_no_failure() -> None:
    data, example = question()
    for raw in ('{"risposta": null}', '{"choice": null}'):
        assert data.parse(raw, example) == {"choice": None}
        found = one(data, example, raw)
        assert (found["score"], found["abstained"], found["parse_failure"]) == (0, 1, 0)
    more = TaskData(data.task, [replace(example, id=str(i)) for i in range(4)], [], "test")
    answers = {"0": {"choice": "B"}, "1": {"choice": "A"}, "2": {"choice": None}, "3": None}
    scores = more.score(answers).metrics
    assert scores == {"score": 0.25, "accuracy_answered": 0.5, "abstained": 0.25, "parse_failure": 0.25}


def form() -> tuple[TaskData, FormExample]:
    items = [
        Item("spo2", "text", [], "94"),
        Item("ph", "text", [], "7.40"),
        Item("dispnea", "categorical", ["y", "n"], "unknown"),
        Item("tosse", "categorical", ["y", "n"], "n"),
    ]
    example = FormExample("f", "", "SpO2 94, pH 7.40, non tosse", items)
    return TaskData(catalogue.task("crf_dyspnea"), [example], [], "test"), example


def test_numbers_are_values() -> None:
    data, example = form()
    assert data.parse('{"scheda": {"spo2": 94, "x": 0, "y": -1.5}}', example) == {
        "items": {"spo2": "94", "x": "0", "y": "-1.5"}
    }


def test_numbers_are_taken_as_they_were_written() -> None:
    data, example = form()
    assert data.parse('{"scheda": {"ph": 7.40}}', example) == {"items": {"ph": "7.40"}}


@pytest.mark.parametrize("unknown", ["null", '""', '"unknown"', '"non noto"', '" "'])
def test_unknown_can_be_said_in_several_ways_or_not_at_all(unknown: str) -> None:
    data, example = form()
    silent = data.count(example, data.parse('{"scheda": {}}', example))
    assert data.count(example, data.parse(f'{{"scheda": {{"spo2": {unknown}}}}}', example)) == silent
    assert silent[1] == 0


def test_items_that_the_form_does_not_have_are_ignored() -> None:
    data, example = form()
    right = data.target(example)
    more = json.dumps({"scheda": json.loads(right)["scheda"] | {"altezza": "180 cm", "peso": 80}})
    assert data.count(example, data.parse(more, example)) == data.count(example, data.gold(example))
    assert one(data, example, more)["score"] == 1


def test_normalised_values_are_an_extra_and_change_nothing_else() -> None:
    items = [Item("hb", "text", [], "9,5 g/dl")]
    example = FormExample("f", "", "t", items)
    data = TaskData(catalogue.task("crf_dyspnea"), [example], [], "test")
    found = one(data, example, '{"scheda": {"hb": "9.5 G/dL"}}')
    assert (found["f1_known"], found["f1_known_normalised"], found["score"]) == (0, 1, 0)


def test_a_failure_earns_nothing_for_the_items_that_are_unknown() -> None:
    data, example = form()
    assert one(data, example, "")["score"] == 0 < one(data, example, '{"scheda": {}}')["score"]
