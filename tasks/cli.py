"""`ita-med tasks`, and the commands `eval`, `score` and `report`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ita_med import catalogue
from ita_med.files import write_whole
from ita_med.options import Json, Mirror
from ita_med.printing import aligned, print_json

app = typer.Typer(help="Tasks: list them, show a prompt.", no_args_is_help=True)


@app.command("list")
def list_tasks(json: Json = False) -> None:
    """All tasks: family, data, in or out of distribution, status."""
    rows = catalogue.tasks()
    if json:
        print_json([{name: getattr(task, name) for name in task.__dataclass_fields__} for task in rows])
        return
    table = [["task", "family", "dataset", "ID/OOD", "headline", "status", "title"]]
    table += [[t.id, t.family.upper(), t.dataset, t.distribution.upper(), t.headline, t.status, t.title] for t in rows]
    typer.echo("\n".join(aligned(table, left=7)))


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="Task name, with or without ita_med_.")],
    shots: Annotated[int, typer.Option(help="Few-shot examples in front of the document.")] = 0,
    number: Annotated[int, typer.Option(help="Which document, from 0.")] = 0,
    mirror: Mirror = None,
) -> None:
    """Print a task's prompt for one document, and the right answer."""
    from ita_med.errors import ItaMedError
    from ita_med.tasks.benchmark.task_data import load

    data = load(task, mirror)
    if not 0 <= number < len(data.examples) or not 0 <= shots <= len(data.shots):
        raise ItaMedError(f"{data.task.id} has {len(data.examples)} documents and {len(data.shots)} shots")
    turns = [f"{data.prompt(shot)} {data.target(shot)}" for shot in data.shots[:shots]]
    example = data.examples[number]
    typer.echo("\n\n".join([data.instruction(), *turns, data.prompt(example)]))
    typer.echo(f"\n--- right answer ({example.id}) ---\n{data.target(example)}")


@app.command("path")
def yaml_path() -> None:
    """The folder of the YAML files, for `lm_eval --include_path`."""
    typer.echo(Path(__file__).parent / "lm_eval")


def evaluate(
    model: Annotated[str, typer.Option(help="lm-eval model type: hf, vllm, local-completions, …, or baseline.")],
    out: Annotated[
        Path, typer.Option(help="Folder for predictions, results and manifest: a new one, or that of a stopped run.")
    ],
    model_args: Annotated[str, typer.Option("--model_args", help="As for lm_eval, e.g. pretrained=ORG/NAME.")] = "",
    tasks: Annotated[str, typer.Option(help="Tasks and groups, separated by commas.")] = "ita_med",
    num_fewshot: Annotated[int, typer.Option("--num_fewshot", min=0, max=8, help="Shots from the train split.")] = 0,
    apply_chat_template: Annotated[
        bool, typer.Option("--apply_chat_template", help="Instruction as system turn, shots as turns.")
    ] = False,
    batch_size: Annotated[str, typer.Option("--batch_size", help="A number, or auto.")] = "auto",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:0, mps; default: the model type's own.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N documents; never for submission.")] = None,
    seed: Annotated[int, typer.Option(help="For models that draw.")] = 0,
    constrained: Annotated[
        bool, typer.Option("--constrained", help="Constrained decoding: every answer has the form that was asked for.")
    ] = False,
    verbatim: Annotated[
        bool, typer.Option("--verbatim", help="The same, and mentions are words of the text (hf only).")
    ] = False,
    declare: Annotated[
        list[str] | None,
        typer.Option(
            help="What the board shows of the model: licence=…, open_weights=true, parameters=MILLIONS, "
            "model_type=…, trained_on=TASK,TASK."
        ),
    ] = None,
    keep_raw: Annotated[
        bool, typer.Option("--keep_raw", help="Also write every text as generated to OUT/raw; not for publication.")
    ] = False,
    mirror: Mirror = None,
    json: Json = False,
) -> None:
    """Evaluate a model on tasks and write a submission folder; after a stop, the same command goes on."""
    from ita_med.tasks import report as reports
    from ita_med.tasks.benchmark import model_facts
    from ita_med.tasks.evaluation.eval_run import Run
    from ita_med.tasks.evaluation.evaluate import evaluate as run_model

    run = Run(model, model_args, num_fewshot, apply_chat_template, limit, batch_size, device, seed)
    run.constrained = "verbatim" if verbatim else "schema" if constrained else ""
    stated = model_facts.stated(declare or [])
    wanted = [name.strip() for name in tasks.split(",") if name.strip()]
    results = run_model(run, wanted, out, mirror, keep_raw=keep_raw, declare=stated)
    if json:
        print_json(results)
    else:
        typer.echo(reports.text([reports.read_run(out)]))
        typer.echo(f"\nWritten to {out}")


def score(
    run: Annotated[
        Path | None, typer.Argument(help="A submission folder, or a folder of TASK.jsonl or of lm-eval's samples.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Score one predictions file: its task.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="JSON Lines of {id, answer} or {id, raw}, or lm-eval's samples_*.jsonl.")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Missing, unknown or duplicate ids are an error.")] = False,
    mirror: Mirror = None,
    json: Json = False,
) -> None:
    """Score predictions from scratch: no model, no lm-eval."""
    from ita_med.errors import ItaMedError
    from ita_med.tasks.benchmark import predictions as reader

    if (run is None) == (task is None or predictions is None):
        raise ItaMedError("give a submission folder, or --task TASK --predictions FILE")
    if run is None:
        assert task is not None
        assert predictions is not None
        files = {task: predictions}
    else:
        files, older = reader.files(run)
        for name in older:
            typer.echo(f"ita-med: {name} left aside: there is a newer one", err=True)
    scored = reader.score_files(files, mirror, strict=strict)
    for name, path in files.items():
        _warn(path, scored[name])
    if json:
        print_json(_as_results(scored) if run is not None else next(iter(scored.values())))
        return
    for scores in scored.values():
        _print_scores(scores["task"], scores)


def _as_results(scored: dict[str, Any]) -> dict[str, Any]:
    """All tasks of a folder, in the form of results.json."""
    from ita_med import sources
    from ita_med.version import BENCHMARK_VERSION

    synthetic = any(scores["data"] == sources.EMBEDDED for scores in scored.values())
    return {"benchmark_version": BENCHMARK_VERSION, "synthetic": synthetic, "limited": False, "tasks": scored}


def _warn(path: Path, scores: dict[str, Any]) -> None:
    for kind in ("missing", "unknown", "duplicate"):
        if scores[kind]:
            message = f'{path}: {len(scores[kind])} {kind} ids, the first is "{scores[kind][0]}"'
            typer.echo(f"ita-med: {message}", err=True)


def _print_scores(name: str, scores: dict[str, Any]) -> None:
    synthetic = " (SYNTHETIC SAMPLE)" if scores["data"] == "embedded" else ""
    typer.echo(f"{name}{synthetic}: {scores['n']:,} documents, {len(scores['missing']):,} missing")
    for metric, value in scores["metrics"].items():
        typer.echo(f"  {metric:<22} {100 * value:6.2f} ± {100 * scores['stderr'][metric]:.2f}")


def report(
    runs: Annotated[list[Path] | None, typer.Argument(help="Submission folders.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="The run that deltas refer to: its folder, model or method; default: the first.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text, markdown, latex, csv, html or json.")] = "text",
    out: Annotated[Path | None, typer.Option(help="Write to this file; default: print.")] = None,
    id_only: Annotated[bool, typer.Option("--id-only", help="In-distribution tasks only.")] = False,
    ood_only: Annotated[bool, typer.Option("--ood-only", help="Out-of-distribution tasks only.")] = False,
    reference: Annotated[bool, typer.Option("--reference", help="Show the published table of the paper too.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a self-contained HTML page.")] = None,
    mirror: Mirror = None,
    json: Json = False,
) -> None:
    """Compare runs: the family table with deltas, 95 % intervals and paired tests; ID and OOD apart."""
    from ita_med.errors import ItaMedError
    from ita_med.tasks import report as reports

    if not runs and not reference:
        raise ItaMedError("name at least one submission folder")
    if id_only and ood_only:
        raise ItaMedError("--id-only and --ood-only leave no task")
    form = "json" if json else form
    if form not in reports.FORMATS:
        raise ItaMedError(f'no format is called "{form}"; there are {", ".join(reports.FORMATS)}')
    parts = ["id"] if id_only else ["ood"] if ood_only else None
    found = reports.build(runs or [], baseline=baseline, mirror=mirror, parts=parts, with_reference=reference)
    if html:
        write_whole(html, reports.render(found, "html"))
    if out:
        write_whole(out, reports.render(found, form))
    else:
        typer.echo(reports.render(found, form), nl=False)


TOP_LEVEL: dict[str, Callable[..., None]] = {"eval": evaluate, "score": score, "report": report}
