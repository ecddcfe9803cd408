"""What lies beside a builder (checksums, expected counts, card text), and the record of what a build read and counted.

A built folder holds its record as `report.json`: dataset, data version, where the files came from ("mirror", "cache",
"embedded"), their sha256, counts by config and split, warnings. It says no time and no place: the same files give the
same bytes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from ita_med import catalogue, checksums, sources
from ita_med.build_report import BuildReport

RECORD_FILE = "report.json"
COUNTS_FILE = "counts.json"
MAX_FILES_PER_FOLDER = 1000


DATASETS = Path(__file__).parent / "datasets"


def folder(name: str) -> Path:
    """The folder of a builder, which holds card.md, SHA256SUMS, counts.json and sample/."""
    return DATASETS / catalogue.dataset(name).id


def pinned(name: str) -> dict[str, str]:
    """Upstream path -> sha256 of the files that the builder was written for."""
    path = folder(name) / checksums.CHECKSUM_FILE
    return checksums.read_checksums(path.read_text("utf-8")) if path.is_file() else {}


def expected(name: str) -> dict[str, Any] | None:
    """The counts that the pinned files give: version, configs, warnings; None where nobody saw the real files."""
    path = folder(name) / COUNTS_FILE
    return orjson.loads(path.read_bytes()) if path.is_file() else None


def condense(digests: dict[str, str], limit: int = MAX_FILES_PER_FOLDER) -> dict[str, str]:
    """Path -> sha256, where a folder of more than `limit` files becomes one entry ("FOLDER/")."""
    sizes = Counter(path.rpartition("/")[0] for path in digests)
    large = [f"{name}/" for name, n in sizes.items() if n > limit]
    kept = {path: digest for path, digest in digests.items() if f"{path.rpartition('/')[0]}/" not in large}
    kept |= {name: checksums.folder_digest(digests, name) for name in large}
    return dict(sorted(kept.items()))


def counts(version: str, report: BuildReport) -> dict[str, Any]:
    """The countable part of a build, in the order of names: what counts.json holds."""
    plain = report.as_dict()
    return {"version": version, "configs": dict(sorted(plain["configs"].items())), "warnings": plain["warnings"]}


def record(name: str, version: str, files: sources.RawFiles, report: BuildReport) -> dict[str, Any]:
    """The content of report.json: which files were read, and the counts."""
    head = {"dataset": name, "source": files.kind, "files": condense(files.seen)}
    return head | counts(version, report)
