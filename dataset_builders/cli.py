"""`ita-med data`: list, pull, build, verify, mirror, card, leakage, push."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ita_med import catalogue
from ita_med.errors import ItaMedError, MissingPackage, MissingSource
from ita_med.files import write_whole
from ita_med.numbers import NONE
from ita_med.options import Json, Mirror
from ita_med.printing import aligned, print_json

if TYPE_CHECKING:
    from ita_med.dataset_builders.build import Built

app = typer.Typer(
    help="Datasets: list the catalogue, get raw files, build Parquet, check what you have.", no_args_is_help=True
)


@app.command("list")
def list_datasets(
    json: Json = False,
    family: Annotated[str | None, typer.Option(help="Only this family: ner, re, crf, qa, arg, corpus.")] = None,
) -> None:
    """Every known public Italian medical dataset: status, licence, access, origin."""
    rows = [d for d in catalogue.datasets() if family is None or family in d.families]
    if not rows:
        raise ItaMedError(f'no family is called "{family}"; there are {", ".join(catalogue.FAMILIES)} and corpus')
    if json:
        print_json([{name: getattr(d, name) for name in d.__dataclass_fields__} for d in rows])
        return
    table = [["id", "families", "status", "licence", "access", "origin", "size"]]
    table += [[d.id, " ".join(d.families), d.status, d.licence, d.access, d.origin, d.size] for d in rows]
    typer.echo("\n".join(aligned(table, left=7)))
    if unavailable := [f"  {d.id}: {d.reason}; {d.ask}" for d in rows if d.status == "unavailable"]:
        typer.echo("\n".join(["", "unavailable, and where to ask:", *unavailable]))


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="Dataset ids.")],
    to: Annotated[Path | None, typer.Option(help="A mirror folder; default: the download cache.")] = None,
) -> None:
    """Download the pinned raw files of datasets."""
    from ita_med import sources
    from ita_med.dataset_builders import build

    for name in names:
        module = build.builder(name)
        folder = (to or sources.cache_dir() / "sources") / name
        sources.pull(name, module.SOURCES, folder, build.pinned(name))
        typer.echo(f"{name}: {folder} (licence: {catalogue.dataset(name).licence})")


@app.command("build")
def build_datasets(
    names: Annotated[list[str] | None, typer.Argument(help="Dataset ids.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for Parquet files and READMEs.")] = Path("data"),
    mirror: Mirror = None,
    all_ready: Annotated[bool, typer.Option("--all", help="Every dataset that has a builder.")] = False,
    config: Annotated[
        list[str] | None, typer.Option(help="Only these views of one dataset; its folder is replaced all the same.")
    ] = None,
    json: Json = False,
) -> None:
    """Build datasets from their raw files into Parquet that `datasets.load_dataset(OUT, CONFIG)` reads."""
    from ita_med.dataset_builders.build import build

    chosen = [d.id for d in catalogue.datasets() if d.has_builder] if all_ready else names or []
    if not chosen:
        raise ItaMedError("name the datasets to build, or give --all")
    if config and len(chosen) > 1:
        raise ItaMedError("--config goes with one dataset")
    done = {}
    for name in chosen:  # with --all, what is not here is named and left out
        try:
            done[name] = built = build(name, out, mirror, config)
        except (MissingPackage, MissingSource) as error:
            if not all_ready:
                raise
            typer.echo(f"ita-med: not built: {error}", err=True)
            continue
        for missing, why in built.report.missing.items():
            typer.echo(f"ita-med: {name}/{missing} not built: {why}", err=True)
        if catalogue.dataset(name).status == "unverified":
            typer.echo(f"ita-med: {name} is unverified: its builder was written without the real files", err=True)
        if built.source == "embedded":
            typer.echo(f"ita-med: {name} is the synthetic sample, not the real dataset", err=True)
    if not done:
        raise ItaMedError("nothing could be built")
    if json:
        print_json({name: built.as_dict() for name, built in done.items()})
        return
    typer.echo("\n".join(_built_table(done)))


def _built_table(done: dict[str, Built]) -> list[str]:
    """One row per dataset, view and split; the seconds are those of the whole dataset. Labels stand in the READMEs."""
    table = [["dataset", "view", "split", "examples", "documents", "annotations", "relations", "dropped", "seconds"]]
    for name, built in done.items():
        for n, ((config, split), r) in enumerate(built.report.splits.items()):
            sums = [r.examples, r.documents, *(sum(kind.values()) for kind in (r.annotations, r.relations, r.dropped))]
            head = [name if n == 0 else "", config, split]
            table.append([*head, *(f"{x:,}" if x else NONE for x in sums), f"{built.seconds:.1f}" if n == 0 else ""])
    warnings: list[str] = []
    for name, built in done.items():
        kinds = [f"{kind} {n:,}" for kind, n in sorted(built.report.warnings.items()) if kind != "synthetic_sample"]
        warnings += [f"{name} {built.version}, warnings: {', '.join(kinds)}"] if kinds else []
    return [*aligned(table, left=3), *warnings]


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Dataset ids; default: all that are there.")] = None,
    mirror: Mirror = None,
    built: Annotated[Path | None, typer.Option(help="Check built Parquet in this folder instead of raw files.")] = None,
    json: Json = False,
) -> None:
    """Re-derive checksums and counts from raw files or from a built folder; one line per dataset."""
    from ita_med.dataset_builders import verify

    if built:
        folders = [folder for folder in verify.built_folders(built) if not names or folder.name in names]
        if missing := set(names or []) - {folder.name for folder in folders}:
            raise ItaMedError(f"{built} holds no {sorted(missing)[0]}")
        verdicts = [verify.built(folder) for folder in folders]
    else:
        verdicts = [verify.raw(name, mirror) for name in names or verify.present(mirror)]
    if not verdicts:
        raise ItaMedError("there is nothing to verify; name datasets, or give --mirror DIR or --built DIR")
    if json:
        print_json({verdict.dataset: verdict.as_dict() for verdict in verdicts})
    else:
        typer.echo("\n".join(verdict.line() for verdict in verdicts))
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(1)


@app.command("mirror")
def fill_mirror(
    folder: Annotated[Path, typer.Argument(help="The mirror: made, continued, or brought up to date.")],
    names: Annotated[list[str] | None, typer.Argument(help="Dataset ids.")] = None,
    all_open: Annotated[
        bool, typer.Option("--all-open", help="Every dataset that needs no permission; the others are listed.")
    ] = False,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Copy from this mirror or cache folder instead of the network.")
    ] = None,
    json: Json = False,
) -> None:
    """Fill a mirror of raw files for a machine without a network, and write its MANIFEST.json with checksums."""
    from ita_med.dataset_builders import mirror

    chosen = mirror.everything() if all_open else [catalogue.dataset(name).id for name in names or []]
    if not chosen:
        raise ItaMedError("name the datasets to mirror, or give --all-open")
    tell = (lambda _: None) if json else (lambda outcome: typer.echo(outcome.line()))
    outcomes = mirror.fill(folder, chosen, origin=origin, gated=not all_open, tell=tell)
    if json:
        print_json({outcome.dataset: outcome.__dict__ for outcome in outcomes})
    fatal = ("failed",) if all_open else ("failed", "unavailable")
    if any(outcome.state in fatal for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def card(name: Annotated[str, typer.Argument(help="Dataset id.")], mirror: Mirror = None) -> None:
    """Print the data card; with --mirror, its counts are those of the raw files there."""
    from ita_med.build_report import BuildReport
    from ita_med.dataset_builders import build, build_record, cards

    module = build.builder(name)
    if mirror is None:
        typer.echo(cards.card(name), nl=False)
        return
    files, report = build.open_files(name, mirror), BuildReport()
    for _ in build.examples(name, files=files, report=report):
        pass
    record = build_record.record(name, module.VERSION, files, report)
    typer.echo(cards.card(name, record), nl=False)


@app.command()
def leakage(
    mirror: Mirror = None,
    page: Annotated[Path | None, typer.Option(help="Write the tables as a Markdown page into this file.")] = None,
    json: Json = False,
) -> None:
    """Evaluation texts that lie in training splits, over all datasets whose files are there."""
    from rich.console import Console

    from ita_med import sources
    from ita_med.dataset_builders import build, leakage, leakage_page

    console = Console(stderr=True)
    with console.status("reading") as status:  # says nothing where stderr is no terminal
        splits, overlaps, absent = leakage.measure(mirror, lambda name: status.update(f"reading {name}"))
    synthetic = build.open_files(splits[0].dataset, mirror, download=False).kind == sources.EMBEDDED
    if page:
        text = leakage_page.page(splits, overlaps, absent, synthetic)
        write_whole(page, text + leakage_page.notes_of(page))
    if json:
        print_json({"synthetic": synthetic, "not_measured": absent, "overlaps": [o.__dict__ for o in overlaps]})
        return
    typer.echo("\n".join(aligned(leakage_page.table(overlaps), left=2)))
    typer.echo(f"{len(overlaps):,} pairs of splits compared; not there: {', '.join(absent) or 'none'}")


@app.command()
def push(
    name: Annotated[str, typer.Argument(help="Dataset id.")],
    to: Annotated[str, typer.Option(help="User or organisation on the Hub.")],
    mirror: Mirror = None,
    built: Annotated[Path | None, typer.Option(help="Take what `ita-med data build --out DIR` wrote.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Create a private repository.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Publish the synthetic sample as NAME-sample.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be committed; write nothing.")] = False,
    revision_tag: Annotated[str | None, typer.Option(help="Tag the published commit.")] = None,
) -> None:
    """Publish a dataset on the Hugging Face Hub; without data if it may not be redistributed."""
    from ita_med.dataset_builders import publish

    done = publish.push(
        name, to, mirror=mirror, built=built, sample=sample, private=private, dry_run=dry_run, tag=revision_tag
    )
    typer.echo("\n".join(publish.summary(done, dry_run)))
