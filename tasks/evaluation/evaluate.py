"""`ita-med eval`: run a model on tasks and write a submission folder.

The folder: predictions/TASK.jsonl, results.json (their scores, computed from the predictions by the very code of
`ita-med score`), and last manifest.json (what was run). Until then OUT/.journal holds what has been answered, and the
same command continues from there.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ita_med import catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.files import write_json
from ita_med.tasks.benchmark import groups, model_facts, predictions, windows
from ita_med.tasks.benchmark.task_data import TaskData, available, load
from ita_med.tasks.evaluation import answer_log, hf_engine, manifest, model, prompt_requests, run_requests
from ita_med.tasks.evaluation.chat_template import chat_template
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.model_identity import identity_of
from ita_med.version import BENCHMARK_VERSION

RAW_FOLDER = "raw"


def expand(names: list[str]) -> tuple[list[str], bool]:
    """Task ids for task and group names, in benchmark order; whether any was named by a group."""
    known = groups.groups(catalogue.tasks(ready=True))
    chosen: set[str] = set()
    grouped = False
    for name in names:
        if name in known:
            grouped = True
            chosen.update(task.id for task in known[name])
        else:
            chosen.add(catalogue.task(name).id)
    order = [task.id for task in catalogue.tasks()]
    return sorted(chosen, key=order.index), grouped


def evaluate(
    run: Run,
    names: list[str],
    out: Path,
    mirror: str | None = None,
    *,
    keep_raw: bool = False,
    declare: model_facts.Declared | None = None,
) -> dict[str, Any]:
    """Evaluate a model and write a submission folder.

    Tasks of a group whose data are not there are left out and named in the manifest; a task named by itself must run.

    Args:
        run: the options of `ita-med eval`.
        names: tasks and groups.
        out: the folder. One that holds the unfinished answers of the same run is continued; any other that is not empty
            is refused.
        mirror: where the data are; None: as in `ita_med.sources`.
        keep_raw: also write every text as generated to out/raw, which may hold upstream text and is not for
            publication.
        declare: what `model_facts.stated` made of --declare.

    Returns:
        What results.json holds.
    """
    if out.exists() and any(out.iterdir()) and not (out / answer_log.FOLDER).is_dir():
        raise ItaMedError(f"{out} is not empty; name a new folder")
    mirror = sources.or_sample(mirror)
    wanted, grouped = expand(names)
    loaded, why = available(wanted, mirror)
    if why and (not grouped or not loaded):
        raise ItaMedError(next(iter(why.values())))
    settings = _settings(run, loaded)
    answer_log.check(out, settings)
    for task, reason in why.items():
        print(f"ita-med: {task} left out: {reason}", file=sys.stderr)
    started = time.time()
    answers = generate(run, loaded, out, settings, declare or {})
    place = mirror or os.environ.get(sources.MIRROR_VARIABLE) or str(sources.cache_dir())
    left_out = {task: reason.replace(place, "MIRROR") for task, reason in why.items()}
    out.mkdir(parents=True, exist_ok=True)
    for data in loaded:
        rows = answers.texts[data.task.id]
        predictions.write(out / "predictions" / f"{data.task.id}.jsonl", data, rows)
        if keep_raw:
            predictions.write(out / RAW_FOLDER / f"{data.task.id}.jsonl", data, rows, texts=True)
    results = score_folder(out, loaded, limited=run.limit is not None)
    written = manifest.manifest(run, loaded, left_out, answers.identity, answers.speed, answers.declared, started)
    results |= {"model": written["model"], "speed": answers.speed, "tokens_per_second": written["tokens_per_second"]}
    write_json(out / "results.json", results)
    write_json(out / "manifest.json", written)
    shutil.rmtree(out / answer_log.FOLDER, ignore_errors=True)
    return results


def _settings(run: Run, loaded: list[TaskData]) -> dict[str, Any]:
    """What must be equal for a journal to be continued; the batch size and the device may change."""
    asked = dataclasses.asdict(run)
    del asked["batch_size"], asked["device"]
    return asked | {"tasks": {data.task.id: manifest.prompts_hash(data, run.num_fewshot) for data in loaded}}


@dataclasses.dataclass
class Generated:
    """What came out of asking a model.

    Attributes:
        texts: task -> (example id, text as generated).
        speed: task -> counts and times.
        identity: which model it was; see `model_identity.identity_of`.
        declared: what it says of itself to the leaderboard.
    """

    texts: dict[str, list[tuple[str, str]]]
    speed: dict[str, dict[str, Any]]
    identity: dict[str, Any]
    declared: model_facts.Declared


def generate(
    run: Run, loaded: list[TaskData], out: Path, settings: dict[str, Any], declare: model_facts.Declared
) -> Generated:
    """Ask the model, with a progress bar on a terminal; only the first process of several comes back."""
    lm = model.load(
        run.model,
        run.model_args,
        batch_size=run.batch_size,
        device=run.device,
        seed=run.seed,
        constrained=bool(run.constrained),
    )
    _remember(run.model, loaded)
    template = chat_template(lm) if run.apply_chat_template else ""
    identity = identity_of(lm, run.model, run.model_args, template)
    settings_of, processors = _constrained(run, lm)
    makers = {
        data.task.id: prompt_requests.maker(
            data,
            shots=run.num_fewshot,
            template=lm.apply_chat_template if run.apply_chat_template else None,
            constrained=run.constrained,
            settings=settings_of,
            identity=prompt_requests.digest(identity),
            by_document=run.model == "baseline",  # the floors answer a document, not its prompt
        )
        for data in loaded
    }
    by_task = {d.task.id: [makers[d.task.id](example) for example in d.examples[: run.limit]] for d in loaded}
    of_task = {data.task.id: data for data in loaded}

    def cut(request: prompt_requests.Request) -> Iterator[list[prompt_requests.Request]]:
        ways = windows.cuts(of_task[request.task], of_task[request.task].by_id[request.id])
        return ([makers[request.task](window) for window in way] for way in ways)

    kept = answer_log.Journal(out, settings | {"identity": identity}, lm.rank)
    try:
        with _progress({task: len(asked) for task, asked in by_task.items()}, quiet=lm.rank > 0) as advance:
            limit = model.max_length(lm, run.model_args)
            asked = run_requests.ask(lm, by_task, kept, advance, max_length=limit, processors=processors, cut=cut)
    except KeyboardInterrupt:
        print(f"\nita-med: stopped; the same command goes on from {len(kept.answers):,} answers", file=sys.stderr)
        raise
    finally:
        kept.close()
    asked = _gathered(lm, asked)
    speed = {task: run_requests.speed(rows, asked) for task, rows in by_task.items()}
    for task, counted in speed.items():
        for kind, what in (("windowed", "were asked in windows"), ("too_long", "count as wrong")):
            if counted[kind]:
                message = (
                    f"{counted[kind]:,} of {counted['documents']:,} prompts do not fit {limit:,} tokens and {what}"
                )
                print(f"ita-med: {task}: {message}", file=sys.stderr)
    raw = _texts_of(lm, asked, ended=processors is not None)
    texts = {task: [(row.id, _text(of_task[task], row, asked, raw)) for row in rows] for task, rows in by_task.items()}
    said = model_facts.declared(
        lm,
        model.arguments(run.model_args),
        chat=run.apply_chat_template,
        floor=run.model == "baseline",
        by_hand=declare,
    )
    return Generated(texts, speed, identity, said)


TextOf = Callable[[prompt_requests.Request], str]


def _texts_of(lm: Any, asked: run_requests.Asked, *, ended: bool) -> TextOf:
    """The text of a request; a constrained answer that its backend cut off is led to its end, unless all have `ended`
    already. A server whose tokenizer is not known is taken at its word."""

    def text(request: prompt_requests.Request) -> str:
        raw = asked.answers[request.key].raw
        if ended or request.constraint is None:
            return raw
        tokenizer = getattr(lm, "tokenizer", None)
        if not hasattr(tokenizer, "backend_tokenizer"):
            return raw
        from ita_med.tasks.decoding.hf import completed

        return completed(tokenizer, request.constraint, raw, int(request.kwargs["max_gen_toks"]))

    return text


def _text(data: TaskData, request: prompt_requests.Request, asked: run_requests.Asked, raw: TextOf) -> str:
    """The text generated for a document, or the answer put together from its windows; "" if it was not asked."""
    if request.key in asked.too_long:
        return ""
    if request.key in asked.windows:
        return windows.merge(data, [(window.example, raw(window)) for window in asked.windows[request.key]])
    return raw(request)


def _constrained(run: Run, lm: Any) -> tuple[Any, Any]:
    """How constraints reach the model.

    Returns:
        `settings` for `prompt_requests.maker`, where the backend takes them as generation settings, and `processors`
        for `run_requests.ask`, where our own engine generates; None for what is not needed.
    """
    if not run.constrained:
        return None, None
    from ita_med.tasks.decoding import routes

    route = routes.of_model(run.model)
    if route == "hf" and hf_engine.supports(lm):
        from ita_med.tasks.decoding.hf import AnswerProcessor, prepare

        prepare(lm.tokenizer)
        return None, lambda request: [
            AnswerProcessor(lm.tokenizer, [request.constraint], int(request.kwargs["max_gen_toks"]))
        ]
    given = model.arguments(run.model_args)
    return lambda constraint, kwargs: routes.settings(route, constraint, kwargs, given), None


def _remember(name: str, loaded: list[TaskData]) -> None:
    """Hand the loaded data to `lm_eval_hooks`, from which the baselines answer."""
    if name == "baseline":
        from ita_med.tasks.benchmark import lm_eval_hooks

        lm_eval_hooks.remember(loaded)


def _gathered(lm: Any, asked: run_requests.Asked) -> run_requests.Asked:
    """The answers of all processes, in the first one; the others end here."""
    if lm.world_size == 1:
        return asked
    parts = lm.gather_object(asked, dst=0)
    lm.barrier()
    if lm.rank > 0:
        sys.exit(0)
    answers = {key: answer for part in parts for key, answer in part.answers.items()}
    return run_requests.Asked(
        answers, asked.windows, asked.too_long
    )  # every process has cut and measured all documents


@contextmanager
def _progress(documents: dict[str, int], *, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    """A bar over the documents of all tasks, with the time that is left; on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield lambda task, n: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=sum(documents.values()))
        yield lambda task, n: progress.update(bar, advance=n, description=task)


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
