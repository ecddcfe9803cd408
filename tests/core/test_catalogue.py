"""The catalogue: complete rows, agreed words, and tasks that can be built."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from ita_med import catalogue
from ita_med.dataset_builders import build
from ita_med.errors import ItaMedError
from ita_med.tasks.families.registry import FAMILIES, family_of

ACCESS = {"open", "gated", "on request", "not stated"}
ORIGIN = {"native", "machine-translated", "projected", "silver", "synthetic", "not stated"}
STATUS = {"ready", "unverified", "unavailable", "planned"}


@pytest.mark.parametrize("entry", catalogue.datasets(), ids=lambda entry: entry.id)
def test_dataset_row_is_complete(entry: catalogue.Dataset) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", entry.id)
    for field in ("name", "status", "licence", "access", "origin", "size", "homepage", "source", "citation", "note"):
        value = getattr(entry, field)
        assert isinstance(value, str), field
        assert value.strip() or field == "source", field
        assert value == value.strip(), field
        assert "\n" not in value, field
    assert entry.status in STATUS
    assert entry.access in ACCESS
    assert entry.origin in ORIGIN
    assert type(entry.commercial) is bool
    assert entry.families
    assert set(entry.families) <= {*FAMILIES, "corpus"}
    assert len(set(entry.families)) == len(entry.families)
    assert entry.homepage.startswith("https://")


@pytest.mark.parametrize("entry", catalogue.datasets(), ids=lambda entry: entry.id)
def test_commercial_use_is_never_claimed_against_the_licence(entry: catalogue.Dataset) -> None:
    if re.search(r"\bNC\b|not stated", entry.licence):
        assert not entry.commercial


def test_dataset_ids_are_unique() -> None:
    ids = [entry.id for entry in catalogue.datasets()]
    assert len(set(ids)) == len(ids) == catalogue_text().count("[[dataset]]")


def test_task_ids_are_unique() -> None:
    ids = [task.id for task in catalogue.tasks()]
    assert len(set(ids)) == len(ids) == catalogue_text().count("[[task]]")


def catalogue_text() -> str:
    return (files("ita_med") / "catalogue.toml").read_text("utf-8")


def test_tasks_in_distribution_come_first_and_the_others_after_them() -> None:
    kinds = [task.distribution for task in catalogue.tasks()]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"id", "ood"}


def test_every_family_has_tasks_of_both_kinds() -> None:
    """AVG is the mean of all families, in distribution and out of it."""
    kinds = Counter((task.family, task.distribution) for task in catalogue.tasks())
    assert set(kinds) == {(family, kind) for family in FAMILIES for kind in ("id", "ood")}


@pytest.mark.parametrize("task", catalogue.tasks(), ids=lambda task: task.id)
def test_task_row_is_complete(task: catalogue.Task) -> None:
    for field in ("id", "dataset", "config", "family", "distribution", "status", "eval_split", "headline", "title"):
        assert getattr(task, field).strip(), field
    assert task.family in task.id.split("_")
    assert task.family in catalogue.dataset(task.dataset).families
    assert task.status in STATUS
    assert task.max_gen_toks > 0
    if task.shots:
        config, _, split = task.shots.partition("/")
        assert config
        assert split in ("train", "validation")
        assert task.shots != f"{task.config}/{task.eval_split}"


@pytest.mark.parametrize("task", catalogue.tasks(ready=True), ids=lambda task: task.id)
def test_ready_task_can_be_built(task: catalogue.Task) -> None:
    assert catalogue.dataset(task.dataset).status in ("ready", "unverified")
    module = build.builder(task.dataset)
    assert module.CONFIGS[task.config] == family_of(task).example_schema
    assert task.shots.partition("/")[0] in module.CONFIGS


def test_ready_datasets_have_builders_and_the_others_have_none() -> None:
    folders = {path.parent for path in (Path(build.__file__).parent / "datasets").glob("*/sample")}
    assert folders == {build.folder(entry.id) for entry in catalogue.datasets() if entry.has_builder}


@pytest.mark.parametrize("name", [entry.id for entry in catalogue.datasets() if entry.status == "planned"])
def test_planned_dataset_says_so(name: str) -> None:
    with pytest.raises(ItaMedError, match=f"^{name}: .*planned"):
        build.builder(name)


@pytest.mark.parametrize("entry", catalogue.datasets(), ids=lambda entry: entry.id)
def test_unavailable_dataset_says_why_and_where_to_ask(entry: catalogue.Dataset) -> None:
    assert bool(entry.reason) == bool(entry.ask) == (entry.status == "unavailable")
    if entry.status != "unavailable":
        return
    assert "\n" not in entry.reason + entry.ask
    assert re.search(r"https://\S+|\S+@\S+", entry.ask)
    with pytest.raises(ItaMedError) as error:
        build.builder(entry.id)
    assert str(error.value) == f"{entry.id} is unavailable: {entry.reason}; {entry.ask}"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("e3", "e3c"), ("abstract", "abstrct"), ("med-ita", "med_ita"), ("casimedicos", "casimedicos_arg")],
)
def test_the_nearest_dataset_is_suggested(wrong: str, right: str) -> None:
    with pytest.raises(ItaMedError, match=f'no dataset is called "{wrong}"; did you mean "{right}"'):
        catalogue.dataset(wrong)


def test_a_far_name_gets_no_suggestion() -> None:
    with pytest.raises(ItaMedError, match='no dataset is called "xyz" '):
        catalogue.dataset("xyz")


def test_a_task_is_found_with_and_without_its_prefix() -> None:
    assert catalogue.task("ner_e3c_all") is catalogue.task("ita_med_ner_e3c_all")


@pytest.mark.parametrize("wrong", ["ner_e3c_al", "ita_med_ner_e3c_al"])
def test_the_nearest_task_is_suggested(wrong: str) -> None:
    with pytest.raises(ItaMedError, match='did you mean "ita_med_ner_e3c_all"'):
        catalogue.task(wrong)
