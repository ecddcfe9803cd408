"""Training rows are what the harness asks and wants; mixtures keep their promises."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.tasks import TaskManager

import ita_med.tasks
from ita_med import catalogue, sources
from ita_med.tasks.benchmark.task_data import load
from ita_med.training.data.prompt_rows import PromptRow, mixture, row, rows, shares, subset

READY = [task.id for task in catalogue.tasks(ready=True)]
YAML = Path(str(ita_med.tasks.__file__)).parent / "lm_eval"
Render = Callable[..., str]


def plain_chat(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    return json.dumps([messages, add_generation_prompt])


def templates() -> dict[str, Render]:
    """The chat templates of real tokenizers below ITA_MED_TOKENIZERS, and one that shows every character."""
    found: dict[str, Render] = {"plain": plain_chat}
    folder = os.environ.get("ITA_MED_TOKENIZERS")
    if folder:
        from transformers import AutoTokenizer

        for path in sorted(Path(folder).iterdir()):
            tokenizer = AutoTokenizer.from_pretrained(path)
            found[path.name] = lambda m, add_generation_prompt=True, t=tokenizer: str(
                t.apply_chat_template(m, tokenize=False, add_generation_prompt=add_generation_prompt)
            )
    return found


TEMPLATES = templates()


@pytest.fixture(scope="module")
def harness_tasks() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(sources.MIRROR_VARIABLE, sources.EMBEDDED)
        manager = TaskManager(include_path=str(YAML), include_defaults=False)
        found: dict[str, Any] = manager.load(["ita_med"])["tasks"]
        return found


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("name", READY)
def test_prompts_cannot_drift(name: str, template: str, harness_tasks: dict[str, Any]) -> None:
    data, render, task = load(name, sources.EMBEDDED), TEMPLATES[template], harness_tasks[name]
    for chat in (True, False):
        options = {"apply_chat_template": True, "chat_template": render} if chat else {}
        task.build_all_requests(limit=5, rank=0, world_size=1, **options)
        asked = [instance.args[0] for instance in task.instances]
        made = [row(data, example, chat=chat)["prompt"] for example in data.examples[: len(asked)]]
        assert asked == [render(prompt) if chat else prompt for prompt in made]


@pytest.mark.parametrize("name", READY)
def test_the_completion_is_the_right_answer_and_rows_come_from_the_training_split(name: str) -> None:
    data = load(name, sources.EMBEDDED)
    found = list(rows(data, chat=True))
    assert [r["id"] for r in found] == [e.id for e in data.train]
    assert not {r["prompt"][-1]["content"] for r in found} & {data.prompt(e) for e in data.examples}
    for r, example in zip(found, data.train, strict=True):
        assert r["completion"] == [{"role": "assistant", "content": data.target(example)}]
        assert data.count(example, data.parse(r["completion"][0]["content"], example))[1] == 0


SIZES = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 300), min_size=1)


def made(sizes: dict[str, int]) -> dict[str, list[PromptRow]]:
    return {task: [{"task": task, "id": n} for n in range(size)] for task, size in sizes.items()}


@given(SIZES, st.floats(0, 1), st.one_of(st.none(), st.integers(1, 200)))
def test_shares_keep_the_total_and_the_order_of_sizes(sizes: dict[str, int], t: float, cap: int | None) -> None:
    found = shares(sizes, cap=cap, temperature=t)
    capped = {task: min(n, cap or n) for task, n in sizes.items()}
    assert abs(sum(found.values()) - sum(capped.values())) <= len(sizes)
    for a in sizes:
        for b in sizes:
            if 0 < capped[a] <= capped[b]:
                assert found[a] <= found[b]
                assert found[a] * capped[b] + capped[b] >= found[b] * capped[a]  # no large task gains


@given(SIZES)
def test_temperature_one_takes_every_row_once(sizes: dict[str, int]) -> None:
    drawn = mixture(made(sizes), temperature=1.0)
    assert Counter((r["task"], r["id"]) for r in drawn) == Counter((t, n) for t, s in sizes.items() for n in range(s))


@given(SIZES, st.floats(0, 1), st.integers(0, 5))
def test_a_row_is_repeated_only_after_all_of_its_task(sizes: dict[str, int], t: float, seed: int) -> None:
    drawn = mixture(made(sizes), temperature=t, seed=seed)
    assert drawn == mixture(made(sizes), temperature=t, seed=seed)
    for task, size in sizes.items():
        times = Counter(r["id"] for r in drawn if r["task"] == task)
        assert max(times.values(), default=0) - min((times[n] for n in range(size)), default=0) <= 1


@given(st.integers(0, 80), st.integers(1, 90), st.integers(1, 90), st.text(max_size=5))
def test_draws_of_one_seed_are_nested_and_keep_the_order(size: int, few: int, many: int, seed: str) -> None:
    few, many = sorted((few, many))
    examples: list[Any] = list(range(size))
    a, b = subset(examples, few, seed=seed), subset(examples, many, seed=seed)
    assert len(a) == min(few, size)
    assert set(a) <= set(b)
    assert a == sorted(a)
    assert subset(examples, None, seed=seed) == examples
    assert a == subset(examples, few, seed=seed)
