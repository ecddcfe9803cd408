"""Build a corpus: plan the parts, hand the stages to one of datatrove's executors, move the result into its place."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TextIO

import orjson

from ita_med import sources
from ita_med.dataset_builders.corpus_pipeline import corpus_report, decontaminate, inputs, steps
from ita_med.dataset_builders.corpus_pipeline.corpus_recipe import CorpusRecipe
from ita_med.errors import ItaMedError
from ita_med.files import replace_folder, write_whole

EXECUTORS = ("local", "slurm", "ray")


@dataclass(frozen=True)
class Stage:
    """Steps that run one after the other on each document, once per task; the next stage waits for all tasks."""

    name: str
    pipeline: list[Callable[..., Any]]
    tasks: int


@dataclass(frozen=True)
class Finish:
    """One task: the reports, then the result takes its place in one move."""

    work: steps.Work
    out: Path

    def __call__(self, data: None, rank: int, world_size: int) -> None:
        result = self.work.result()
        if not result.exists():  # killed between the move and the mark that it is done
            return
        plan = orjson.loads(self.work.plan().read_bytes())
        made = corpus_report.make(self.work.root, plan)
        made["fingerprint"] = plan["fingerprint"]
        (result / "report.json").write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2))
        (result / "README.md").write_text(corpus_report.markdown(made), "utf-8")
        for left in result.rglob(".*"):  # half a file of a task that was killed and ran again under another process id
            left.unlink()
        replace_folder(result, self.out)


def stages(recipe: CorpusRecipe, work: steps.Work, tasks: int, out: Path) -> list[Stage]:
    """All stages in order; each needs the one before it to be complete."""
    clean: list[Callable[..., Any]] = [steps.Read(work)]
    if recipe.normalise.on:
        clean.append(steps.Normalise(recipe))
    clean += [steps.Filter(recipe, work), steps.Keep(recipe, work)]
    write: list[Callable[..., Any]] = [steps.Remaining(work)]
    if recipe.personal_data.on:
        write.append(steps.ReplacePersonalData(recipe, work))
    return [
        Stage("clean", clean, tasks),
        Stage("exact", [steps.FindExact(work, tasks)], 1),
        Stage("match", [steps.Match(recipe, work)], tasks),
        Stage("decide", [steps.Decide(recipe, work, tasks)], 1),
        Stage("write", [*write, steps.Write(recipe, work)], tasks),
        Stage("finish", [Finish(work, out)], 1),
    ]


def work_folder(out: Path) -> Path:
    """Where an unfinished run lies: beside the result, so that the last move stays on one file system."""
    return out.parent / f".{out.name}.work"


def build(
    chosen: list[str],
    out: Path,
    recipe: CorpusRecipe,
    *,
    mirror: str | None = None,
    tasks: int | None = None,
    workers: int = 1,
    executor: str = "local",
    restart: bool = False,
) -> dict[str, Any] | None:
    """Build the corpus of the chosen sources in `out` and return its report; None if a cluster will finish it."""
    if executor not in EXECUTORS:
        raise ItaMedError(f'no executor is called "{executor}"; there are {", ".join(EXECUTORS)}')
    _require_packages()
    out = out.absolute()
    _check_out(out)
    work = steps.Work(work_folder(out))
    if restart:
        shutil.rmtree(work.root, ignore_errors=True)
    fingerprint = _fingerprint(chosen, recipe, mirror, tasks)
    if not restart and not work.root.exists() and (done := _finished(out, fingerprint)):
        return done
    _prepare(chosen, recipe, mirror, tasks, fingerprint, work)
    count = len(orjson.loads(work.plan().read_bytes())["parts"])
    all_stages = stages(recipe, work, count, out)
    if executor == "local":
        _run_local(all_stages, work, workers)
        shutil.rmtree(work.root)
        return read_report(out)
    chain = (
        slurm_chain(all_stages, work, recipe, workers)
        if executor == "slurm"
        else _ray(all_stages, work, recipe, workers)
    )
    for each in chain:
        each.run()
    if executor == "slurm":
        return None
    shutil.rmtree(work.root)
    return read_report(out)


def _require_packages() -> None:
    from importlib.util import find_spec

    for module in ("datatrove", "ftfy", "spacy", "presidio_analyzer", "py3langid", "xxhash", "zstandard"):
        if find_spec(module) is None:
            raise ItaMedError(f'the corpus pipeline needs the package {module}: pip install "ita-med[corpora]"')


def _check_out(out: Path) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "report.json").is_file())):
        raise ItaMedError(f"{out} exists and is no corpus of ita-med; name another folder")


def _fingerprint(chosen: list[str], recipe: CorpusRecipe, mirror: str | None, tasks: int | None) -> str:
    """Of everything that the result depends on; files are known by their size and time of change."""
    named: list[Any] = []
    for source in chosen:
        if inputs.is_view(source):
            named.append([source, mirror or os.environ.get(sources.MIRROR_VARIABLE, "")])
        else:
            found = inputs.find_files(source)
            named.append([source, *([name, p.stat().st_size, p.stat().st_mtime_ns] for p, name in found)])
    content = orjson.dumps([named, recipe.settings(), mirror, tasks], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()


def _finished(out: Path, fingerprint: str) -> dict[str, Any] | None:
    if not (out / "report.json").is_file():
        return None
    found = read_report(out)
    return found if found.get("fingerprint") == fingerprint else None


def read_report(out: Path) -> dict[str, Any]:
    """The report of a built corpus, from its report.json; an error says what the folder holds instead."""
    path = out / "report.json"
    if not path.is_file():
        hint = (
            f"; an unfinished run lies in {work_folder(out.absolute())}" if work_folder(out.absolute()).exists() else ""
        )
        raise ItaMedError(f"{out} holds no corpus (report.json is missing){hint}")
    try:
        return dict(orjson.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise ItaMedError(f"{path} is not a report of ita-med ({error})") from error


def _prepare(
    chosen: list[str], recipe: CorpusRecipe, mirror: str | None, tasks: int | None, fingerprint: str, work: steps.Work
) -> None:
    """Write the plan: views of the catalogue as files, the parts, the index of labelled texts. The plan is written
    last: a run that was killed before it begins anew."""
    if work.plan().is_file():
        if orjson.loads(work.plan().read_bytes())["fingerprint"] != fingerprint:
            raise ItaMedError(
                f"{work.root} holds an unfinished run with other sources or settings; "
                "repeat that command to finish it, or give --restart to throw it away"
            )
        return
    shutil.rmtree(work.root, ignore_errors=True)
    work.root.mkdir(parents=True)
    files: list[tuple[Path, str]] = []
    described = []
    for n, source in enumerate(chosen):
        kind = "files"
        found = inputs.find_files(source) if not inputs.is_view(source) else []
        if not found:
            folder = work.root / "views" / f"{n:03}"
            kind = inputs.write_view(source, mirror, folder)
            found = inputs.find_files(str(folder))
        files += [(p, name if len(chosen) == 1 else f"{n}/{name}") for p, name in found]
        described.append({"source": source, "from": kind})
    if recipe.decontaminate.on:
        decontaminate.build_index(recipe.decontaminate, mirror, work.index())
    parts = inputs.parts(list(inputs.pieces(files)), tasks)
    plan = {
        "fingerprint": fingerprint,
        "settings": recipe.settings(),
        "inputs": described,
        "parts": [[astuple(piece) for piece in part] for part in parts],
    }
    write_whole(work.plan(), orjson.dumps(plan))


def _run_local(all_stages: list[Stage], work: steps.Work, workers: int) -> None:
    import multiprocess

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if workers > 1:
        # workers are forked from a process that has already imported what they need
        multiprocess.set_forkserver_preload([steps.__name__, "datatrove.executor.local"])
    with _quiet(work.root / "log.txt") as stderr:
        from datatrove.executor.local import LocalPipelineExecutor

        executors = {
            stage.name: LocalPipelineExecutor(
                stage.pipeline,
                tasks=stage.tasks,
                workers=min(workers, stage.tasks),
                logging_dir=str(_logging_dir(work, stage)),
            )
            for stage in all_stages
        }
        with _progress(executors, stderr):
            for executor in executors.values():
                executor.run()


def _logging_dir(work: steps.Work, stage: Stage) -> Path:
    return work.root / "logs" / stage.name


def slurm_chain(all_stages: list[Stage], work: steps.Work, recipe: CorpusRecipe, workers: int) -> list[Any]:
    """The last of a chain of datatrove's Slurm executors, each of which waits for the one before it.

    Running the last submits all.
    """
    from datatrove.executor.slurm import SlurmPipelineExecutor

    options = {"time": "24:00:00", "mem_per_cpu_gb": 4} | recipe.slurm
    if "partition" not in options:
        raise ItaMedError('--executor slurm needs a recipe with "slurm: {partition: NAME}"')
    last = None
    for stage in all_stages:
        last = SlurmPipelineExecutor(
            stage.pipeline,
            tasks=stage.tasks,
            workers=workers if workers > 1 else -1,
            job_name=f"ita-med-{stage.name}",
            logging_dir=str(_logging_dir(work, stage)),
            depends=last,
            **options,
        )
    return [last]


def _ray(all_stages: list[Stage], work: steps.Work, recipe: CorpusRecipe, workers: int) -> Iterator[Any]:
    """datatrove's Ray executors, to be run one after the other."""
    from importlib.util import find_spec

    if find_spec("ray") is None:
        raise ItaMedError("--executor ray needs the package ray: pip install ray")
    from datatrove.executor.ray import RayPipelineExecutor

    for stage in all_stages:
        yield RayPipelineExecutor(
            stage.pipeline,
            tasks=stage.tasks,
            workers=min(workers, stage.tasks),
            logging_dir=str(_logging_dir(work, stage)),
            **recipe.ray,
        )


@contextmanager
def _quiet(log: Path) -> Iterator[TextIO]:
    """Send what datatrove and its workers print to a file; yields the real stderr. An error keeps its one line."""
    from loguru import logger

    sys.stderr.flush()
    kept = os.dup(2)
    with log.open("a") as opened, os.fdopen(kept, "w") as stderr, redirect_stderr(opened):
        os.dup2(opened.fileno(), 2)
        logger.remove()
        try:
            yield stderr
        finally:
            logger.remove()
            stderr.flush()
            os.dup2(kept, 2)


@contextmanager
def _progress(executors: dict[str, Any], stderr: TextIO) -> Iterator[None]:
    """A bar over the tasks of all stages, on a terminal. executors: name of the stage -> datatrove's executor."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=stderr)
    if not console.is_terminal:
        yield
        return
    stop = threading.Event()
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("clean", total=sum(executor.tasks for executor in executors.values()))

        def watch() -> None:
            while not stop.wait(0.5):
                left = {name: len(executor.get_incomplete_ranks()) for name, executor in executors.items()}
                name = next((name for name in left if left[name]), "finish")
                done = sum(executor.tasks for executor in executors.values()) - sum(left.values())
                progress.update(bar, completed=done, description=name)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
