"""Write a builder's SHA256SUMS and counts.json from a mirror that holds the upstream version to pin.

    python -m ita_med.dataset_builders.pin ID MIRROR

A folder of more than a thousand files is pinned by one digest over all of them. Run it again whenever the builder's
VERSION changes; `ita-med data verify` compares with what it wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ita_med import checksums, sources
from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build, build_record
from ita_med.errors import ItaMedError
from ita_med.files import write_json, write_whole

USAGE = "usage: python -m ita_med.dataset_builders.pin ID MIRROR"


def pin(name: str, mirror: str, to: Path) -> None:
    """Read a dataset from a mirror, whose files need not be the pinned ones, and write SHA256SUMS and counts.json.

    Args:
        name: The dataset.
        mirror: A folder with a folder `name` of the real upstream files.
        to: The folder of the two files.

    Raises:
        ItaMedError: The files are not what the builder expects.
    """
    files, report, module = build.open_files(name, mirror), BuildReport(), build.builder(name)
    for config, split, group in module.read(files, list(module.CONFIGS), report):
        report.split(config, split).count(group)
    lines = [f"{digest}  {path}\n" for path, digest in build_record.condense(files.seen).items()]
    write_whole(to / checksums.CHECKSUM_FILE, "".join(lines))
    write_json(to / build_record.COUNTS_FILE, build_record.counts(module.VERSION, report))


def refuse_sample(name: str, mirror: str) -> None:
    """An error where the mirror is the embedded sample, or holds a copy of it instead of upstream's files."""
    if mirror == sources.EMBEDDED:
        raise ItaMedError(f"{name}: the embedded sample is not to be pinned; name a mirror of real files")
    sample, folder = build_record.folder(name) / "sample", Path(mirror) / name
    same = [
        (folder / path.relative_to(sample)).is_file()
        and (folder / path.relative_to(sample)).read_bytes() == path.read_bytes()
        for path in sample.rglob("*")
        if path.is_file()
    ]
    if same and all(same):
        raise ItaMedError(f"{name}: {folder} holds the files of the embedded sample, which are not to be pinned")


def checkout_folder(name: str) -> Path:
    """The folder of a builder in a checkout; an error in an installed package, which is no place to write to."""
    folder = build_record.folder(name)
    if not (Path(__file__).parents[1] / "pyproject.toml").is_file():
        raise ItaMedError(f"{name}: {folder} is in an installed package; run this in a checkout, PYTHONPATH=CHECKOUT")
    return folder


def main(arguments: list[str]) -> None:
    """`python -m ita_med.dataset_builders.pin ID MIRROR`."""
    if len(arguments) != 2:
        raise ItaMedError(USAGE)
    name, mirror = arguments
    refuse_sample(name, mirror)
    pin(name, mirror, checkout_folder(name))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ItaMedError, OSError) as error:
        sys.exit(f"ita-med: {error}")
