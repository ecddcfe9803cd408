"""Families are registered once, and whoever asks for one that is not there is told so in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ita_med import catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.schema import SCHEMAS, Relation, RelationExample, Span, SpanExample
from ita_med.tasks.benchmark.task_data import load
from ita_med.tasks.families.registry import FAMILIES, family_of


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_names_a_schema_and_tasks(name: str) -> None:
    family = FAMILIES[name]
    assert set(family.names) == {"it", "en"}
    assert family.example_schema in SCHEMAS
    assert any(task.family == name for task in catalogue.tasks())


@pytest.mark.parametrize("task", catalogue.tasks(ready=True), ids=lambda task: task.id)
def test_the_score_comes_first_and_no_metric_of_a_label_takes_its_name(task: catalogue.Task) -> None:
    family = family_of(task)
    setting = family.setting(task, [])
    metrics = family.metrics(setting)
    assert next(iter(metrics)) == "score"
    assert all(metric.meaning for metric in metrics.values())
    assert not metrics.keys() & family.label_metrics(setting).keys()


def test_an_unknown_family_is_a_sentence() -> None:
    task = replace(catalogue.task("ner_e3c_all"), family="sum")
    with pytest.raises(
        ItaMedError,
        match=r'^ita_med_ner_e3c_all: no family is called "sum"; tasks/families/registry.py has ner, crf, re',
    ):
        family_of(task)


@pytest.mark.parametrize("name", ["ner_e3c_all", "re_clinkart"])
def test_a_task_without_italian_words_is_a_sentence(name: str) -> None:
    task = replace(catalogue.task(name), config="new_view")
    with pytest.raises(ItaMedError, match=r'no Italian words .* \("e3c", "new_view"\); add them to .*prompt_labels'):
        family_of(task).setting(task, [])


def test_a_label_without_an_italian_word_is_one_line() -> None:
    mention = Span(0, 4, "NUOVA", "Nota")
    message = r'label "NUOVA" of .* has no Italian word; add it to tasks/families/prompt_labels'
    for family, example in (
        ("ner", SpanExample("a", "a", "Nota", [mention])),
        ("re", RelationExample("a", "a", "Nota", [mention], [Relation(0, 0, "NUOVA")])),
    ):
        task = next(task for task in catalogue.tasks() if task.family == family)
        with pytest.raises(ItaMedError, match=message):
            FAMILIES[family].setting(task, [example])


def test_a_split_that_the_data_do_not_have_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    task = replace(catalogue.task("ita_med_ner_e3c_disorder"), eval_split="tst")
    monkeypatch.setattr(catalogue, "task", lambda name: task)
    with pytest.raises(ItaMedError, match='e3c/disorder has no split "tst", only test, train'):
        load(task.id, sources.EMBEDDED)
