"""4-shot generation with a transformers model: `ita-med eval`'s engine against lm-eval's own, in one run.

    python benchmarks/eval_hf.py MODEL_FOLDER [MIRROR]

The same model object, tasks, documents (the first `LIMIT` of each task), batch size and float32 for both; the outputs
must be equal. Loading the model is outside both times; building the prompts, tokenising and scoring are inside
neither's favour: they are in both. Rounds alternate; the median of each side is taken.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import time
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")

import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from ita_med.tasks.benchmark import lm_eval_files
from ita_med.tasks.benchmark.task_data import load
from ita_med.tasks.evaluation import hf_engine, prompt_requests

TASKS = ["ita_med_ner_e3c_disorder", "ita_med_qa_med_ita"]
SHOTS, BATCH, LIMIT, ROUNDS = 4, 16, 32, 1


def ours(lm: HFLM, mirror: str | None) -> dict[str, list[str]]:
    model, found = hf_engine.Engine(lm, BATCH), {}
    for task in TASKS:
        asked = prompt_requests.build(load(task, mirror), shots=SHOTS, limit=LIMIT)
        texts = {}
        for group in hf_engine.groups(asked, hf_engine.tokenise(lm, [r.prompt for r in asked]), BATCH):
            texts |= {r.id: text for r, text in zip(group.requests, model.generate(group), strict=True)}
        found[task] = [texts[r.id] for r in asked]
    return found


def plain(lm: HFLM, mirror: str | None) -> dict[str, list[str]]:
    manager = TaskManager(
        include_path=str(lm_eval_files.FOLDER),
        include_defaults=False,
        metadata={"mirror": mirror} if mirror else {},
    )
    output: Any = simple_evaluate(
        lm, tasks=TASKS, num_fewshot=SHOTS, limit=LIMIT, task_manager=manager, bootstrap_iters=0
    )
    return {task: [row["resps"][0][0] for row in output["samples"][task]] for task in TASKS}


def main() -> None:
    logging.disable(logging.WARNING)
    folder, mirror = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    lm = HFLM(folder, dtype="float32", batch_size=BATCH, device=device)
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    outputs: dict[str, Any] = {}
    for _ in range(ROUNDS):
        for name, run in (("plain", plain), ("ours", ours)):
            started = time.perf_counter()
            outputs[name] = run(lm, mirror)
            times[name].append(time.perf_counter() - started)
    pairs = [(a, b) for task in TASKS for a, b in zip(outputs["plain"][task], outputs["ours"][task], strict=True)]
    equal = sum(a == b for a, b in pairs)
    slow, fast = (statistics.median(times[name]) for name in ("plain", "ours"))
    print(f"{len(pairs)} documents of {len(TASKS)} tasks, {SHOTS}-shot, batch size {BATCH}, {device}, float32")
    print(f"lm-eval {slow:.1f} s ({len(pairs) / slow:.2f} requests/s); ours {fast:.1f} s ({len(pairs) / fast:.2f})")
    print(f"equal outputs: {equal} of {len(pairs)}; ratio: {slow / fast:.2f} (target: 1.5 or more)")


if __name__ == "__main__":
    main()
