"""`ita-med study`: one command per kind, `run` for a YAML file, `report` to make tables and figure again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ita_med.errors import ItaMedError
from ita_med.options import Json, Mirror
from ita_med.printing import print_json

app = typer.Typer(
    help="Studies of many runs: learning curve, adaptation, small against large, cost, out of distribution.",
    no_args_is_help=True,
)

Recipes = Annotated[list[str] | None, typer.Argument(help="Recipes to train: names, or YAML files.", metavar="RECIPE…")]
Out = Annotated[Path | None, typer.Option(help="Folder of the study: a new one, or that of a stopped one.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a value of all recipes.", metavar="K=V")]
Tasks = Annotated[str, typer.Option(help="Tasks to evaluate, separated by commas; default: those trained on.")]
Sizes = Annotated[str, typer.Option(help="Training examples per task, separated by commas; all: every one.")]
Seeds = Annotated[str, typer.Option(help="Seeds, separated by commas.")]
Shots = Annotated[int, typer.Option(min=1, max=8, help="Shots of the few-shot runs.")]
Constrained = Annotated[bool, typer.Option("--constrained", help="Ask trained models with constrained decoding.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N documents; never for submission.")]
Batch = Annotated[str, typer.Option("--batch_size", help="A number, or auto.")]
Metric = Annotated[str, typer.Option(help="score, or another metric of the tasks, such as f1_macro.")]
Lang = Annotated[str, typer.Option(help="Language of the figure: en or it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print runs, tokens and time; write nothing.")]
Drop = Annotated[bool, typer.Option("--drop-weights", help="Delete each model once its runs are finished.")]
Runs = Annotated[list[Path] | None, typer.Option("--run", help="A submission folder made elsewhere, to be shown too.")]

CURVE, ALL_SEEDS = "25,50,100,200,300,all", "0,1,2"


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _go(
    values: dict[str, Any], out: Path | None, mirror: str | None, lang: str, dry_run: bool, drop: bool, json: bool
) -> None:
    from ita_med.training.studies.study import from_dict

    _perform(from_dict(values, "study"), out, mirror, lang, dry_run=dry_run, drop=drop, json=json)


def _perform(
    study: Any, out: Path | None, mirror: str | None, lang: str, *, dry_run: bool, drop: bool, json: bool
) -> None:
    """Run what is not run, then report."""
    from ita_med.training import sft
    from ita_med.training.studies import dry_run as dry
    from ita_med.training.studies import execute, report
    from ita_med.training.studies.found import WORDS

    if lang not in WORDS:
        raise ItaMedError(f'no language "{lang}"; there are {", ".join(WORDS)}')
    if out is None and not dry_run:
        raise ItaMedError("--out names the folder of the study; --dry-run needs none")
    sft.quiet()
    opened = execute.open_study(study, out or Path("study"), mirror)
    if dry_run:
        sft.require_packages()
        typer.echo("\n".join(dry.lines(opened, dry.expect(opened))))
        return
    assert out is not None
    if opened.plan.cells:
        sft.require_packages()
    execute.execute(opened, drop_weights=drop)
    _print(report.make(study, out, mirror=opened.mirror, lang=lang), out, json)


def _print(found: Any, out: Path, json: bool) -> None:
    from ita_med.training.studies import report

    if json:
        print_json({"notes": found.notes, "answers": found.answers, "records": found.records})
        return
    typer.echo("\n".join(report.lines(found)))
    typer.echo(f"\nWritten to {out}: table.md, .csv, .tex, .json, figure.svg, .html")


@app.command("learning-curve")
def learning_curve(
    recipes: Recipes = None,
    out: Out = None,
    tasks: Tasks = "",
    sizes: Sizes = CURVE,
    seeds: Seeds = ALL_SEEDS,
    changes: Changes = None,
    constrained: Constrained = False,
    limit: Limit = None,
    batch_size: Batch = "auto",
    metric: Metric = "score",
    lang: Lang = "en",
    mirror: Mirror = None,
    dry_run: DryRun = False,
    drop_weights: Drop = False,
    json: Json = False,
) -> None:
    """Train on 25, 50, … examples with several seeds: how many are enough?"""
    values = {
        "kind": "learning-curve", "recipes": recipes or [], "tasks": _split(tasks), "sizes": _split(sizes),
        "seeds": _split(seeds), "changes": changes or [], "constrained": constrained, "limit": limit,
        "batch_size": batch_size, "metric": metric,
    }  # fmt: skip
    _go(values, out, mirror, lang, dry_run, drop_weights, json)


@app.command("adaptation")
def adaptation(
    recipe: Annotated[str, typer.Argument(help="The recipe of fine-tuning; its model is adapted in every way.")],
    cpt: Annotated[str | None, typer.Option(help="A recipe of continual pre-training of the same model.")] = None,
    cpt_changes: Annotated[
        list[str] | None, typer.Option("--set-cpt", help="Change a value of that recipe.", metavar="K=V")
    ] = None,
    methods: Annotated[str, typer.Option(help="Some of zero-shot,few-shot,constrained,both,ft,cpt,cpt-ft.")] = "",
    out: Out = None,
    tasks: Tasks = "",
    seeds: Seeds = ALL_SEEDS,
    shots: Shots = 4,
    changes: Changes = None,
    constrained: Constrained = False,
    runs: Runs = None,
    limit: Limit = None,
    batch_size: Batch = "auto",
    metric: Metric = "score",
    lang: Lang = "en",
    mirror: Mirror = None,
    dry_run: DryRun = False,
    drop_weights: Drop = False,
    json: Json = False,
) -> None:
    """Zero-shot, few-shot, constrained, both, FT, CPT, CPT and FT of one model."""
    values = {
        "kind": "adaptation", "recipes": [recipe], "cpt": cpt, "cpt_changes": cpt_changes or [],
        "methods": _split(methods), "tasks": _split(tasks), "seeds": _split(seeds), "shots": shots,
        "changes": changes or [], "constrained": constrained, "runs": list(map(str, runs or [])), "limit": limit,
        "batch_size": batch_size, "metric": metric,
    }  # fmt: skip
    _go(values, out, mirror, lang, dry_run, drop_weights, json)


@app.command("small-vs-large")
def small_vs_large(
    recipes: Recipes = None,
    large: Annotated[
        list[Path] | None, typer.Option(help="Submission folder of a large model, prompted; may be repeated.")
    ] = None,
    runs: Runs = None,
    out: Out = None,
    tasks: Tasks = "",
    sizes: Sizes = CURVE,
    seeds: Seeds = ALL_SEEDS,
    changes: Changes = None,
    constrained: Constrained = False,
    limit: Limit = None,
    batch_size: Batch = "auto",
    metric: Metric = "f1_macro",
    lang: Lang = "en",
    mirror: Mirror = None,
    dry_run: DryRun = False,
    drop_weights: Drop = False,
    json: Json = False,
) -> None:
    """Small trained models by number of examples against large prompted ones, tasks by difficulty.

    --run takes the finished runs of a learning curve (CURVE/runs/NAME), so that nothing is trained twice.
    """
    values = {
        "kind": "small-vs-large", "recipes": recipes or [], "large": list(map(str, large or [])),
        "runs": list(map(str, runs or [])), "tasks": _split(tasks), "sizes": _split(sizes), "seeds": _split(seeds),
        "changes": changes or [], "constrained": constrained, "limit": limit, "batch_size": batch_size,
        "metric": metric,
    }  # fmt: skip
    _go(values, out, mirror, lang, dry_run, drop_weights, json)


@app.command("cost")
def cost(
    recipes: Recipes = None,
    large: Annotated[
        list[Path] | None, typer.Option(help="Submission folder of a large model, prompted; may be repeated.")
    ] = None,
    runs: Runs = None,
    configs: Annotated[
        list[str] | None,
        typer.Option("--config", help="Where config.json and tokenizer of a run's model lie.", metavar="RUN=FOLDER"),
    ] = None,
    small_hour: Annotated[float, typer.Option(help="€ per hour of the small model's machine.")] = 0.0,
    large_hour: Annotated[float, typer.Option(help="€ per hour of the large model's machine.")] = 0.0,
    large_million_input: Annotated[float, typer.Option(help="€ per million tokens that an API reads.")] = 0.0,
    large_million_output: Annotated[float, typer.Option(help="€ per million tokens that an API writes.")] = 0.0,
    example: Annotated[float, typer.Option(help="€ of annotating one training example.")] = 0.0,
    kwh: Annotated[float, typer.Option(help="€ per kWh, where energy was measured.")] = 0.0,
    methods: Annotated[str, typer.Option(help="How the small model is prompted beside, e.g. few-shot,both.")] = "",
    out: Out = None,
    tasks: Tasks = "",
    seeds: Seeds = "0",
    shots: Shots = 4,
    changes: Changes = None,
    limit: Limit = None,
    batch_size: Batch = "auto",
    lang: Lang = "en",
    mirror: Mirror = None,
    dry_run: DryRun = False,
    drop_weights: Drop = False,
    json: Json = False,
) -> None:
    """FLOPs, time, energy and € of training a small model and of prompting; break-even number of documents."""
    prices = {
        "small_hour": small_hour, "large_hour": large_hour, "large_million_input": large_million_input,
        "large_million_output": large_million_output, "example": example, "kwh": kwh,
    }  # fmt: skip
    values = {
        "kind": "cost", "recipes": recipes or [], "large": list(map(str, large or [])),
        "runs": list(map(str, runs or [])), "configs": configs or [], "prices": prices, "methods": _split(methods),
        "tasks": _split(tasks), "seeds": _split(seeds), "shots": shots, "changes": changes or [], "limit": limit,
        "batch_size": batch_size,
    }  # fmt: skip
    _go(values, out, mirror, lang, dry_run, drop_weights, json)


@app.command("ood")
def ood(
    recipes: Recipes = None,
    runs: Runs = None,
    methods: Annotated[str, typer.Option(help="How the model is prompted beside, e.g. few-shot,both.")] = "",
    out: Out = None,
    tasks: Tasks = "",
    seeds: Seeds = ALL_SEEDS,
    shots: Shots = 4,
    changes: Changes = None,
    constrained: Constrained = False,
    limit: Limit = None,
    batch_size: Batch = "auto",
    metric: Metric = "score",
    lang: Lang = "en",
    mirror: Mirror = None,
    dry_run: DryRun = False,
    drop_weights: Drop = False,
    json: Json = False,
) -> None:
    """In distribution against out of distribution: drops with intervals, and whether systems drop differently."""
    values = {
        "kind": "ood", "recipes": recipes or [], "runs": list(map(str, runs or [])), "methods": _split(methods),
        "tasks": _split(tasks), "seeds": _split(seeds), "shots": shots, "changes": changes or [],
        "constrained": constrained, "limit": limit, "batch_size": batch_size, "metric": metric,
    }  # fmt: skip
    _go(values, out, mirror, lang, dry_run, drop_weights, json)


@app.command("run")
def run_file(
    file: Annotated[Path, typer.Argument(help="YAML file of a study: kind, recipes, sizes, seeds, …")],
    out: Out = None,
    lang: Lang = "en",
    mirror: Mirror = None,
    dry_run: DryRun = False,
    drop_weights: Drop = False,
    json: Json = False,
) -> None:
    """Run a study from its file; after a stop, the same command goes on."""
    from ita_med.training.studies.study import load

    _perform(load(file), out, mirror, lang, dry_run=dry_run, drop=drop_weights, json=json)


@app.command("report")
def report_again(
    out: Annotated[Path, typer.Argument(help="Folder of a study.")],
    lang: Lang = "en",
    mirror: Mirror = None,
    json: Json = False,
) -> None:
    """Make tables and figure again, from the submission folders alone: no model is needed."""
    from ita_med.training.studies import execute, report

    study = execute.stored(out)
    assert study is not None
    _print(report.make(study, out, mirror=mirror, lang=lang), out, json)
