"""The `ita-med` command. Each room contributes one group; heavy imports happen inside the commands."""

from __future__ import annotations

import sys
from functools import cache
from typing import Annotated

import typer

from ita_med.errors import ItaMedError
from ita_med.version import __version__

app = typer.Typer(
    name="ita-med",
    help="Italian clinical NLP: build datasets, evaluate models on 20 tasks, score and compare results.",
    epilog="First run, no downloads: ita-med eval --model baseline --model_args kind=knn --out runs/knn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"ita-med {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@cache
def _add_rooms() -> None:
    from ita_med.dataset_builders import cli as data
    from ita_med.dataset_builders.corpus_pipeline import cli as corpus
    from ita_med.leaderboard import cli as leaderboard
    from ita_med.tasks import cli as tasks
    from ita_med.training import cli as training
    from ita_med.training.studies import cli as studies

    app.add_typer(data.app, name="data")
    app.add_typer(corpus.app, name="corpus")
    app.add_typer(tasks.app, name="tasks")
    app.add_typer(leaderboard.app, name="leaderboard")
    app.add_typer(studies.app, name="study")
    for name, command in (tasks.TOP_LEVEL | training.TOP_LEVEL).items():
        app.command(name)(command)


def make_app() -> typer.Typer:
    """The command with the groups of all rooms."""
    _add_rooms()
    return app


def main() -> None:
    """Run the command; a user's mistake prints one line on stderr and exits with 1."""
    try:
        make_app()()
    except ItaMedError as error:
        print(f"ita-med: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        print(f"ita-med: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
