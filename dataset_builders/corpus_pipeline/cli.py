"""`ita-med corpus`: build, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ita_med.options import Json, Mirror
from ita_med.printing import print_json

app = typer.Typer(help="Corpora: clean, de-duplicate and decontaminate texts for pre-training.", no_args_is_help=True)


@app.command()
def build(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="DATASET or DATASET:CONFIG of the catalogue (e3c:layer3), or a file, folder or pattern of JSON Lines "
            "(.jsonl, .gz, .zst) or Parquet with a column `text`.",
            metavar="SOURCE…",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the corpus; an earlier corpus there is replaced.")],
    workers: Annotated[int, typer.Option(min=1, help="Tasks that run at the same time.")] = 1,
    tasks: Annotated[
        int | None, typer.Option(min=1, help="Parts that the input is cut into; default: one per 32 MiB.")
    ] = None,
    executor: Annotated[str, typer.Option(help="local, slurm or ray (datatrove's executors).")] = "local",
    recipe: Annotated[Path | None, typer.Option(help="YAML file of settings; default: all steps.")] = None,
    mirror: Mirror = None,
    restart: Annotated[bool, typer.Option("--restart", help="Throw an unfinished run away.")] = False,
    json: Json = False,
) -> None:
    """Build a corpus. A run that was killed goes on where it was when the command is repeated."""
    from ita_med.dataset_builders.corpus_pipeline import build_corpus, corpus_recipe

    settings = corpus_recipe.read_recipe(recipe) if recipe else corpus_recipe.CorpusRecipe()
    done = build_corpus.build(
        sources, out, settings, mirror=mirror, tasks=tasks, workers=workers, executor=executor, restart=restart
    )
    if done is None:
        logs = build_corpus.work_folder(out.absolute()) / "logs"
        typer.echo(f"submitted; the corpus will be in {out}, the logs are in {logs}")
    else:
        _print(done, json)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A built corpus.")],
    json: Json = False,
) -> None:
    """What each step did to a built corpus."""
    from ita_med.dataset_builders.corpus_pipeline.build_corpus import read_report

    _print(read_report(folder), json)


def _print(done: dict[str, Any], json: bool) -> None:
    from ita_med.dataset_builders.corpus_pipeline.corpus_report import markdown

    if json:
        print_json(done)
    else:
        typer.echo(markdown(done).split("---\n", 2)[-1].strip())
