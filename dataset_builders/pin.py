"""Write a builder's SHA256SUMS and counts.json from a mirror that holds the upstream version to pin.

    python -m ita_med.dataset_builders.pin NAME DIR

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


def pin(name: str, mirror: str, to: Path) -> None:
    """Read the dataset from the mirror, whose files need not be the pinned ones, and write both files into `to`."""
    if mirror == sources.EMBEDDED:
        raise ItaMedError("the embedded sample is not to be pinned; name a mirror of real files")
    files, report, module = build.open_files(name, mirror), BuildReport(), build.builder(name)
    for config, split, group in module.read(files, list(module.CONFIGS), report):
        report.split(config, split).count(group)
    lines = [f"{digest}  {path}\n" for path, digest in build_record.condense(files.seen).items()]
    write_whole(to / checksums.CHECKSUM_FILE, "".join(lines))
    write_json(to / build_record.COUNTS_FILE, build_record.counts(module.VERSION, report))


if __name__ == "__main__":
    dataset, place = sys.argv[1:]
    pin(dataset, place, build_record.folder(dataset))
