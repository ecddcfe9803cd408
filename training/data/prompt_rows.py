"""Training rows made by the very prompt functions of the tasks, and their mixture.

A row is what TRL calls a prompt/completion example; the model is trained on the completion alone. In a chat the
instruction is the system turn; without one, prompt and completion are plain texts, as lm-eval joins them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ita_med.schema import Example
from ita_med.tasks.benchmark.task_data import TaskData

PromptRow = dict[str, Any]


def row(data: TaskData, example: Example, *, chat: bool) -> PromptRow:
    """{"prompt", "completion", "task", "id"}: zero-shot, exactly as the harness asks and as it wants the answer."""
    if chat:
        prompt: Any = [
            {"role": "system", "content": f"{data.instruction()}\n\n"},  # lm-eval's description keeps its line ends
            {"role": "user", "content": data.prompt(example)},
        ]
        completion: Any = [{"role": "assistant", "content": data.target(example)}]
    else:
        prompt = f"{data.instruction()}\n\n{data.prompt(example)}"
        completion = f" {data.target(example)}"
    return {"prompt": prompt, "completion": completion, "task": data.task.id, "id": example.id}


def rows(data: TaskData, *, chat: bool) -> Iterator[PromptRow]:
    """All training rows of a task, in upstream's order."""
    return (row(data, example, chat=chat) for example in data.train)


def subset(examples: Sequence[Example], n: int | None, *, seed: str) -> list[Example]:
    """n examples drawn by the seed, in upstream's order; all of them for None or a larger n.

    Draws of one seed are nested: that of 25 is part of that of 50. An example is what the task asks one question about
    (a sentence, a passage, a note, a question), not a document: that is what an annotator counts.
    """
    if n is None or n >= len(examples):
        return list(examples)
    order = list(range(len(examples)))
    random.Random(seed).shuffle(order)
    return [examples[i] for i in sorted(order[:n])]


def shares(sizes: Mapping[str, int], *, cap: int | None = None, temperature: float = 1.0) -> dict[str, int]:
    """Rows to draw per task: proportional to size ** temperature after the cap, as many in all as the capped sizes.

    Temperature 1 keeps the natural shares, 0 gives every task the same; small tasks are then repeated.
    Source: temperature-scaled mixing, Raffel et al. 2020 (T5), §3.5.2.
    """
    capped = {task: min(n, cap) if cap else n for task, n in sizes.items()}
    weights = {task: n**temperature if n else 0.0 for task, n in capped.items()}
    total, weight = sum(capped.values()), sum(weights.values())
    return {task: round(total * w / weight) if weight else 0 for task, w in weights.items()}


def mixture(
    by_task: Mapping[str, list[PromptRow]], *, cap: int | None = None, temperature: float = 1.0, seed: int = 0
) -> list[PromptRow]:
    """Rows of all tasks in one shuffled list; a task drawn beyond its size is repeated whole before any row is."""
    rng = random.Random(seed)
    drawn: list[PromptRow] = []
    for task, n in shares({t: len(r) for t, r in by_task.items()}, cap=cap, temperature=temperature).items():
        whole, rest = divmod(n, max(len(by_task[task]), 1))
        drawn += by_task[task] * whole + rng.sample(by_task[task], rest)
    rng.shuffle(drawn)
    return drawn
