"""Submission folders made up without a model: each answers a stated share of the questions rightly."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ita_med import sources
from ita_med.files import write_json
from ita_med.tasks.benchmark import predictions
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.evaluation.evaluate import score_folder
from ita_med.training.studies.costs.flops import Shape
from ita_med.training.studies.plan import Cell
from ita_med.version import BENCHMARK_VERSION

SHAPE = Shape(2, 32, 4, 2, 8, 64, True, 500)


@cache
def data(task: str) -> TaskData:
    return load(task, sources.EMBEDDED)


MakeUp = Callable[..., Path]


@pytest.fixture
def made_up(tmp_path: Path) -> MakeUp:
    """(name, {task: share}, …) -> a folder below tmp_path/study/runs; with a size it is one of a study's trainings."""

    def make(
        name: str, shares: dict[str, float], *, size: str = "", seed: int = 0, method: str = "FT",
        model: str = "org/small", root: Path | None = None, block: bool = True, seconds: float = 60.0,
        prompt_tokens: int = 100,
    ) -> Path:  # fmt: skip
        folder = (root or tmp_path / "study" / "runs") / name
        for task, share in shares.items():
            rng = random.Random(f"{name} {task}")
            rows = [(e.id, data(task).target(e) if rng.random() < share else "{}") for e in data(task).examples]
            predictions.write(folder / "predictions" / f"{task}.jsonl", data(task), rows)
        results = score_folder(folder, [data(task) for task in shares])
        write_json(folder / "results.json", results | {"model": model})
        cell = Cell(name, method, "recipe", tuple(shares), name if size else "", size=size, seed=seed)
        manifest: dict[str, Any] = {
            "model": model, "method": method, "benchmark_version": BENCHMARK_VERSION, "seconds": seconds,
            "data": {task: data(task).provenance for task in shares},
            "run": {"apply_chat_template": False, "num_fewshot": 0, "limit": None},
            "speed": {task: {"generated_tokens": 10 * len(data(task).examples)} for task in shares},
        }  # fmt: skip
        if block:
            manifest["study"] = {
                "kind": "learning-curve", "mark": "", "cell": cell.as_dict(),
                "training": training(shares, size) if size else None, "inference": inference(shares, prompt_tokens),
            }  # fmt: skip
        write_json(folder / "manifest.json", manifest)
        return folder

    return make


def training(shares: dict[str, float], size: str) -> dict[str, Any]:
    n = 400 if size == "all" else int(size)
    return {
        "examples": dict.fromkeys(shares, n), "tasks": list(shares), "seconds": 36.0 * n, "joules": {"rapl": 1e6},
        "flops": 2e12 * n, "flops_full": 3e12 * n, "parameters": 10**6, "trainable": 10**4,
    }  # fmt: skip


def inference(shares: dict[str, float], prompt_tokens: int) -> dict[str, Any]:
    tasks = {}
    for task in shares:
        n = len(data(task).examples)
        tasks[task] = {
            "documents": n, "prompt_tokens": prompt_tokens * n, "prompt_tokens_squared": prompt_tokens**2 * n,
            "answer_tokens": 10 * n, "flops": 1e9 * n,
        }  # fmt: skip
    return {"tasks": tasks, "joules": {}, "shape": SHAPE.as_dict()}
