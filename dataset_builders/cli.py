"""`ita-med data`: list, pull, build, push."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ita_med import catalogue
from ita_med.errors import ItaMedError, MissingPackage
from ita_med.printing import aligned, print_json

if TYPE_CHECKING:
    from ita_med.dataset_builders.build import Built

app = typer.Typer(help="Datasets: list the catalogue, get raw files, build Parquet.", no_args_is_help=True)

Mirror = Annotated[
    str | None,
    typer.Option(
        help='Folder of raw files, one sub-folder per dataset, or "embedded" (synthetic samples). '
        "Default: $ITA_MED_MIRROR, else the download cache, else the network."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


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
    for name in chosen:
        try:
            done[name] = built = build(name, out, mirror, config)
        except MissingPackage as error:
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
    if json:
        print_json({name: built.as_dict() for name, built in done.items()})
        return
    for name, built in done.items():
        _print_built(name, built)


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


def _print_built(name: str, built: Built) -> None:
    typer.echo(f"{name} {built.version} ({built.source}, {built.seconds:.1f} s)")
    for (config, split), r in built.report.splits.items():
        counts = [f"{r.examples:,} examples", f"{r.documents:,} documents" if r.documents else ""]
        counts += [f"{label} {n:,}" for kind in (r.annotations, r.relations) for label, n in sorted(kind.items())]
        counts += [f"dropped: {reason} {n:,}" for reason, n in sorted(r.dropped.items())]
        typer.echo(f"  {config}/{split}: " + ", ".join(c for c in counts if c))
    if built.report.warnings:
        warnings = sorted(built.report.warnings.items())
        typer.echo("  warnings: " + ", ".join(f"{kind} {n:,}" for kind, n in warnings))
