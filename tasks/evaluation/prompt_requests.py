"""The questions of a run: one request per document, with the very prompt that lm-eval builds from our YAML files.

Made here rather than by lm-eval, because its task loading takes seconds (`benchmarks/startup.py`); a test holds that
both make the same prompts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ita_med.schema import Example
from ita_med.tasks.benchmark.lm_eval_files import generation_settings
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.decoding import grammar
from ita_med.tasks.decoding.grammar import Constraint

Template = Callable[[list[dict[str, str]]], Any]
"""Chat messages -> the prompt (a string, or what the backend takes instead)."""


@dataclass(frozen=True)
class Request:
    """One question to a model.

    Attributes:
        task, id: of the document.
        prompt: what the model reads.
        kwargs: its generation settings.
        doc: the row that lm-eval would hand to a model.
        example: the document, or a window of it.
        constraint: on the answer, if there is one.
        key: equal for two requests exactly if a model must answer both alike.
    """

    task: str
    id: str
    prompt: Any
    kwargs: dict[str, Any]
    doc: dict[str, str] = field(repr=False)
    example: Example = field(repr=False)
    constraint: Constraint | None = None
    key: str = ""


Maker = Callable[[Example], Request]


def build(data: TaskData, *, limit: int | None = None, **options: Any) -> list[Request]:
    """One request per evaluated document, in their order.

    Args:
        data: the task.
        limit: only the first so many documents.
        **options: those of `maker`.
    """
    make = maker(data, **options)
    return [make(example) for example in data.examples[:limit]]


def maker(
    data: TaskData,
    *,
    shots: int = 0,
    template: Template | None = None,
    constrained: str = "",
    settings: Callable[[Constraint, dict[str, Any]], dict[str, Any]] | None = None,
    identity: str = "",
    by_document: bool = False,
) -> Maker:
    """A function that makes the request of a document of the task.

    Args:
        data: the task.
        shots: how many stand in front of the document.
        template: renders chat messages; None for plain text.
        constrained: "", or the kind of constraint (`grammar.KINDS`) on every answer.
        settings: (constraint, generation settings) -> the settings with the constraint, for a backend that takes it
            there.
        identity: hash of the model and its settings.
        by_document: whether equal prompts may get different answers.
    """
    instruction = data.instruction() + "\n\n"
    shown = [(data.prompt(shot), data.target(shot)) for shot in data.shots[:shots]]
    front = instruction + "".join(f"{prompt} {target}\n\n" for prompt, target in shown)
    turns = [{"role": "system", "content": instruction}]
    for prompt, target in shown:
        turns += [{"role": "user", "content": prompt}, {"role": "assistant", "content": target}]
    kwargs = generation_settings(data.task)

    def make(example: Example) -> Request:
        document = data.prompt(example)
        prompt = template([*turns, {"role": "user", "content": document}]) if template else front + document
        doc = {"id": example.id, "task": data.task.id, "data": data.provenance, "prompt": document}
        constraint = grammar.constraint(data, example, constrained) if constrained else None
        key = digest([identity, str(prompt), kwargs, constraint, example.id if by_document else None])
        own = settings(constraint, kwargs) if settings and constraint is not None else kwargs
        return Request(data.task.id, example.id, prompt, own, doc, example, constraint, key)

    return make


def digest(value: Any) -> str:
    """The sha256 of a value as JSON, keys in order."""
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
