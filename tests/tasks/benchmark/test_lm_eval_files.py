"""The YAML files by which lm-eval finds the tasks are made from the catalogue and the families."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from ita_med import catalogue
from ita_med.tasks.benchmark import lm_eval_files, lm_eval_hooks
from ita_med.tasks.benchmark.lm_eval_files import BY_HAND, FOLDER, NOTE, files

READY = catalogue.tasks(ready=True)


class Loader(yaml.SafeLoader):
    """Reads `!function` as the dotted path behind it."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: node.value)


def test_the_committed_files_are_those_of_the_catalogue_and_say_so() -> None:
    made = files(READY)
    there = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir() if path.name != BY_HAND}
    assert there == made
    assert all(text.splitlines()[0] == NOTE for text in made.values())


def test_a_new_task_gets_its_file_and_its_groups() -> None:
    new = replace(catalogue.task("qa_imb"), id="ita_med_qa_new", config="other", distribution="ood", max_gen_toks=7)
    before, after = files(READY), files([*READY, new])
    assert after.keys() - before.keys() == {"qa_new.yaml", "qa_new_loglikelihood.yaml"}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"_group_qa.yaml", "_group_ood.yaml", "_group_qa_loglikelihood.yaml"}
    task = yaml.load(after["qa_new.yaml"], Loader)
    assert task["generation_kwargs"] == lm_eval_files.generation_settings(new)
    assert task["generation_kwargs"]["max_gen_toks"] == 7
    assert task["metadata"]["ita_med_task"] == "ita_med_qa_new"
    assert yaml.load(after["_group_ood.yaml"], Loader)["task"][-1] == "ita_med_qa_new"


@pytest.mark.parametrize("name", sorted({task.family for task in READY}))
def test_a_family_lists_its_metrics_each_with_its_error_and_lm_eval_finds_both(name: str) -> None:
    task = next(task for task in READY if task.family == name)
    listed = yaml.load((FOLDER / f"_{name}.yaml").read_text("utf-8"), Loader)["metric_list"]
    *own, synthetic = listed
    expected = [f"{metric}{kind}" for metric in lm_eval_files.metric_names(task) for kind in ("", "_stderr")]
    assert [entry["metric"] for entry in own] == expected
    assert synthetic["metric"] == "synthetic_data"
    for entry in own:
        module, _, function = entry["aggregation"].rpartition(".")
        assert module == lm_eval_hooks.__name__
        assert callable(getattr(lm_eval_hooks, function))


@pytest.mark.parametrize("name", ["scoer", "f1_EVENT", "score_stder"])
def test_what_is_no_metric_is_no_aggregation(name: str) -> None:
    with pytest.raises(AttributeError, match="no family has such a metric"):
        getattr(lm_eval_hooks, name)
