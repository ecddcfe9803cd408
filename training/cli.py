"""`ita-med train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ita_med.errors import ItaMedError
from ita_med.numbers import NONE
from ita_med.options import Json, Mirror
from ita_med.printing import aligned, print_json

if TYPE_CHECKING:
    from ita_med.training.plan.training_plan import TrainingPlan


def train(
    recipe: Annotated[str | None, typer.Argument(help="A recipe's name, or a YAML file; none: list them.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value: train.epochs=2, model.path=DIR, …", metavar="K=V")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the result: a new one, or that of a stopped run.")
    ] = None,
    mirror: Mirror = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print data, tokens, memory, time and licences; write nothing.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="A training example that repeats an evaluated text is an error.")
    ] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Also write OUT/merged: base and adapter in one model.")
    ] = False,
    accelerate: Annotated[
        str | None,
        typer.Option(help="Several devices: fsdp1, fsdp2, zero1, zero2, zero3, multi_gpu, or accelerate's YAML file."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="With --accelerate: number of processes, if not the profile's.")
    ] = None,
    json: Json = False,
) -> None:
    """Fine-tune or pre-train a model by a recipe, or train encoders; after a stop, the same command goes on."""
    from ita_med.training import recipe as recipes

    if recipe is None:
        typer.echo("\n".join(recipes.names()))
        return
    chosen = recipes.load(recipes.find(recipe), changes)
    if accelerate:
        raise typer.Exit(_launch(accelerate, processes))
    if dry_run:
        from ita_med.training.plan.training_plan import plan

        _print_plan(plan(chosen, mirror, strict=strict), out, merge, json)
        return
    if out is None:
        raise ItaMedError("--out names the folder of the run; --dry-run needs none")
    from ita_med.training.backend.devices import is_first
    from ita_med.training.train import train as train_by

    manifest = train_by(chosen, out, mirror, strict=strict, merge=merge)
    if is_first():
        if json:
            print_json(manifest)
        else:
            _print_result(manifest, out)


def _launch(profile: str, processes: int | None) -> int:
    """The same command through accelerate, without these two options."""
    import subprocess
    import sys

    from ita_med.training.backend.libraries import require_packages

    require_packages()
    number = ["--num_processes", str(processes)] if processes else []
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(_profile(profile)), *number]
    return subprocess.run([*launcher, "-m", "ita_med.cli", *_without_launch(sys.argv[1:])]).returncode


def _profile(name: str) -> Path:
    """An accelerate configuration: a file, or one of those that come with TRL."""
    from ita_med.borrowed.trl_inside import accelerate_profiles

    if Path(name).is_file():
        return Path(name)
    known = accelerate_profiles()
    if name not in known:
        raise ItaMedError(f"--accelerate {name}: no such file, nor one of {', '.join(known)}")
    return known[name]


def _without_launch(arguments: list[str]) -> list[str]:
    kept, skip = [], False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if skip or name in ("--accelerate", "--processes"):
            skip = not skip and not equals
            continue
        kept.append(argument)
    return kept


def _print_plan(plan: TrainingPlan, out: Path | None, merge: bool, json: bool) -> None:
    from ita_med.training.plan.dry_run import lines, refusals
    from ita_med.training.record import licences, run_folder

    if json:
        import dataclasses

        print_json(
            {
                "recipe": run_folder.as_run(plan.recipe),
                "data": plan.counts,
                **plan.facts,
                "licences": licences.of_data(plan.counts),
                "may_not_be_published": refusals(plan),
                "estimate": dataclasses.asdict(plan.estimate) | {"memory_gib": plan.estimate.memory_gib},
            }
        )
    else:
        typer.echo("\n".join(lines(plan, out, merge)))


def _print_result(manifest: dict[str, Any], out: Path) -> None:
    table = [["data", "rows", "tokens", "left out"]]
    for name, counts in manifest["data"].items():
        left = sum(counts.get("leaking", {}).values()) + counts.get("too_long", 0)
        rows = counts.get("rows", counts.get("documents", 0))
        table.append([name, f"{rows:,}", f"{counts['tokens']:,}" if "tokens" in counts else NONE, f"{left:,}"])
    loss = manifest["loss"]
    typer.echo("\n".join(aligned(table, left=1)))
    typer.echo(f"\nloss {loss['first']} → {loss['last']} in {manifest['steps']:,} steps, {manifest['tokens']:,} tokens")
    typer.echo(f"Written to {out}")


def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run of ita-med train.", metavar="RUN")],
    to: Annotated[str, typer.Option(help="Repository on the Hub: ORG/NAME.")],
    results: Annotated[
        list[Path] | None,
        typer.Option(help="Submission folders of the model, its base or the floors, for the card. May be repeated."),
    ] = None,
    mirror: Mirror = None,
    weights: Annotated[str, typer.Option(help="all, adapter or merged.")] = "all",
    base: Annotated[
        str | None, typer.Option(help="Hub id of the run that this one started from, where that was a folder.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Create a private repository.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be committed, and the card.")] = False,
    allow_synthetic: Annotated[
        bool, typer.Option("--allow-synthetic", help="Publish a run on the synthetic sample, marked as such.")
    ] = False,
    permitted: Annotated[
        list[str] | None,
        typer.Option(help="Data whose owners permit you to publish, where their licence does not. May be repeated."),
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Data set on the Hub for which .eval_results are entered.")
    ] = None,
) -> None:
    """Publish a trained model on the Hugging Face Hub, with a card, as far as the licences of its data allow."""
    from ita_med.training.publish import hub_model as publishing

    done = publishing.publish(
        run, to, results or [], mirror=mirror, weights=weights, base=base, private=private, dry_run=dry_run,
        allow_synthetic=allow_synthetic, permitted=permitted or [], benchmark=benchmark or publishing.BENCHMARK,
    )  # fmt: skip
    if dry_run:
        typer.echo(done.card)
    typer.echo("\n".join(publishing.summary(done, dry_run)))


def predict(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run of encoders.")],
    out: Annotated[Path, typer.Option(help="New folder for predictions, manifest and results.")],
    tasks: Annotated[str, typer.Option(help="Tasks or groups, separated by commas.")] = "ita_med",
    mirror: Mirror = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first N documents of a task; such a run cannot be submitted.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences that are read at once.")] = 32,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, …; default: a GPU if there is one.")] = None,
    declare: Annotated[
        list[str] | None,
        typer.Option(
            help="For the leaderboard: licence=…, open_weights=true; also overrules what is read.", metavar="K=V"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Answer tasks with a run of encoders: the submission folder that ita-med eval writes."""
    from ita_med.tasks import report as reports
    from ita_med.tasks.benchmark import model_facts
    from ita_med.training.encoders.predict import predict as answer

    results = answer(
        run, out, [name.strip() for name in tasks.split(",") if name.strip()], mirror, limit=limit,
        batch_size=batch_size, device=device, declare=model_facts.stated(declare or []),
    )  # fmt: skip
    if json:
        print_json(results)
        return
    typer.echo(reports.text([reports.read_run(out)]))
    typer.echo(f"\nWritten to {out}")


TOP_LEVEL: dict[str, Callable[..., None]] = {"train": train, "predict": predict, "publish": publish}
