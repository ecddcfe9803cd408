"""`ita-med leaderboard`: check and submit runs, run the board, its queue, its accounts and its backups."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ita_med.options import Json, Mirror
from ita_med.printing import aligned, print_json

if TYPE_CHECKING:
    from sqlalchemy import Engine

app = typer.Typer(help="Leaderboard: check and submit runs, serve the board.", no_args_is_help=True)
TOKEN_VARIABLE = "ITA_MED_TOKEN"
Database = Annotated[
    str, typer.Option("--db", envvar="ITA_MED_DB", help="SQLite file, or postgresql://… (then better as ITA_MED_DB).")
]
RunArgument = Annotated[
    Path, typer.Argument(help="The folder of ita-med eval, or of lm-eval with --log_samples; or its zip.")
]
DEFAULT = "board.sqlite"


def _connect(database: str) -> Engine:
    from ita_med.errors import MissingPackage

    try:
        from ita_med.leaderboard.database import store
    except ImportError as error:
        raise MissingPackage("the leaderboard", "leaderboard", error) from error
    return store.connect(database)


@app.command()
def check(run: RunArgument, mirror: Mirror = None, json: Json = False) -> None:
    """Check a submission line by line and score it, as the board would; needs no network and sends nothing."""
    from ita_med.leaderboard.submissions.check import check as check_files
    from ita_med.leaderboard.submissions.submission import read_folder

    checked = check_files(read_folder(run), mirror)
    if json:
        scores = {s.task: 100 * s.metrics["score"] for s in checked.scores}
        print_json({"accepted": checked.accepted, "problems": checked.problems, "scores": scores})
    elif checked.accepted:
        table = [["task", "score", "documents"]]
        table += [[s.task, f"{100 * s.metrics['score']:.1f}", f"{s.n:,}"] for s in checked.scores]
        typer.echo("\n".join(aligned(table, left=1)))
        typer.echo(f"\n{run} would be accepted")
    _refuse(run, checked.problems, quiet=json)


def _refuse(run: Path, problems: list[str], *, quiet: bool = False) -> None:
    """End with 1 where there are problems."""
    if not problems:
        return
    if not quiet:
        for problem in problems:
            typer.echo(f"ita-med: {problem}", err=True)
        typer.echo(f"ita-med: {run} is not accepted; repair it and try again", err=True)
    raise typer.Exit(1)


@app.command()
def submit(
    run: RunArgument,
    to: Annotated[str, typer.Option(help="The board's address, as https://board.example.org.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only let the board check it.")] = False,
    provenance: Annotated[str, typer.Option(help="For maintainers: reproduced, or floor.")] = "re-scored",
) -> None:
    """Send a run to a board; the token is read from the environment variable ITA_MED_TOKEN."""
    from ita_med.leaderboard.submissions.send import send

    answer = send(run, to, os.environ.get(TOKEN_VARIABLE, ""), dry_run=dry_run, provenance=provenance)
    _refuse(run, answer.problems)
    typer.echo(answer.message)


@app.command()
def serve(
    db: Database = DEFAULT,
    mirror: Mirror = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback want TLS in front.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 7860,
    demo: Annotated[
        bool, typer.Option("--demo", help="Fill an empty board: from --mirror with real runs, else with the sample's.")
    ] = False,
    run: Annotated[
        list[Path] | None, typer.Option(help="With --demo: a run of yours on the same data, to add.")
    ] = None,
    quota: Annotated[int, typer.Option(min=0, help="Accepted submissions of a user per day.")] = 10,
    posts: Annotated[int, typer.Option(min=1, help="Requests of a user, and of an address, per minute.")] = 60,
    checkers: Annotated[int, typer.Option(min=0, help="Processes that check uploads; 0: inside the server.")] = 2,
    contact: Annotated[str, typer.Option(help="How to reach the maintainers, shown on the page About.")] = "",
    shell: Annotated[
        bool, typer.Option("--shell/--plain", help="Load Gradio as the frame of the pages, or leave it out.")
    ] = True,
) -> None:
    """Run the board until it is stopped. Whom it lets sign in stands in the environment (docs/leaderboard.md)."""
    from ita_med import sources
    from ita_med.errors import MissingPackage

    try:
        from ita_med.leaderboard.server import run_server
        from ita_med.leaderboard.sign_in.providers import configured
        from ita_med.leaderboard.web.settings import Settings
    except ImportError as error:
        raise MissingPackage("the board", "leaderboard", error) from error
    sign_in = configured(os.environ)
    engine = _connect(db)
    if demo:
        from ita_med.leaderboard.demo import seed

        mirror = mirror or sources.EMBEDDED
        seed(engine, run or [], mirror)
    settings = Settings(
        quota=quota, user_per_minute=posts, address_per_minute=posts, check_processes=checkers, patience=0.1, pace=20.0,
        contact=contact, shell=shell, sign_in=sign_in,
    )  # fmt: skip
    run_server(engine, mirror, settings, host, port)


@app.command()
def queue(
    model: Annotated[
        str | None, typer.Argument(help="A model of the Hub, ORG/NAME; without it: show the queue.")
    ] = None,
    revision: Annotated[str, typer.Option(help="Commit, branch or tag.")] = "",
    method: Annotated[str, typer.Option(help="zero-shot, 4-shot, or either + CD.")] = "zero-shot",
    user: Annotated[str, typer.Option(help="Who asks.")] = "",
    db: Database = DEFAULT,
    json: Json = False,
) -> None:
    """Show the queue of models, or add one."""
    engine = _connect(db)
    from ita_med.leaderboard.database import accounts, jobs, store

    with store.writing(engine) as connection:
        jobs.requeue(connection)
        if model is not None:
            number, new = jobs.enqueue(connection, accounts.find_user(connection, user), model, revision, method)
            typer.echo(f"job {number}" if new else f"job {number} is there already")
            return
        found = jobs.jobs(connection)
    if json:
        print_json([vars(job) for job in found])
        return
    table = [["job", "state", "position", "attempts", "model", "method", "message"]]
    for job in found:
        place = "" if job.position is None else str(job.position)
        table.append([str(job.id), job.state, place, str(job.attempts), job.model, job.method, job.message])
    typer.echo("\n".join(aligned(table, left=7)))


@app.command()
def work(
    db: Database = DEFAULT,
    mirror: Mirror = None,
    folder: Annotated[Path, typer.Option(help="Where the runs are written.")] = Path("runs"),
    show: Annotated[
        bool, typer.Option("--print", help="Print the next job for another machine; take nothing.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Stop when the queue is empty.")] = False,
) -> None:
    """Evaluate the models of the queue, one after the other, until stopped."""
    import platform
    import time

    engine = _connect(db)
    from ita_med.leaderboard import worker
    from ita_med.leaderboard.database import jobs

    if show:
        with engine.begin() as connection:
            waiting = [job for job in jobs.jobs(connection) if job.state == "queued"]
        typer.echo(worker.printed(waiting[0]) if waiting else "nothing waits")
        return
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            job = worker.work(engine, f"{platform.node()[:40]}-{os.getpid()}", folder, mirror)
        except jobs.JobTakenAway as error:
            typer.echo(f"ita-med: {error}", err=True)
            continue
        if job is not None:
            typer.echo(f"job {job.id}: {job.model} ended")
        elif once:
            return
        else:
            time.sleep(10)


@app.command()
def user(
    name: Annotated[str, typer.Argument(help="3 to 40 letters, digits, dots, dashes or underscores.")],
    role: Annotated[str, typer.Option(help="submitter or maintainer.")] = "submitter",
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete the user's personal data; the scores stay, without a name.")
    ] = False,
    db: Database = DEFAULT,
) -> None:
    """Add a user, or forget one."""
    engine = _existing(db) if forget else _connect(db)
    from ita_med.leaderboard.database import accounts, store

    with store.writing(engine) as connection:
        if forget:
            accounts.forget(connection, accounts.find_user(connection, name))
            typer.echo(f'forgot "{name}"; older backups still hold the name')
            return
        accounts.add_user(connection, name, role)
    typer.echo(f'added; now: ita-med leaderboard token "{name}"')


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="The user; with --revoke the middle part of the token.")],
    label: Annotated[str, typer.Option(help="What the token is for.")] = "",
    days: Annotated[int, typer.Option(help="How long it is valid; 0: until it is revoked.")] = 365,
    revoke: Annotated[bool, typer.Option("--revoke", help="Make a token useless.")] = False,
    db: Database = DEFAULT,
) -> None:
    """Make a token of a user; it is shown once and kept as a hash."""
    engine = _connect(db)
    from ita_med.leaderboard.database import accounts, store

    with store.writing(engine) as connection:
        if revoke:
            accounts.revoke_token(connection, name)
            typer.echo("revoked")
        else:
            typer.echo(accounts.issue_token(connection, accounts.find_user(connection, name), label, days or None))


@app.command()
def backup(out: Annotated[Path, typer.Argument(help="A new file.")], db: Database = DEFAULT) -> None:
    """Copy the database while the board runs."""
    engine = _existing(db)
    from ita_med.leaderboard.database.backup import backup as copy

    copy(engine, out)
    typer.echo(f"Written to {out}")


@app.command()
def restore(source: Annotated[Path, typer.Argument(help="A file of backup.")], db: Database = DEFAULT) -> None:
    """Put a backup in place as a new database; an existing one is never overwritten."""
    from ita_med.errors import ItaMedError
    from ita_med.leaderboard.database.backup import restore as put

    if "://" in db:
        raise ItaMedError("restore writes an SQLite file; for PostgreSQL use pg_restore")
    put(source, Path(db))
    typer.echo(f"Restored as {db}")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A folder.")],
    db: Database = DEFAULT,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="The runs on the embedded sample.")] = False,
) -> None:
    """Write the board as a site of plain HTML pages and as CSV, JSON, Markdown, LaTeX and BibTeX files."""
    engine = _existing(db)
    from ita_med.leaderboard.publish import static_site, table_files
    from ita_med.leaderboard.results.ranking import Board

    for path in table_files.write(Board(engine), out, synthetic=synthetic):
        typer.echo(path)
    written = static_site.write(engine, out, synthetic=synthetic)
    typer.echo(f"{written[0]} and {len(written) - 1} files of its pages")


@app.command()
def publish(
    to: Annotated[str, typer.Option(help="A dataset of the Hub, ORG/NAME; it is made where there is none.")],
    db: Database = DEFAULT,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The runs on the embedded sample; NAME ends in -sample.")
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="Create a private repository.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be committed; write nothing.")] = False,
) -> None:
    """Publish the results as a dataset of the Hub: scores and what is declared; no predictions, no user names."""
    engine = _existing(db)
    from ita_med.leaderboard.publish import hub_dataset

    change = hub_dataset.publish(engine, to, synthetic=synthetic, private=private, dry_run=dry_run)
    typer.echo(_changed(change, dry_run))


@app.command()
def deploy(
    space: Annotated[str, typer.Option(help="A Space of the Hub, ORG/NAME; it is made where there is none.")],
    bucket: Annotated[str, typer.Option(help="ORG/NAME of a private bucket for backups and gold data: /data.")] = "",
    secret: Annotated[
        list[str] | None, typer.Option(help="Name of an environment variable that becomes a secret; repeatable.")
    ] = None,
    wheel: Annotated[Path | None, typer.Option(help="Install this wheel instead of the release.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Create a private Space.")] = False,
    sign_in: Annotated[
        bool, typer.Option("--sign-in", help="Let people sign in with their account of the Hub.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
) -> None:
    """Run the board as a Docker Space."""
    from ita_med.leaderboard.publish import hub_space

    done = hub_space.deploy(
        space, bucket=bucket, secrets=secret, wheel=wheel, private=private, dry_run=dry_run, sign_in=sign_in
    )
    typer.echo(_changed(done.change, dry_run))
    would = "would get " if dry_run else ""
    if done.bucket:
        typer.echo(f"  {would}bucket {done.bucket} at /data: backups of the board; put the gold data into /data/mirror")
    for name in done.secrets:
        typer.echo(f"  {would}secret {name}")


def _changed(change: Any, dry_run: bool) -> str:
    if change.empty:
        return f"{change.url}: nothing to change"
    done = "would be committed" if dry_run else f"committed as {change.commit[:8]}"
    lines = [f"  {path}" for path in change.added] + [f"  {path} (deleted)" for path in change.deleted]
    return "\n".join([f"{change.url}: {done}", *lines])


def _existing(db: str) -> Any:
    """The database, which must be there: a mistyped path is no new board."""
    from ita_med.errors import ItaMedError

    if "://" not in db and not Path(db).is_file():
        raise ItaMedError(f"{db}: no such database")
    return _connect(db)
