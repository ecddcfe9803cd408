"""The catalogue: a bad row is one line, and tasks can be built."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import pytest

from ita_med import catalogue
from ita_med.dataset_builders import build
from ita_med.errors import ItaMedError
from ita_med.tasks.families.registry import FAMILIES, family_of

TEXT = (files("ita_med") / "catalogue.toml").read_text("utf-8")
TEMPLATE = "\n".join(
    line.removeprefix("#     ") for line in TEXT.split("\n# -----")[0].splitlines() if "#     " in line
)
"""The rows at the top of catalogue.toml that show all keys."""


def template(**changes: str) -> str:
    """The template rows with other values; a value that is empty takes the key out."""
    text = TEMPLATE
    for key, value in changes.items():
        text, n = re.subn(rf"^{key} = (\"[^\"]*\"|\S+)", f"{key} = {value}" if value else "", text, count=1, flags=re.M)
        assert n == 1, key
    return text


def test_the_template_at_the_top_shows_every_key() -> None:
    found = catalogue.parse(TEMPLATE, "x.toml")
    assert list(found.datasets) == ["my_dataset"]
    assert list(found.tasks) == ["ita_med_ner_my_task"]
    rows = tomllib.loads(TEMPLATE)
    assert list(rows["dataset"][0]) == [field.name for field in fields(catalogue.Dataset)]
    assert list(rows["task"][0]) == [field.name for field in fields(catalogue.Task)]


DATASET, TASK = "x.toml, dataset my_dataset: ", "x.toml, task ita_med_ner_my_task: "
BAD_ROWS = [
    (template(note=""), f"{DATASET}note is missing"),
    (template(note='"One sentence."\nnotes = "two"'), f'{DATASET}unknown key "notes", did you mean "note"'),
    (template(commercial='"no"'), f"{DATASET}commercial is 'no', expected bool"),
    (template(families='"ner, re"'), f"{DATASET}families is 'ner, re', expected a list"),
    (
        template(families='["NER"]'),
        f"{DATASET}families, entry 1 is 'NER', expected one of ner, re, crf",
    ),
    (template(families="[]"), f"{DATASET}families names each family once, and one at least"),
    (template(status='"Ready"'), f"{DATASET}status is 'Ready', expected one of ready, unverified"),
    (template(access='"Open"'), f"{DATASET}access is 'Open', expected one of open, gated"),
    (template(origin='"italian"'), f"{DATASET}origin is 'italian', expected one of native"),
    (
        template(licence='"CC-BY-4.0"'),
        f'{DATASET}licence "CC-BY-4.0" is not known; write it as one of Apache-2.0, CC BY',
    ),
    (template(licence='"MIT (README) / BSD"'), f'{DATASET}licence "BSD" is not known'),
    (template(licence='"CC BY-NC 4.0"', commercial="true"), f"{DATASET}commercial is true, but its licence does not"),
    (template(licence='"not stated"', commercial="true"), f"{DATASET}commercial is true, but its licence does not"),
    (template(homepage='"http://x.it"'), f'{DATASET}homepage is "http://x.it", expected https'),
    (template(size='""'), f"{DATASET}size is empty"),
    (template(size='" 3 "'), f"{DATASET}size has space around it"),
    (template(reason=""), f'{DATASET}reason and ask go with the status "unavailable"'),
    (template(status='"ready"'), f'{DATASET}reason and ask go with the status "unavailable"'),
    (template(id='"My-Dataset"'), "x.toml, dataset My-Dataset: id is made of lower-case letters"),
    (template(id=""), "x.toml, dataset 1: id is missing"),
    (template(id="3"), "x.toml, dataset 3: id is 3, expected str"),
    (f"{TEMPLATE}\n{TEMPLATE}", f"{DATASET}there is another row with this id"),
    (template(dataset='"my_datast"'), f'{TASK}no dataset is called "my_datast", did you mean "my_dataset"'),
    (template(family='"NER"'), f"{TASK}family is 'NER', expected one of ner, re, crf, qa, arg"),
    (template(family='"qa"'), f'{TASK}its family "qa" is none of the dataset my_dataset: ner'),
    (template(distribution='"in"'), f"{TASK}distribution is 'in', expected one of id, ood"),
    (template(shots='"train"'), f'{TASK}shots is "train", expected CONFIG/SPLIT'),
    (template(shots='""'), f"{TASK}shots is empty"),
    (template(shots='"mentions/test"'), f"{TASK}shots and evaluation are the same split"),
    (template(max_gen_toks="0"), f"{TASK}max_gen_toks is 0, expected at least 1"),
    (template(config=""), f"{TASK}config is missing"),
    (
        TEMPLATE.replace('"planned"         #', '"ready"         #'),
        f"{TASK}it is ready, but its dataset my_dataset is un",
    ),
    (TEMPLATE.replace("[[task]]", "[[tasks]]"), "x.toml: unknown table [[tasks]]; known: [[dataset]], [[task]]"),
    ("[[dataset]\n", "x.toml is no TOML ("),
    ("dataset = [3]", "x.toml, dataset 1: expected keys and values"),
]


@pytest.mark.parametrize(("text", "message"), BAD_ROWS)
def test_a_bad_row_is_one_line_with_its_id(text: str, message: str) -> None:
    with pytest.raises(ItaMedError) as error:
        catalogue.parse(text, "x.toml")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_the_words_for_families_are_those_that_are_registered() -> None:
    assert set(catalogue.FAMILIES) == set(FAMILIES)


def test_every_row_is_read() -> None:
    assert len(catalogue.datasets()) == len(re.findall(r"^\[\[dataset\]\]", TEXT, re.M))
    assert len(catalogue.tasks()) == len(re.findall(r"^\[\[task\]\]", TEXT, re.M))


def test_tasks_in_distribution_come_first_and_the_others_after_them() -> None:
    kinds = [task.distribution for task in catalogue.tasks()]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"id", "ood"}


def test_every_family_has_tasks_of_both_kinds() -> None:
    """AVG is the mean of all families, in distribution and out of it."""
    kinds = Counter((task.family, task.distribution) for task in catalogue.tasks())
    assert set(kinds) == {(family, kind) for family in FAMILIES for kind in ("id", "ood")}


@pytest.mark.parametrize("task", catalogue.tasks(), ids=lambda task: task.id)
def test_a_task_is_named_by_its_family(task: catalogue.Task) -> None:
    assert task.family in task.id.split("_")
    assert task.shots.partition("/")[2] in ("train", "validation")


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
    if entry.status != "unavailable":
        return
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
