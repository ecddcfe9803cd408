"""Building lm-eval requests: our prompt columns against the same prompts as Jinja templates, in one run.

    python benchmarks/prompts.py

All 20 tasks × 1,000 documents × 2 shots, made by repeating the embedded samples. Both sides build identical requests
(checked); the time is from examples to finished requests. Each side runs twice after that; the best counts.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")  # read when tqdm is first imported

from ita_med import catalogue
from ita_med.schema import LETTERS, ChoiceExample, FormExample
from ita_med.tasks.benchmark.lm_eval_hooks import to_dataset
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.families.spans import clean
from ita_med.tasks.scoring.matching import fold

TASKS, DOCUMENTS, SHOTS, ROUNDS = 20, 1000, 2, 2
TEXT = "Testo: {{text}}\nRisposta:"
FORM = (
    "Testo: {{text}}\n{% if items %}Voci della scheda:\n{% for i in items %}"
    "- {{i.name}}: {{i.options|join(' | ') if i.options else 'testo libero'}}\n"
    "{% endfor %}{% endif %}Risposta:"
)
CHOICE = "Domanda: {{question}}\n{% for o in options %}{{letters[loop.index0]}}) {{o}}\n{% endfor %}Risposta:"


def repeated(data: TaskData) -> TaskData:
    """The task with `DOCUMENTS` examples: its own, again and again, each with its own text."""
    examples = []
    for n in range(DOCUMENTS):
        example = data.examples[n % len(data.examples)]
        name = "question" if isinstance(example, ChoiceExample) else "text"
        text = f"{getattr(example, name)} (copia {n})"
        examples.append(dataclasses.replace(example, id=f"{example.id}-{n}", **{name: text}))
    return dataclasses.replace(data, examples=examples)


def config(task: str, dataset: Callable[..., Any], **fields: Any) -> dict[str, Any]:
    return {
        "task": task,
        "custom_dataset": dataset,
        "test_split": "test",
        "fewshot_split": "shots",
        "fewshot_config": {"sampler": "first_n"},
        "output_type": "generate_until",
        "process_results": lambda doc, results: {"score": 0},
        "metric_list": [{"metric": "score", "aggregation": "mean", "higher_is_better": True}],
        "num_fewshot": SHOTS,
        **fields,
    }


def ours(data: TaskData) -> dict[str, Any]:
    def dataset(**_: Any) -> dict[str, Any]:
        return {"test": to_dataset(data, data.examples), "shots": to_dataset(data, data.shots)}

    return config(data.task.id, dataset, description="instruction", doc_to_text="prompt", doc_to_target="target")


def jinja(data: TaskData) -> dict[str, Any]:
    """The same prompts from templates over the example's fields; text and target are made beforehand, for free."""
    shared = isinstance(data.examples[0], FormExample) and bool(data.setting.form)

    def row(example: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {"target": data.target(example)}
        if isinstance(example, ChoiceExample):
            options = [fold(option) for option in example.options]
            return fields | {"question": fold(example.question), "options": options, "letters": list(LETTERS)}
        fields["text"] = clean(example.text)
        if isinstance(example, FormExample):
            fields["items"] = [] if shared else [{"name": i.name, "options": i.options} for i in example.items]
        return fields

    splits = {"test": [row(e) for e in data.examples], "shots": [row(e) for e in data.shots]}

    def dataset(**_: Any) -> dict[str, Any]:
        from datasets import Dataset

        return {split: Dataset.from_list(rows) for split, rows in splits.items()}

    template = {"crf": FORM, "qa": CHOICE}.get(data.task.family, TEXT)
    description = data.instruction().replace("{", "{{'{'}}") + "\n\n"
    return config(data.task.id, dataset, description=description, doc_to_text=template, doc_to_target="{{target}}")


def requests(make: Callable[[TaskData], dict[str, Any]], data: TaskData) -> tuple[float, list[str]]:
    from lm_eval.api.task import ConfigurableTask

    made = make(data)
    started = time.perf_counter()
    task = ConfigurableTask(config=made)
    task.set_config("num_fewshot", SHOTS)
    task.build_all_requests(rank=0, world_size=1)
    return time.perf_counter() - started, [instance.args[0] for instance in task.instances]


def main() -> None:
    logging.disable(logging.WARNING)
    names = [task.id for task in catalogue.tasks(ready=True)][:TASKS]
    tasks = [repeated(load(name, "embedded")) for name in names]
    for data in tasks:
        _ = data.shots, data.setting
        same = requests(ours, data)[1] == requests(jinja, data)[1]
        assert same, f"{data.task.id}: the two sides build different requests"
    seconds = {
        make.__name__: min(sum(requests(make, data)[0] for data in tasks) for _ in range(ROUNDS))
        for make in (ours, jinja)
    }
    print(f"requests, {TASKS} tasks × {DOCUMENTS:,} documents × {SHOTS} shots: {seconds}")
    print(f"ratio jinja / ours: {seconds['jinja'] / seconds['ours']:.1f} (target: 20 or more)")


if __name__ == "__main__":
    main()
