"""Few-shot examples: drawn once, from the training split, never an evaluated text."""

from __future__ import annotations

import pytest

from ita_med import catalogue
from ita_med.schema import SpanExample
from ita_med.tasks.benchmark.lm_eval_hooks import documents
from ita_med.tasks.benchmark.task_data import MAX_SHOTS, TaskData, draw_shots, load

READY = [task.id for task in catalogue.tasks(ready=True)]
REAL = [
    n for n in READY if catalogue.dataset(catalogue.task(n).dataset).status == "ready" and n != "ita_med_crf_dyspnea"
]
"""Tasks whose upstream files are among those that the real_data tests use."""
NUMBER = {"ita_med_qa_med_ita": 5}
"""Shots of each task, if not `MAX_SHOTS`."""


@pytest.fixture(params=READY)
def data(request: pytest.FixtureRequest, embedded: dict[str, TaskData]) -> TaskData:
    return embedded[request.param]


def test_every_task_has_its_shots(data: TaskData) -> None:
    assert len(data.shots) == NUMBER.get(data.task.id, 8)


def test_there_are_never_more_than_eight(data: TaskData) -> None:
    assert MAX_SHOTS == 8
    assert len(data.shots) <= MAX_SHOTS


def test_shots_are_the_same_in_every_draw_and_every_load(data: TaskData) -> None:
    drawn = [shot.id for shot in data.shots]
    assert [shot.id for shot in draw_shots(data)] == drawn
    assert [shot.id for shot in load(data.task.id, "embedded").shots] == drawn


def test_shots_do_not_depend_on_the_order_or_number_of_the_evaluated_documents(data: TaskData) -> None:
    fewer = TaskData(data.task, data.examples[::-2], data.train, data.source)
    assert [shot.id for shot in draw_shots(fewer)] == [shot.id for shot in data.shots]


def test_shots_are_distinct_training_examples_and_no_evaluated_text(data: TaskData) -> None:
    ids = [shot.id for shot in data.shots]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= {example.id for example in data.train}
    assert all(shot.split == data.task.shots.split("/")[1] for shot in data.shots)
    assert not {data.prompt(shot) for shot in data.shots} & {data.prompt(example) for example in data.examples}
    documents = {example.doc_id for example in data.examples} - {""}
    assert not {shot.doc_id for shot in data.shots} & documents


def test_most_shots_hold_something_to_find(data: TaskData) -> None:
    filled = [any(data.gold(shot).values()) for shot in data.shots]
    assert sum(filled) >= 0.7 * len(filled)
    assert filled[0]


def test_the_harness_hands_out_the_shots_in_their_order(data: TaskData) -> None:
    """A k-shot prompt takes the first k of this split (`first_n`), see test_lm_eval.py."""
    rows = documents(data.task.id, "embedded")["shots"]
    assert rows["id"] == [shot.id for shot in data.shots]
    assert rows["target"] == [data.target(shot) for shot in data.shots]


def test_an_evaluated_text_in_the_training_split_is_never_a_shot(embedded: dict[str, TaskData]) -> None:
    data = embedded["ita_med_ner_e3c_disorder"]
    leaked = [SpanExample(f"x{e.id}", "", e.text, e.spans) for e in data.examples if isinstance(e, SpanExample)]
    mixed = TaskData(data.task, data.examples, [*leaked, *data.train], data.source)
    assert {shot.id for shot in mixed.shots} <= {example.id for example in data.train}
    assert TaskData(data.task, data.examples, list(leaked), data.source).shots == []


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_shots_of_the_real_data(name: str, real_mirror: str) -> None:
    data = load(name, real_mirror)
    test_every_task_has_its_shots(data)
    test_shots_are_distinct_training_examples_and_no_evaluated_text(data)
    test_most_shots_hold_something_to_find(data)
