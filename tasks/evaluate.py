"""`ita-med eval`: run a model on tasks through lm-evaluation-harness and write a submission folder.

The folder: manifest.json (what was run), predictions/TASK.jsonl (texts as generated), results.json (their scores,
computed from the predictions by the very code of `ita-med score`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from ita_med import BENCHMARK_VERSION, __version__, catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.tasks import predictions
from ita_med.tasks.benchmark import TaskData, available, load

YAML_FOLDER = Path(__file__).parent / "lm_eval"
CHAT_TEMPLATE_ARGS = {"date_string": "26 Jul 2024", "enable_thinking": False}
"""What makes chat prompts the same every day: Llama-3.2 prints a date, Qwen3 may think. Others ignore it."""
PACKAGES = ("lm_eval", "datasets", "transformers", "torch", "vllm", "numpy", "scikit-learn")


@dataclasses.dataclass
class Run:
    """What `ita-med eval` was asked; written to the manifest as it is.

    constrained: "", or one of `ita_med.tasks.decoding.grammar.KINDS`.
    """

    model: str
    model_args: str = ""
    num_fewshot: int = 0
    apply_chat_template: bool = False
    limit: int | None = None
    batch_size: str = "1"
    device: str | None = None
    seed: int = 0
    constrained: str = ""


def expand(names: list[str]) -> tuple[list[str], bool]:
    """Task ids for task and group names, in benchmark order; whether any was named by a group."""
    groups: dict[str, list[str]] = {"ita_med": [task.id for task in catalogue.tasks(ready=True)]}
    for task in catalogue.tasks(ready=True):
        groups.setdefault(f"ita_med_{task.family}", []).append(task.id)
        groups.setdefault(f"ita_med_{task.distribution}", []).append(task.id)
    chosen, grouped = set(), False
    for name in names:
        if name in groups:
            grouped = True
            chosen.update(groups[name])
        else:
            chosen.add(catalogue.task(name).id)
    order = [task.id for task in catalogue.tasks()]
    return sorted(chosen, key=order.index), grouped


def evaluate(run: Run, names: list[str], out: Path, mirror: str | None = None) -> dict[str, Any]:
    """Evaluate a model and write the submission folder `out`, whole or not at all; returns results.json.

    Tasks of a group whose data are not there are left out and named in the manifest; a task named by itself must run.
    """
    if out.exists() and any(out.iterdir()):
        raise ItaMedError(f"{out} is not empty; name a new folder")
    if mirror is None and sources.nothing_real():
        mirror = sources.EMBEDDED
    wanted, grouped = expand(names)
    loaded, why = available(wanted, mirror)
    if why and (not grouped or not loaded):
        raise ItaMedError(next(iter(why.values())))
    for task, reason in why.items():
        print(f"ita-med: {task} left out: {reason}", file=sys.stderr)
    started = time.time()
    answers = generate(run, loaded, mirror)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as partial:
        folder = Path(partial) / out.name
        for data in loaded:
            predictions.write(folder / "predictions" / f"{data.task.id}.jsonl", answers[data.task.id])
        place = mirror or os.environ.get(sources.MIRROR_VARIABLE) or str(sources.cache_dir())
        left_out = {task: reason.replace(place, "MIRROR") for task, reason in why.items()}
        manifest = _manifest(run, loaded, left_out, time.time() - started)
        results = score_folder(folder, loaded, limited=run.limit is not None)
        results["model"] = manifest["model"]
        _write_json(folder / "manifest.json", manifest)
        _write_json(folder / "results.json", results)
        sources.replace_folder(folder, out)
    return results


def generate(run: Run, loaded: list[TaskData], mirror: str | None) -> dict[str, list[tuple[str, str]]]:
    """Task -> (example id, text as generated), by lm-eval; only our own YAML files are scanned."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # read when tqdm is first imported
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import simple_parse_args_string

    _check_model_type(run.model)
    model_args: dict[str, Any] = simple_parse_args_string(run.model_args)
    metadata = ({"mirror": mirror} if mirror else {}) | constrained_metadata(run, model_args)
    if run.apply_chat_template and run.model in ("hf", "vllm"):
        model_args.setdefault("chat_template_args", dict(CHAT_TEMPLATE_ARGS))
        if run.model == "vllm":  # lm-eval's vllm drops it from the template's arguments and has its own
            model_args.setdefault("enable_thinking", False)
    manager = TaskManager(include_path=str(YAML_FOLDER), include_defaults=False, metadata=metadata)
    output = simple_evaluate(
        model=run.model,
        model_args=model_args or None,
        tasks=[data.task.id for data in loaded],
        num_fewshot=run.num_fewshot,
        batch_size=run.batch_size,
        device=run.device,
        limit=run.limit,
        apply_chat_template=run.apply_chat_template,
        task_manager=manager,
        bootstrap_iters=0,
        random_seed=run.seed,
        numpy_random_seed=run.seed,
        torch_random_seed=run.seed,
    )
    if output is None:  # a worker that is not the first of a multi-process run
        sys.exit(0)
    samples = output["samples"]
    return {data.task.id: [(row["doc"]["id"], row["resps"][0][0]) for row in samples[data.task.id]] for data in loaded}


def constrained_metadata(run: Run, model_args: dict[str, Any]) -> dict[str, Any]:
    """What tells our tasks inside lm-eval to constrain the answers, and how; empty for a free run."""
    if not run.constrained:
        return {}
    from ita_med.tasks.decoding import routes

    return model_args | {"structured": routes.of_model(run.model), "constraint": run.constrained}


def _check_model_type(name: str) -> None:
    """One line instead of lm-eval's stack trace for an unknown model type or a missing extra."""
    from lm_eval.api.registry import get_model

    from ita_med.tasks.baselines import lm  # noqa: F401  registers the model "baseline"

    try:
        get_model(name)
    except ValueError as error:
        raise ItaMedError(
            f'no model type is called "{name}"; common ones: hf, vllm, local-completions, baseline'
        ) from error
    except ImportError as error:
        extra = "vllm" if name == "vllm" else "hf"
        raise ItaMedError(
            f"the model type {name} needs more packages ({error}): pip install 'ita-med[{extra}]'"
        ) from error


def score_folder(
    folder: Path,
    loaded: list[TaskData] | None = None,
    *,
    limited: bool = False,
    mirror: str | None = None,
    strict: bool = False,
) -> dict[str, Any]:
    """Score predictions/*.jsonl of a submission folder; `limited` scores only the examples that were answered."""
    if loaded is None:
        files = sorted((folder / "predictions").glob("*.jsonl"))
        if not files:
            raise ItaMedError(f"{folder} holds no predictions/TASK.jsonl")
        loaded = [load(file.stem, mirror) for file in files]
    scores = {}
    for data in loaded:
        path = folder / "predictions" / f"{data.task.id}.jsonl"
        if limited:
            answered, _ = predictions.read(path, data)
            data = dataclasses.replace(data, examples=[e for e in data.examples if e.id in answered])
        scores[data.task.id] = predictions.score(path, data, strict=strict).as_dict()
    return {
        "benchmark_version": BENCHMARK_VERSION,
        "synthetic": any(data.source == sources.EMBEDDED for data in loaded),
        "limited": limited,
        "tasks": scores,
    }


def _manifest(run: Run, loaded: list[TaskData], left_out: dict[str, str], seconds: float) -> dict[str, Any]:
    arguments = dict(part.split("=", 1) for part in run.model_args.split(",") if "=" in part)
    name = arguments.get("pretrained") or arguments.get("model") or arguments.get("kind") or run.model
    return {
        "model": Path(name).name if Path(name).is_absolute() else name,
        "revision": arguments.get("revision", ""),
        "method": _method(run),
        "run": dataclasses.asdict(run) | {"model_args": _without_paths(run.model_args)},
        "benchmark_version": BENCHMARK_VERSION,
        "data": {data.task.id: data.provenance for data in loaded},
        "left_out": left_out,
        "prompts_sha256": {data.task.id: _prompts_hash(data, run.num_fewshot) for data in loaded},
        "versions": {"ita-med": __version__, "python": platform.python_version()} | _versions(),
        "hardware": {"machine": platform.machine(), "system": platform.system(), "cpus": os.cpu_count()},
        "seconds": round(seconds, 2),
    }


def _method(run: Run) -> str:
    """ "4-shot + CD": shots, and whether decoding was constrained."""
    if run.model == "baseline":
        return "floor"
    shots = f"{run.num_fewshot}-shot" if run.num_fewshot else "zero-shot"
    return f"{shots} + {'verbatim CD' if run.constrained == 'verbatim' else 'CD'}" if run.constrained else shots


def _without_paths(model_args: str) -> str:
    """Folders of this machine are nobody's business: an absolute path is cut to its last part."""
    pairs = (part.partition("=") for part in model_args.split(","))
    return ",".join(f"{k}{eq}{Path(v).name if v.startswith('/') else v}" for k, eq, v in pairs)


def _prompts_hash(data: TaskData, shots: int) -> str:
    """sha256 over the instruction, the shots and the prompts: equal hashes mean equal questions."""
    digest = hashlib.sha256(data.instruction().encode())
    for example in data.shots[:shots]:
        digest.update(f"\0{data.prompt(example)}\0{data.target(example)}".encode())
    for example in data.examples:
        digest.update(f"\0{example.id}\0{data.prompt(example)}".encode())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _write_json(path: Path, value: Any) -> None:
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
