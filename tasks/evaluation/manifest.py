"""manifest.json of a submission folder: everything that a reader needs to repeat the run, and no path of a machine."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.package_versions import versions
from ita_med.version import BENCHMARK_VERSION, __version__


def manifest(
    run: Run,
    loaded: list[TaskData],
    left_out: dict[str, str],
    identity: dict[str, Any],
    speed: dict[str, dict[str, Any]],
    declared: dict[str, Any],
    started: float,
) -> dict[str, Any]:
    """What manifest.json holds.

    Args:
        run: the options of the run.
        loaded: the tasks that were asked.
        left_out: task -> why it was not.
        identity: which model it was; see `model_identity.identity_of`.
        speed: task -> counts and times; see `run_requests.speed`.
        declared: what the run says of its model; see `model_facts.declared`.
        started: seconds since 1970.
    """
    return {
        "model": identity["model"],
        "revision": identity.get("revision", ""),
        "weights_sha256": identity.get("weights_sha256"),
        "adapter": identity["adapter"],
        "dtype": identity["dtype"],
        "method": method(run),
        "run": dataclasses.asdict(run) | {"model_args": without_paths(run.model_args)},
        "command": command(sys.argv),
        "benchmark_version": BENCHMARK_VERSION,
        "data": {data.task.id: data.provenance for data in loaded},
        "left_out": left_out,
        "shots": {data.task.id: [shot.id for shot in data.shots[: run.num_fewshot]] for data in loaded},
        "prompts_sha256": {data.task.id: prompts_hash(data, run.num_fewshot) for data in loaded},
        "chat_template_sha256": identity["chat_template_sha256"],
        "versions": {"ita-med": __version__, "python": platform.python_version()} | versions(),
        "hardware": hardware(),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 2),
        "speed": speed,
        "tokens_per_second": tokens_per_second(speed),
        "declared": declared,
    }


def tokens_per_second(speed: dict[str, dict[str, Any]]) -> float | None:
    """Generated tokens per second of the model, over all tasks; None where tokens were not counted."""
    tokens, seconds = [s["generated_tokens"] for s in speed.values()], sum(s["seconds"] for s in speed.values())
    return round(sum(tokens) / seconds, 1) if seconds and None not in tokens else None


def method(run: Run) -> str:
    """ "4-shot + CD": shots, and whether decoding was constrained."""
    if run.model == "baseline":
        return "floor"
    shots = f"{run.num_fewshot}-shot" if run.num_fewshot else "zero-shot"
    return f"{shots} + {'verbatim CD' if run.constrained == 'verbatim' else 'CD'}" if run.constrained else shots


def without_paths(model_args: str) -> str:
    """Folders of this machine are nobody's business: an absolute path is cut to its last part."""
    pairs = (part.partition("=") for part in model_args.split(","))
    return ",".join(f"{k}{eq}{Path(v).name if v.startswith('/') else v}" for k, eq, v in pairs)


def command(argv: list[str]) -> str:
    """The command line, with absolute paths cut to their last part."""
    words = [Path(word).name if word.startswith("/") else without_paths(word) for word in argv[1:]]
    return shlex.join(["ita-med", *words])


def hardware() -> dict[str, Any]:
    """Machine, processors, memory, and the accelerators that torch sees, if it was used."""
    found: dict[str, Any] = {"machine": platform.machine(), "system": platform.system(), "cpus": os.cpu_count()}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory_gib"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_available():
        found["accelerators"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return found


def prompts_hash(data: TaskData, shots: int) -> str:
    """sha256 over the instruction, the shots and the prompts: equal hashes mean equal questions."""
    digest = hashlib.sha256(data.instruction().encode())
    for example in data.shots[:shots]:
        digest.update(f"\0{data.prompt(example)}\0{data.target(example)}".encode())
    for example in data.examples:
        digest.update(f"\0{example.id}\0{data.prompt(example)}".encode())
    return digest.hexdigest()
