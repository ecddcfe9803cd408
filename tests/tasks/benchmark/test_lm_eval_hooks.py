"""The tasks inside lm-evaluation-harness: what its own task tests demand, prompts, groups, and equal scores."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from ita_med import catalogue, checksums, sources
from ita_med.dataset_builders import build
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark import groups, lm_eval_hooks
from ita_med.tasks.benchmark.lm_eval_files import FOLDER
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.families.registry import FAMILIES

pytestmark = pytest.mark.slow

READY = [task.id for task in catalogue.tasks(ready=True)]
COLUMNS = ["id", "task", "data", "instruction", "prompt", "target"]
GROUPS = groups.groups(catalogue.tasks(ready=True))


def manager(**metadata: str) -> TaskManager:
    return TaskManager(include_path=str(FOLDER), include_defaults=False, metadata=metadata)


@pytest.fixture(autouse=True)
def _embedded_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.MIRROR_VARIABLE, sources.EMBEDDED)


@pytest.fixture(scope="module")
def tasks() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(sources.MIRROR_VARIABLE, sources.EMBEDDED)
        yield manager().load(["ita_med"])["tasks"]


@pytest.fixture(params=READY)
def task(request: pytest.FixtureRequest, tasks: dict[str, Any]) -> Any:
    return tasks[request.param]


def prompts(task: Any, shots: int = 0, **options: Any) -> list[str]:
    """The prompts of the first ten documents."""
    before = task.config.num_fewshot
    task.set_config("num_fewshot", shots)
    task.build_all_requests(**{"limit": 10, "rank": 0, "world_size": 1} | options)
    task.set_config("num_fewshot", before)
    return [instance.args[0] for instance in task.instances]


# --- what lm-eval's tests/test_tasks.py demands


def test_the_config_loads_and_names_the_task_of_the_catalogue(task: Any) -> None:
    assert task.config.task == task.config.metadata["ita_med_task"]
    assert task.config.metadata["version"] == task.VERSION
    assert task.config.output_type == "generate_until"
    assert task.config.num_fewshot is None  # 0 in the YAML would block --num_fewshot


def test_download_works_twice(task: Any) -> None:
    docs = list(task.test_docs())
    task.download(task.config.dataset_kwargs)
    task.download(task.config.dataset_kwargs)
    assert list(task.test_docs()) == docs


def test_there_are_at_least_ten_documents_and_only_a_test_split(task: Any) -> None:
    assert task.has_test_docs()
    assert not task.has_training_docs()
    assert not task.has_validation_docs()
    assert len(task.eval_docs) >= 10
    assert task.eval_docs.features is not None


def test_texts_and_targets_are_strings_and_no_text_ends_in_blanks(task: Any) -> None:
    for doc in task.eval_docs:
        text, target = task.doc_to_text(doc), task.doc_to_target(doc)
        assert type(text) is type(target) is str
        assert text == doc["prompt"]
        assert text == text.rstrip()
        assert target == doc["target"] == target.strip()


@pytest.mark.parametrize(("rank", "size"), [(0, 1), (1, 1), (0, 2), (1, 2)])
def test_requests_are_built_alike_by_two_managers(task: Any, rank: int, size: int) -> None:
    other = manager().load([task.task_name])["tasks"][task.task_name]
    mine = prompts(task, 2, rank=rank, world_size=size)
    assert mine == prompts(task, 2, rank=rank, world_size=size) == prompts(other, 2, rank=rank, world_size=size)
    assert mine == prompts(task, 2)[rank::size]
    assert all(isinstance(instance, Instance) for instance in task.instances)


def test_documents_show_no_gold_but_the_target(task: Any) -> None:
    assert list(task.eval_docs.features) == COLUMNS
    assert list(task.fewshot_docs().features) == COLUMNS
    assert {data.partition(":")[0] for data in task.eval_docs["data"]} == {"embedded"}


# --- prompts


def test_zero_shot_prompts_are_instruction_and_text(task: Any, embedded: dict[str, TaskData]) -> None:
    data = embedded[task.task_name]
    expected = [f"{data.instruction()}\n\n{data.prompt(example)}" for example in data.examples[:10]]
    assert prompts(task) == expected
    assert all(prompt.endswith("\nRisposta:") for prompt in expected)


@pytest.mark.parametrize("shots", [2, 8])
def test_few_shot_prompts_hold_the_first_shots_in_order(task: Any, shots: int, embedded: dict[str, TaskData]) -> None:
    """All shots of a task that has fewer (MED-ITA)."""
    data = embedded[task.task_name]
    shown = [f"{data.prompt(shot)} {data.target(shot)}" for shot in data.shots[:shots]]
    assert prompts(task, shots) == [
        "\n\n".join([data.instruction(), *shown, data.prompt(example)]) for example in data.examples[:10]
    ]


def chat(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    assert add_generation_prompt
    return json.dumps(messages)


@pytest.mark.parametrize("shots", [0, 2])
def test_a_chat_has_the_instruction_as_system_turn_and_shots_as_turns(
    task: Any, shots: int, embedded: dict[str, TaskData]
) -> None:
    data = embedded[task.task_name]
    options = {"apply_chat_template": True, "fewshot_as_multiturn": True, "chat_template": chat}
    for example, prompt in zip(data.examples, prompts(task, shots, **options), strict=False):
        system, *turns = json.loads(prompt)
        assert (system["role"], system["content"].strip()) == ("system", data.instruction())
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * shots + ["user"]
        said = [turn["content"] for turn in turns]
        assert said[-1] == data.prompt(example)
        assert said[:-1] == [text for shot in data.shots[:shots] for text in (data.prompt(shot), data.target(shot))]


def test_generation_stops_where_a_base_model_would_begin_the_next_example(task: Any) -> None:
    (stop,) = task.config.generation_kwargs["until"]
    for doc in task.eval_docs:
        assert f"\n{doc['prompt']}".startswith((stop, "\nContesto:"))
        assert stop not in doc["target"]


def test_answers_are_never_drawn(task: Any) -> None:
    """Without `do_sample`, lm-eval leaves the temperature to vLLM, whose own is 1."""
    from lm_eval.models.utils import normalize_gen_kwargs

    assert normalize_gen_kwargs(dict(task.config.generation_kwargs))["temperature"] == 0.0


# --- groups and the catalogue


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_reaches_each_of_its_tasks_once(name: str) -> None:
    group = manager().load([name])["groups"][name]
    expected = [task.id for task in GROUPS[name]]
    assert sorted(task.task_name for task in group.get_all_tasks()) == sorted(expected)
    assert expected


def test_every_ready_task_has_a_yaml_and_the_other_way_round() -> None:
    names = [name for name in manager().all_tasks if not name.endswith("_loglikelihood")]
    assert sorted(set(names) - set(GROUPS)) == sorted(READY)
    assert set(GROUPS) <= set(names)
    own = {path.name for path in FOLDER.glob("*.yaml") if not path.name.startswith("_") and "_loglik" not in path.name}
    assert own == {f"{name.removeprefix('ita_med_')}.yaml" for name in READY}


# --- evaluation


class Scripted(LM):
    """A model that answers each document with what `answer` says."""

    def __init__(self, answer: Callable[[dict[str, str]], str]) -> None:
        super().__init__()
        self.answer = answer

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        return [self.answer(request.doc) for request in requests]

    def loglikelihood(self, requests: list[Instance]) -> Any:
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


def evaluate(model: LM | str, names: list[str], **options: Any) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(sources.MIRROR_VARIABLE, sources.EMBEDDED)
        found = simple_evaluate(model=model, tasks=names, **{"task_manager": manager()} | options)  # type: ignore[arg-type]
    assert found is not None
    return dict(found)


def clumsy(embedded: dict[str, TaskData]) -> dict[tuple[str, str], str]:
    """Outputs that are right, right for the neighbour, or broken, in turn."""
    raw: dict[tuple[str, str], str] = {}
    for name, data in embedded.items():
        right = [data.target(example) for example in data.examples]
        for i, example in enumerate(data.examples):
            raw[name, example.id] = [right[i], f"Ecco: {right[i - 1]}", right[i], right[i][:-1]][i % 4]
    return raw


@pytest.fixture(scope="module")
def dummy() -> dict[str, Any]:
    return evaluate("dummy", ["ita_med"])


@pytest.fixture(scope="module")
def scored(embedded: dict[str, TaskData]) -> dict[str, Any]:
    raw = clumsy(embedded)
    return evaluate(Scripted(lambda doc: raw[doc["task"], doc["id"]]), ["ita_med"])


def test_every_task_has_a_score_and_an_error_and_says_that_the_data_are_synthetic(dummy: dict[str, Any]) -> None:
    for name in READY:
        row = dummy["results"][name]
        assert type(row["score,none"]) is type(row["score_stderr,none"]) is float
        assert row["synthetic_data,none"] == 1.0
        assert row["parse_failure,none"] == 1.0
        assert dummy["n-samples"][name]["original"] == dummy["n-samples"][name]["effective"]


def test_every_metric_has_a_numeric_error(scored: dict[str, Any]) -> None:
    for name in READY:
        row = scored["results"][name]
        metrics = {key.split(",")[0] for key in row if key.endswith(",none")}
        metrics = {key for key in metrics if not key.endswith("_stderr")}
        assert all(type(row[f"{key}_stderr,none"]) is float for key in metrics)
        assert {"score", "parse_failure", "synthetic_data"} <= metrics


def test_logged_documents_hold_no_gold_but_the_target(dummy: dict[str, Any]) -> None:
    for name in READY:
        assert all(list(sample["doc"]) == COLUMNS for sample in dummy["samples"][name])


def test_a_model_that_knows_the_targets_scores_1_everywhere() -> None:
    found = evaluate(Scripted(lambda doc: f" {doc['target']}"), ["ita_med"], log_samples=False)
    for name in READY:
        row = found["results"][name]
        assert (row["score,none"], row["score_stderr,none"], row["parse_failure,none"]) == (1.0, 0.0, 0.0)


def test_lm_eval_and_our_own_scorer_agree_on_every_metric(
    scored: dict[str, Any], embedded: dict[str, TaskData]
) -> None:
    raw = clumsy(embedded)
    for name, data in embedded.items():
        scores = data.score({e.id: data.parse(raw[name, e.id], e) for e in data.examples})
        assert 0 < scores.metrics["score"] < 1
        row = scored["results"][name]
        shared = [key for key in scores.metrics if f"{key},none" in row]
        assert {key: row[f"{key},none"] for key in shared} == pytest.approx({k: scores.metrics[k] for k in shared})
        assert {key: row[f"{key}_stderr,none"] for key in shared} == pytest.approx(
            {key: scores.stderr[key] for key in shared}
        )
        assert set(scores.metrics) - set(shared) <= {f"f1_{label}" for label in getattr(data.setting, "labels", [])}


def test_a_family_is_the_plain_mean_of_its_tasks_and_the_top_prints_no_mean(scored: dict[str, Any]) -> None:
    results = scored["results"]
    for family in FAMILIES:
        own = [results[task.id]["score,none"] for task in catalogue.tasks(ready=True) if task.family == family]
        assert results[f"ita_med_{family}"]["score,none"] == pytest.approx(sum(own) / len(own))
    assert "score,none" not in results.get("ita_med", {})


def test_a_few_shot_run_of_all_tasks_ends() -> None:
    """Also with more shots than MED-ITA has."""
    found = evaluate(Scripted(lambda doc: doc["target"]), ["ita_med"], num_fewshot=8, limit=2, log_samples=False)
    assert all(found["results"][name]["score,none"] == 1 for name in READY)


# --- where the data come from


@pytest.fixture
def other_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A mirror of its own with the sample of MED-ITA, which stands for real files here."""
    shutil.copytree(build.folder("med_ita") / "sample", tmp_path / "med_ita")
    monkeypatch.setenv(checksums.UNPINNED_VARIABLE, "1")
    return str(tmp_path)


def test_metadata_can_name_the_mirror(other_mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.MIRROR_VARIABLE, "/nowhere")
    task = manager(mirror=other_mirror).load(["ita_med_qa_med_ita"])["tasks"]["ita_med_qa_med_ita"]
    assert {data.partition(":")[0] for data in task.eval_docs["data"]} == {"mirror"}
    doc = task.eval_docs[0]
    assert task.process_results(doc, [doc["target"]])["synthetic_data"] == 0.0
    task = manager(mirror="embedded").load(["ita_med_qa_med_ita"])["tasks"]["ita_med_qa_med_ita"]
    assert {data.partition(":")[0] for data in task.eval_docs["data"]} == {"embedded"}


def test_metadata_reach_a_whole_run(other_mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tm = manager(mirror=other_mirror)
    found = evaluate(Scripted(lambda doc: doc["target"]), ["ita_med_qa_med_ita"], task_manager=tm)
    row = found["results"]["ita_med_qa_med_ita"]
    assert (row["score,none"], row["synthetic_data,none"]) == (1.0, 0.0)


def test_a_second_run_on_other_data_leaves_the_first_alone(other_mirror: str) -> None:
    name = "ita_med_qa_med_ita"
    first = manager(mirror=other_mirror).load([name])["tasks"][name]
    manager(mirror="embedded").load([name])
    doc = first.eval_docs[0]
    assert doc["data"].startswith("mirror:")
    assert first.process_results(doc, [doc["target"]])["synthetic_data"] == 0.0


def test_with_nothing_configured_the_sample_is_used_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(sources.MIRROR_VARIABLE)
    monkeypatch.setattr(lm_eval_hooks, "_loaded", {})
    assert sources.nothing_real()
    with caplog.at_level(logging.WARNING, logger="ita_med"):
        docs = lm_eval_hooks.documents("ita_med_qa_med_ita")["test"]
    assert {data.partition(":")[0] for data in docs["data"]} == {"embedded"}
    assert "SYNTHETIC SAMPLE" in caplog.text
    assert load("qa_med_ita").source == "embedded"


def test_a_synthetic_run_after_a_real_one_warns_too(
    other_mirror: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lm_eval_hooks, "_loaded", {})
    with caplog.at_level(logging.WARNING, logger="ita_med"):
        lm_eval_hooks.documents("ita_med_qa_med_ita", other_mirror)
        assert "SYNTHETIC" not in caplog.text
        lm_eval_hooks.documents("ita_med_crf_e3c", sources.EMBEDDED)
    assert "SYNTHETIC SAMPLE" in caplog.text


@pytest.mark.parametrize("name", READY)
@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_an_empty_mirror_is_one_line_of_error_and_never_the_sample(
    name: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv(sources.MIRROR_VARIABLE, str(tmp_path / folder))
    for attempt in (lambda: load(name), lambda: lm_eval_hooks.documents(name), lambda: manager().load([name])):
        with pytest.raises(ItaMedError) as error:
            attempt()
        assert "\n" not in str(error.value)
        assert str(tmp_path / folder) in str(error.value)


def test_once_anything_was_pulled_the_sample_is_no_longer_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.MIRROR_VARIABLE)
    (sources.cache_dir() / "sources" / "e3c").mkdir(parents=True)

    def refuse(dataset: str, *_: Any) -> None:
        raise ItaMedError(f"{dataset}: no network in tests")

    monkeypatch.setattr(sources, "pull", refuse)
    with pytest.raises(ItaMedError, match="med_ita: no network"):
        load("qa_med_ita")
