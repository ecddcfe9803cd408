"""`ita-med study`: one command per kind, `run` for a YAML file, `report` to make tables and figure again."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ita_med.errors import ItaMedError
from ita_med.options import Json, Mirror
from ita_med.printing import print_json

if TYPE_CHECKING:
    from ita_med.training.studies.findings.findings import Findings
    from ita_med.training.studies.study import Study

app = typer.Typer(
    help="Studies of many runs: learning curve, adaptation, small against large, cost, out of distribution.",
    no_args_is_help=True,
)

Out = Annotated[Path | None, typer.Option(help="Folder of the study: a new one, or that of a stopped one.")]
Lang = Annotated[str, typer.Option(help="Language of the figure: en or it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print runs, tokens and time; write nothing.")]
Drop = Annotated[bool, typer.Option("--drop-weights", help="Delete each model once its runs are finished.")]


def _option(kind: Any, default: Any, text: str, *names: str, **more: Any) -> tuple[Any, Any]:
    """What typer reads of a parameter: its annotation and its default."""
    return Annotated[kind, typer.Option(*names, help=text, **more)], default


def _argument(kind: Any, default: Any, text: str, **more: Any) -> tuple[Any, Any]:
    return Annotated[kind, typer.Argument(help=text, **more)], default


NEEDED = inspect.Parameter.empty
TEXTS, FOLDERS = list[str] | None, list[Path] | None
OPTIONS: dict[str, tuple[Any, Any]] = {
    "recipes": _argument(TEXTS, None, "Recipes to train: names, or YAML files.", metavar="RECIPE…"),
    "recipe": _argument(str, NEEDED, "The recipe of fine-tuning; its model is adapted in every way."),
    "cpt": _option(str | None, None, "A recipe of continual pre-training of the same model."),
    "cpt_changes": _option(TEXTS, None, "Change a value of that recipe.", "--set-cpt", metavar="K=V"),
    "large": _option(FOLDERS, None, "Submission folder of a large model, prompted; may be repeated."),
    "runs": _option(FOLDERS, None, "A submission folder made elsewhere, to be shown too.", "--run"),
    "configs": _option(
        TEXTS, None, "Where config.json and tokenizer of a run's model lie.", "--config", metavar="RUN=FOLDER"
    ),
    "small_hour": _option(float, 0.0, "€ per hour of the small model's machine."),
    "large_hour": _option(float, 0.0, "€ per hour of the large model's machine."),
    "large_million_input": _option(float, 0.0, "€ per million tokens that an API reads."),
    "large_million_output": _option(float, 0.0, "€ per million tokens that an API writes."),
    "example": _option(float, 0.0, "€ of annotating one training example."),
    "kwh": _option(float, 0.0, "€ per kWh, where energy was measured."),
    "out": (Out, None),
    "tasks": _option(str, "", "Tasks to evaluate, separated by commas; default: those trained on."),
    "sizes": _option(str, "25,50,100,200,300,all", "Training examples per task, separated by commas; all: every one."),
    "seeds": _option(str, "0,1,2", "Seeds, separated by commas."),
    "shots": _option(int, 4, "Shots of the few-shot runs.", min=1, max=8),
    "changes": _option(TEXTS, None, "Change a value of all recipes.", "--set", metavar="K=V"),
    "constrained": _option(bool, False, "Ask trained models with constrained decoding.", "--constrained"),
    "limit": _option(int | None, None, "Only the first N documents; never for submission.", min=1),
    "batch_size": _option(str, "auto", "A number, or auto.", "--batch_size"),
    "metric": _option(str, "score", "score, or another metric of the tasks, such as f1_macro."),
    "lang": (Lang, "en"),
    "mirror": (Mirror, None),
    "dry_run": (DryRun, False),
    "drop_weights": (Drop, False),
    "json": (Json, False),
}
"""All options of the kinds of studies, each described once; `methods` is described by each kind that has it."""
HANDLING = ("out", "lang", "mirror", "dry_run", "drop_weights", "json")
"""Options that say what is done with a study; all others are fields of the study."""
PRICES = ("small_hour", "large_hour", "large_million_input", "large_million_output", "example", "kwh")
SEPARATED = ("tasks", "sizes", "seeds", "methods")
"""Lists that are given as one text with commas."""


def _add(kind: str, text: str, names: str, **own: tuple[Any, Any]) -> None:
    """Add the command of a kind of study. names: its options in order; own: those that it describes by itself."""
    options = OPTIONS | own

    def command(**given: Any) -> None:
        from ita_med.training.studies.study import from_dict

        _perform(from_dict(_values(kind, given), "study"), **{name: given[name] for name in HANDLING})

    command.__doc__ = text
    shown = [(name, *options[name]) for name in names.split()]
    # typer reads the options of a command from its signature
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=a, default=d) for n, a, d in shown]
    )
    app.command(kind)(command)


def _values(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """The study that the options describe, as its YAML file would hold it."""
    values: dict[str, Any] = {"kind": kind}
    for name, value in given.items():
        if name in HANDLING:
            continue
        if name in PRICES:
            values.setdefault("prices", {})[name] = value
        elif name in SEPARATED:
            values[name] = [part.strip() for part in value.split(",") if part.strip()]
        elif name == "recipe":
            values["recipes"] = [value]
        elif name in ("runs", "large"):
            values[name] = [str(folder) for folder in value or []]
        elif name in ("recipes", "changes", "cpt_changes", "configs"):
            values[name] = value or []
        else:
            values[name] = value
    return values


LAST = "lang mirror dry_run drop_weights json"

_add(
    "learning-curve",
    "Train on 25, 50, … examples with several seeds: how many are enough?",
    f"recipes out tasks sizes seeds changes constrained limit batch_size metric {LAST}",
)
_add(
    "adaptation",
    "Zero-shot, few-shot, constrained, both, FT, CPT, CPT and FT of one model.",
    "recipe cpt cpt_changes methods out tasks seeds shots changes constrained runs limit batch_size metric " + LAST,
    methods=_option(str, "", "Some of zero-shot,few-shot,constrained,both,ft,cpt,cpt-ft."),
)
_add(
    "small-vs-large",
    """Small trained models by number of examples against large prompted ones, tasks by difficulty.

    --run takes the finished runs of a learning curve (CURVE/runs/NAME), so that nothing is trained twice.
    """,
    f"recipes large runs out tasks sizes seeds changes constrained limit batch_size metric {LAST}",
    metric=(OPTIONS["metric"][0], "f1_macro"),
)
_add(
    "cost",
    "FLOPs, time, energy and € of training a small model and of prompting; break-even number of documents.",
    f"recipes large runs configs {' '.join(PRICES)} methods out tasks seeds shots changes limit batch_size {LAST}",
    methods=_option(str, "", "How the small model is prompted beside, e.g. few-shot,both."),
    seeds=(OPTIONS["seeds"][0], "0"),
)
_add(
    "ood",
    "In distribution against out of distribution: drops with intervals, and whether systems drop differently.",
    f"recipes runs methods out tasks seeds shots changes constrained limit batch_size metric {LAST}",
    methods=_option(str, "", "How the model is prompted beside, e.g. few-shot,both."),
)


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

    _perform(load(file), out, lang, mirror, dry_run=dry_run, drop_weights=drop_weights, json=json)


@app.command("report")
def report_again(
    out: Annotated[Path, typer.Argument(help="Folder of a study.")],
    lang: Lang = "en",
    mirror: Mirror = None,
    json: Json = False,
) -> None:
    """Make tables and figure again, from the submission folders alone: no model is needed."""
    from ita_med.training.studies.findings import report
    from ita_med.training.studies.study_folder import stored

    study = stored(out)
    assert study is not None
    _print(report.make(study, out, mirror=mirror, lang=lang), out, json)


def _perform(
    study: Study, out: Path | None, lang: str, mirror: str | None, *, dry_run: bool, drop_weights: bool, json: bool
) -> None:
    """Run what is not run, then report."""
    from ita_med.training.backend.libraries import quiet, require_packages
    from ita_med.training.studies import dry_run as rehearsal
    from ita_med.training.studies.execute import execute
    from ita_med.training.studies.findings import report
    from ita_med.training.studies.findings.findings import WORDS
    from ita_med.training.studies.study_folder import open_study

    if lang not in WORDS:
        raise ItaMedError(f'no language "{lang}"; there are {", ".join(WORDS)}')
    if out is None and not dry_run:
        raise ItaMedError("--out names the folder of the study; --dry-run needs none")
    quiet()
    opened = open_study(study, out or Path("study"), mirror)
    if dry_run:
        require_packages()
        typer.echo("\n".join(rehearsal.lines(opened, rehearsal.expect(opened))))
        return
    assert out is not None
    if opened.plan.cells:
        require_packages()
    execute(opened, drop_weights=drop_weights)
    _print(report.make(study, out, mirror=opened.mirror, lang=lang), out, json)


def _print(found: Findings, out: Path, json: bool) -> None:
    from ita_med.training.studies.findings import report

    if json:
        print_json({"notes": found.notes, "answers": found.answers, "records": found.records})
        return
    typer.echo("\n".join(report.lines(found)))
    typer.echo(f"\nWritten to {out}: table.md, .csv, .tex, .json, figure.svg, .html")
