"""Publish a dataset on the Hugging Face Hub: Parquet and card in one commit, as far as its licence allows.

A dataset that may not be redistributed gets a repository with its builder card alone, which says how to build it.
Synthetic samples never take the name of the real dataset.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ita_med import catalogue, checksums, sources, upload
from ita_med.catalogue import Dataset
from ita_med.dataset_builders import build, build_record, cards
from ita_med.dataset_builders.formats.json_lines import loads
from ita_med.errors import DataError, ItaMedError
from ita_med.licence_table import is_redistributable
from ita_med.version import __version__


@dataclass(frozen=True)
class PublishedDataset:
    """A change of a repository.

    Attributes:
        change: What was committed, or would be.
        withheld: Why the repository holds no data; "" if it does.
        missing: View -> why it could not be built and is not there.
    """

    change: upload.Change
    withheld: str
    missing: dict[str, str]


def why_withheld(entry: Dataset) -> str:
    """Why a dataset may not be redistributed, or "" if it may."""
    if entry.access != "open":
        return f"access to it is {entry.access}"
    if not is_redistributable(entry.licence):
        return f"its licence does not clearly allow it: {entry.licence}"
    return ""


def push(
    name: str,
    namespace: str,
    *,
    mirror: str | None = None,
    built: Path | None = None,
    sample: bool = False,
    private: bool = False,
    dry_run: bool = False,
    tag: str | None = None,
) -> PublishedDataset:
    """Publish a dataset as NAMESPACE/NAME, or its synthetic sample as NAMESPACE/NAME-sample.

    Args:
        name: The dataset.
        namespace: User or organisation on the Hub.
        mirror: Where the raw files are, as in `build.load_dataset`.
        built: What `ita-med data build NAME --out DIR` wrote; without it the dataset is built first.
        sample: Publish the embedded sample.
        private: As in `ita_med.upload.put_files`, like `dry_run` and `tag`.
        dry_run: Write nothing.
        tag: A name for the commit.
    """
    entry, module = catalogue.dataset(name), build.builder(name)
    if sample and (built or mirror not in (None, sources.EMBEDDED)):
        raise ItaMedError("--sample publishes the embedded sample; it takes neither --built nor --mirror")
    if os.environ.get(checksums.UNPINNED_VARIABLE) and not sample:
        raise ItaMedError(f"{checksums.UNPINNED_VARIABLE} is set: unset it, only the pinned versions are published")
    withheld = "" if sample else why_withheld(entry)
    repo = f"{namespace}/{name}" + ("-sample" if sample else "")
    api = upload.account(namespace)
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="ita-med-") as temporary:
        folder = Path(temporary) / name
        if withheld:
            files: dict[str, Path | bytes] = {"README.md": builder_card(entry, withheld).encode()}
        else:
            if built:
                folder = built if (built / "README.md").is_file() and not (built / name).is_dir() else built / name
            else:
                missing = build.build(name, folder.parent, sources.EMBEDDED if sample else mirror).report.missing
            files = _contents(entry, folder, repo, sample)
        change = upload.put_files(
            api,
            repo,
            "dataset",
            files,
            message=f"{name} {module.VERSION}, by ita-med {__version__}",
            stale=lambda others: _stale(name, others, {path.split("/")[0] for path in files if "/" in path}),
            private=private,
            tag=tag,
            dry_run=dry_run,
        )
    return PublishedDataset(change, withheld, missing)


def _contents(entry: Dataset, folder: Path, repo: str, sample: bool) -> dict[str, Path | bytes]:
    """Path in the repository -> file of the build, or the card as its content."""
    files: dict[str, Path | bytes] = {"README.md": _card(entry, folder, repo, sample).encode()}
    paths = [*sorted(folder.glob("*/*.parquet")), *folder.glob("croissant.json")]
    return files | {path.relative_to(folder).as_posix(): path for path in paths}


def _card(entry: Dataset, folder: Path, repo: str, sample: bool) -> str:
    """The README of a build with the Hub's metadata, the licence and the upstream version; the build is checked."""
    readme = folder / "README.md"
    if not readme.is_file():
        raise ItaMedError(f'{entry.id}: no build in {folder.parent}: run "ita-med data build {entry.id} --out DIR"')
    record = folder / build_record.RECORD_FILE
    if not record.is_file():
        raise ItaMedError(f'{entry.id}: {record} is missing: run "ita-med data build {entry.id}" again')
    text = readme.read_text("utf-8")
    if (loads(record.read_text("utf-8"))["source"] == sources.EMBEDDED) != sample:
        raise ItaMedError(
            f"{entry.id}: {folder} is the synthetic sample, which never takes the name of the real dataset; "
            f"--sample publishes it as {repo}-sample"
        )
    configs = _check_parquet(entry.id, folder)
    example = f'from datasets import load_dataset\n\nload_dataset("{repo}", "{configs[0]}")'
    after = ["## Use", "", f"```python\n{example}\n```", ""]
    if sample:
        warning = (
            f"> **This is not {entry.name}.** It is a small synthetic sample in the same format, written for ita-med "
            "to try programs on, under Apache-2.0. Nothing that is measured on it says anything about models or about "
            f"the real dataset, which is here: {entry.homepage} ({entry.licence})."
        )
        return _with_metadata(text, _of_a_sample(entry), before=[warning], after=after)
    licence = f"A conversion of upstream's files, redistributed under upstream's licence: {entry.licence}."
    if not entry.commercial:
        licence += " As a whole it is for non-commercial use only, even where single documents allow more."
    after += ["## Licence", "", licence, "", *upstream_version(entry)]
    return _with_metadata(text, {}, after=after)


def _check_parquet(name: str, folder: Path) -> list[str]:
    """The views of a build, whose files all open and have the schema of the builder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ita_med.schema import arrow_schema

    schemas = build.builder(name).CONFIGS
    paths = sorted(folder.glob("*/*.parquet"))
    if not paths:
        raise DataError(f'{name}: {folder} holds no Parquet files; run "ita-med data build {name}" again')
    for path in paths:
        config = path.parent.name
        if config not in schemas:
            raise DataError(f'{name}: {path}: there is no view "{config}", only {", ".join(schemas)}')
        try:
            found = pq.read_schema(path)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{name}: {path} is no Parquet file ({error}); build it again") from error
        if not found.equals(arrow_schema(schemas[config])):
            raise DataError(f'{name}: {path} has not the schema "{schemas[config]}"; build it again')
    return [config for config in schemas if any(path.parent.name == config for path in paths)]


def _stale(name: str, others: list[str], views: set[str]) -> list[str]:
    """Of the repository's other files, those of earlier builds, which go.

    `views` are those of this build; none means that the data are withdrawn. A build that merely lacks a view of the
    builder must not take it from the Hub.
    """
    old = [path for path in others if path.endswith(".parquet") or path == "croissant.json"]
    lost = sorted({path.split("/")[0] for path in old} & build.builder(name).CONFIGS.keys() - views)
    if views and lost:
        raise ItaMedError(f"{name}: the Hub has the view {lost[0]}, which this build lacks: build all views, then push")
    return old


def builder_card(entry: Dataset, withheld: str) -> str:
    """The README of a repository without data: what the dataset is, why it is not here, how to build it."""
    config = next(iter(build.builder(entry.id).CONFIGS))
    commands = [f"ita-med data pull {entry.id}", f"ita-med data build {entry.id} --out data"]
    before = [
        f"> **No data here.** This dataset may not be redistributed ({withheld}). Get the files from upstream, "
        f"{entry.homepage}, and build it on your own machine:",
        "",
        "```\npip install ita-med\n" + "\n".join(commands) + "\n```",
        "",
        f'```python\nimport ita_med\n\nita_med.load_dataset("{entry.id}", "{config}")\n```',
        "",
    ]
    changes = {"viewer": False, "license": "other", "license_name": entry.licence, "license_link": entry.homepage}
    return _with_metadata(cards.card(entry.id), changes, before=before, after=upstream_version(entry))


def upstream_version(entry: Dataset) -> list[str]:
    """The lines of a card on the pinned upstream files."""
    module, sums = build.builder(entry.id), build.pinned(entry.id)
    lines = [f"- {_source(source)}" for source in module.SOURCES] or [f"- {entry.source or entry.homepage}"]
    if sums:
        lines.append(f"- {len(sums)} pinned checksums (sha256), verified when the dataset is built")
    else:
        lines.append(
            "- no pinned checksum: the files could not be compared with those that the builder was written for"
        )
    return ["## Upstream version", "", *lines, "", f"Builder version {module.VERSION}, ita-med {__version__}."]


def _source(source: sources.Source) -> str:
    """Where upstream's files are, and which commit or revision."""
    match source:
        case sources.GitHub():
            return f"https://github.com/{source.repo}, commit {source.commit}"
        case sources.Hub():
            note = " (a branch: not pinned)" if source.revision == "main" else ""
            return f"https://huggingface.co/datasets/{source.repo}, revision {source.revision}{note}"
        case sources.Zenodo():
            return f"https://doi.org/10.5281/zenodo.{source.record}"
        case sources.Url():
            return source.url


def _of_a_sample(entry: Dataset) -> dict[str, Any]:
    """The Hub's metadata in which a synthetic sample differs from the dataset; ours, so under our licence."""
    return {
        "license": "apache-2.0",
        "license_name": None,
        "license_link": None,
        "pretty_name": f"{entry.name} (synthetic sample)",
        "tags": ["medical", "clinical", "ita-med", "synthetic"],
    }


def _with_metadata(
    readme: str, changes: dict[str, Any], *, before: Sequence[str] = (), after: Sequence[str] = ()
) -> str:
    """The card with some of the Hub's metadata changed (None: left out), and lines before and after its text."""
    from huggingface_hub import RepoCard

    card = RepoCard(readme)
    for key, value in changes.items():
        setattr(card.data, key, value)
    card.text = "\n".join([*before, card.text.strip("\n"), "", *after]).rstrip("\n") + "\n"
    return f"{card}"


def summary(published: PublishedDataset, dry_run: bool = False) -> list[str]:
    """Lines for people: what was committed, or would be, and what was left out and why."""
    change = published.change
    lines = [f"{change.repo}: without the view {view}: {why}" for view, why in published.missing.items()]
    if published.withheld:
        lines.append(f"{change.repo}: only the builder card, without data, because {published.withheld}")
    if change.empty:
        return [*lines, f"{change.repo}: up to date, no new commit ({change.commit[:8]})"]
    what = f"{len(change.added)} files ({change.size / 2**20:.1f} MiB)"
    if change.deleted:
        what += f", {len(change.deleted)} outdated ones deleted"
    if dry_run:
        listed = [f"  + {path}" for path in change.added] + [f"  - {path}" for path in change.deleted]
        return [*lines, f"{change.repo}: would commit {what}; nothing was written", *listed]
    return [*lines, f"{change.repo}: {what}, commit {change.commit[:8]}: {change.url}"]
