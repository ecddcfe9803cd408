"""`ita-med tasks`, and the commands `eval`, `score` and `report`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ita_med import catalogue
from ita_med.dataset_builders.cli import Json, Mirror
from ita_med.printing import aligned, print_json

app = typer.Typer(help="Tasks: list them, show a prompt.", no_args_is_help=True)


@app.command("list")
def list_tasks(json: Json = False) -> None:
    """The 20 tasks: family, data, in or out of distribution, status."""
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
    from ita_med.tasks.benchmark import load

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
    out: Annotated[Path, typer.Option(help="New folder for manifest, predictions and results.")],
    model_args: Annotated[str, typer.Option("--model_args", help="As for lm_eval, e.g. pretrained=ORG/NAME.")] = "",
    tasks: Annotated[str, typer.Option(help="Tasks and groups, separated by commas.")] = "ita_med",
    num_fewshot: Annotated[int, typer.Option("--num_fewshot", min=0, max=8, help="Shots from the train split.")] = 0,
    apply_chat_template: Annotated[
        bool, typer.Option("--apply_chat_template", help="Instruction as system turn, shots as turns.")
    ] = False,
    batch_size: Annotated[str, typer.Option("--batch_size", help="A number, or auto.")] = "1",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:0, mps; default: the model type's own.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N documents; never for submission.")] = None,
    seed: Annotated[int, typer.Option(help="For models that draw.")] = 0,
    constrained: Annotated[
        bool, typer.Option("--constrained", help="Constrained decoding: every answer has the form that was asked for.")
    ] = False,
    verbatim: Annotated[
        bool, typer.Option("--verbatim", help="The same, and mentions are words of the text (hf only).")
    ] = False,
    mirror: Mirror = None,
    json: Json = False,
) -> None:
    """Evaluate a model on tasks and write a submission folder."""
    from ita_med.tasks import report as reports
    from ita_med.tasks.evaluate import Run
    from ita_med.tasks.evaluate import evaluate as run_model

    run = Run(model, model_args, num_fewshot, apply_chat_template, limit, batch_size, device, seed)
    run.constrained = "verbatim" if verbatim else "schema" if constrained else ""
    results = run_model(run, [name.strip() for name in tasks.split(",") if name.strip()], out, mirror)
    if json:
        print_json(results)
    else:
        typer.echo(reports.text([reports.read_run(out)]))
        typer.echo(f"\nWritten to {out}")


def score(
    run: Annotated[Path | None, typer.Argument(help="A submission folder: all its predictions are scored.")] = None,
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

    if (run is None) == (task is None or predictions is None):
        raise ItaMedError("give a submission folder, or --task TASK --predictions FILE")
    if run is not None:
        from ita_med.tasks.evaluate import score_folder

        results = score_folder(run, mirror=mirror, strict=strict)
        if json:
            print_json(results)
        else:
            for name, scored in results["tasks"].items():
                _print_scores(name, scored)
        return
    from ita_med.tasks import predictions as reader
    from ita_med.tasks.benchmark import load

    assert task is not None
    assert predictions is not None
    scores = reader.score(predictions, load(task, mirror), strict=strict).as_dict()
    for kind in ("missing", "unknown", "duplicate"):
        if scores[kind]:
            message = f'{predictions}: {len(scores[kind])} {kind} ids, the first is "{scores[kind][0]}"'
            typer.echo(f"ita-med: {message}", err=True)
    if json:
        print_json(scores)
    else:
        _print_scores(scores["task"], scores)


def _print_scores(name: str, scores: dict[str, Any]) -> None:
    synthetic = " (SYNTHETIC SAMPLE)" if scores["data"] == "embedded" else ""
    typer.echo(f"{name}{synthetic}: {scores['n']:,} documents, {len(scores['missing']):,} missing")
    for metric, value in scores["metrics"].items():
        typer.echo(f"  {metric:<22} {100 * value:6.2f} ± {100 * scores['stderr'][metric]:.2f}")


def report(
    runs: Annotated[list[Path], typer.Argument(help="Submission folders.")],
    html: Annotated[Path | None, typer.Option(help="Also write a self-contained HTML page.")] = None,
    json: Json = False,
) -> None:
    """The family table of one or more runs: NER, RE, CRF, QA, ARG and their mean; ID and OOD apart."""
    from ita_med.tasks import report as reports

    rows = [reports.read_run(folder) for folder in runs]
    if html:
        temporary = html.with_name(f".{html.name}")
        temporary.write_text(reports.html(rows), "utf-8")
        temporary.replace(html)
    if json:
        print_json(reports.as_dict(rows))
    else:
        typer.echo(reports.text(rows))


TOP_LEVEL: dict[str, Callable[..., None]] = {"eval": evaluate, "score": score, "report": report}
