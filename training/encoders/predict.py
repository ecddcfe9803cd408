"""`ita-med predict`: the answers of a run of encoders, as the submission folder that `ita-med eval` writes."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from ita_med import catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.files import whole_folder, write_json
from ita_med.schema import Example
from ita_med.tasks.benchmark.task_data import TaskData, available
from ita_med.tasks.evaluation import evaluate, manifest
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.model_identity import folder_sha256
from ita_med.tasks.families.family import Answer
from ita_med.training.backend.libraries import quiet, require_packages
from ita_med.training.encoders import parts, train_part
from ita_med.training.encoders.heads import LoadedPart
from ita_med.training.record import run_folder

METHOD = "encoder"


def predict(
    run: Path, out: Path, names: list[str], mirror: str | None = None, *, limit: int | None = None,
    batch_size: int = 32, device: str | None = None, declare: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Answer tasks and write the submission folder `out`; returns results.json.

    Tasks of a group for which there are no data or no encoder are left out and named in the manifest; a task named by
    itself must be answered. declare: what `ita_med.tasks.benchmark.model_facts.stated` made of --declare.
    """
    made = _finished(run)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ItaMedError(f"{out} is not empty; name a new folder")
    mirror = sources.or_sample(mirror)
    quiet()
    require_packages()
    wanted, grouped = evaluate.expand(names)
    loaded, why = available(wanted, mirror)
    teachers = {data.task.id: parts.teacher(data, made["parts"]) for data in loaded}
    no_encoder = f'no encoder of the run "{made["name"]}" has its labels'
    why |= {name: no_encoder for name, teacher in teachers.items() if teacher is None}
    loaded = [data for data in loaded if teachers[data.task.id]]
    if why and (not grouped or not loaded):
        raise ItaMedError("; ".join(f"{task}: {reason}" for task, reason in list(why.items())[:1]))
    for task, reason in why.items():
        print(f"ita-med: {task} left out: {reason}", file=sys.stderr)
    started = time.time()
    if limit is not None:
        loaded = [dataclasses.replace(data, examples=data.examples[:limit]) for data in loaded]
    with whole_folder(out) as partial:
        speed = {}
        for data in _shown(loaded):
            teacher = str(teachers[data.task.id])
            heads = {part: train_part.load(run / teacher / part, device, batch_size) for part in made["parts"][teacher]}
            speed[data.task.id] = _answer(heads, data, partial / "predictions" / f"{data.task.id}.jsonl")
        results = evaluate.score_folder(partial, loaded, limited=limit is not None)
        arguments = f"pretrained={made['base']['model']},run={made['name']}"
        asked = Run(METHOD, arguments, limit=limit, batch_size=str(batch_size), device=device, seed=made["seed"])
        place = mirror or os.environ.get(sources.MIRROR_VARIABLE) or str(sources.cache_dir())
        left_out = {task: reason.replace(place, "MIRROR") for task, reason in why.items()}
        written = manifest.manifest(
            asked, loaded, left_out, _identity(run, made), speed, declared(made) | (declare or {}), started
        )
        written |= {"method": METHOD, "encoders": teachers_of(teachers)}
        written["training"] = {key: made[key] for key in ("name", "base", "recipe", "data", "licences", "synthetic")}
        write_json(partial / "results.json", results | {"model": written["model"], "speed": speed})
        write_json(partial / "manifest.json", written)
    return results | {"model": written["model"], "speed": speed}


def _finished(run: Path) -> dict[str, Any]:
    """The manifest of a finished run of encoders."""
    if not (run / run_folder.FINISHED).is_file():
        unfinished = "; it is not finished: repeat ita-med train" if (run / run_folder.STARTED).is_file() else ""
        raise ItaMedError(f"{run} holds no run of ita-med train{unfinished}")
    try:
        made: dict[str, Any] = orjson.loads((run / run_folder.FINISHED).read_bytes())
        method = made["method"]
    except (ValueError, KeyError, TypeError) as error:
        raise ItaMedError(f"{run / run_folder.FINISHED} is damaged ({error})") from error
    if method != METHOD:
        raise ItaMedError(f'{run} is a run of the method "{method}"; ita-med eval evaluates it')
    return made


def teachers_of(teachers: dict[str, str | None]) -> dict[str, str]:
    """task -> the task whose encoder answered it."""
    return {task: teacher for task, teacher in teachers.items() if teacher}


def _shown(loaded: list[TaskData]) -> Any:
    """A progress bar over the tasks, on a terminal only."""
    if not sys.stderr.isatty():
        return loaded
    from rich.console import Console
    from rich.progress import track

    return track(loaded, description="", console=Console(stderr=True))


def _answer(heads: dict[str, LoadedPart], data: TaskData, path: Path) -> dict[str, Any]:
    """Write the answers of a task; its counts and times, as `ita-med eval` states them."""
    start = time.perf_counter()
    examples: list[Example] = [data.family.blank(example) for example in data.examples]
    found = parts.answers(heads, dataclasses.replace(data, examples=examples))
    seconds = time.perf_counter() - start
    write(path, data, found)
    return {
        "documents": len(examples),
        "requests": len(examples),
        "too_long": 0,
        "generated_tokens": 0,
        "seconds": round(seconds, 3),
        "requests_per_second": round(len(examples) / seconds, 3),
        "tokens_per_second": None,
    }


def write(path: Path, data: TaskData, answers: dict[str, Answer]) -> None:
    """Prediction lines with answers, without the document's text where it may not be passed on."""
    hidden = data.texts_withheld
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for example in data.examples:
            answer = answers[example.id]
            said = data.redact(example, answer) if hidden else answer
            file.write(orjson.dumps({"id": example.id, "answer": said}) + b"\n")


def _identity(run: Path, made: dict[str, Any]) -> dict[str, Any]:
    """What answers depend on, in the words of `ita-med eval`: the encoder, and as its adapter all parts of the run."""
    digest = weights_sha256(run, made)
    return {
        "model": made["base"]["model"],
        "revision": made["base"]["revision"],
        "weights_sha256": digest,
        "adapter": {"name": made["name"], "weights_sha256": digest},
        "dtype": "float32",
        "chat_template_sha256": None,
    }


def weights_sha256(run: Path, made: dict[str, Any]) -> str:
    """One sha256 for all encoders of a run."""
    folders = [run / task / part for task in sorted(made["parts"]) for part in sorted(made["parts"][task])]
    lines = [f"{folder_sha256(folder)}  {folder.parent.name}/{folder.name}\n" for folder in folders]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def declared(made: dict[str, Any]) -> dict[str, Any]:
    """What the leaderboard shows of the system. parameters: of the encoders that one task needs, in millions."""
    needed = [sum(facts["parameters"] for facts in of_task.values()) for of_task in made["parts"].values()]
    known = {task.id for task in catalogue.tasks()}
    return {
        "parameters": round(max(needed) / 1e6, 3),
        "model_type": "encoder",
        "licence": None,
        "open_weights": None,
        "trained_on": sorted(known & set(made["tasks"])),
    }
