"""A mirror for machines without a network: one folder of raw files per dataset, and MANIFEST.json that lists them.

The manifest says for each dataset where its files came from (upstream ids, commit or revision), their licence, sha256
and sizes, the date, and the version of ita-med. It is written after every dataset, and each dataset is put in place
whole: a run that is killed is continued by the next one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from ita_med import catalogue, checksums, sources
from ita_med.borrowed.hub_inside import noted_commits
from ita_med.dataset_builders import build
from ita_med.errors import ItaMedError, SourceError
from ita_med.files import replace_folder, write_json
from ita_med.version import __version__

MANIFEST = "MANIFEST.json"
FORMAT = 1


@dataclass
class Outcome:
    """What became of one dataset.

    Attributes:
        dataset: Its id.
        state: "filled" (fetched or copied now), "kept" (it was there), "unavailable" (the detail says where to ask),
            "failed" (the detail says why).
        detail: A few words for people.
    """

    dataset: str
    state: str
    detail: str
    files: int = 0
    bytes: int = 0

    def line(self) -> str:
        """One line for people."""
        size = f"{self.files:,} files, {self.bytes / 1e6:,.1f} MB; " if self.files else ""
        return " ".join(f"{self.dataset}: {self.state}: {size}{self.detail}".split())


# ----- the manifest --------------------------------------------------------------------------------------------------


def read_manifest(root: Path) -> dict[str, Any]:
    """The mirror's manifest; an empty one where the folder has none."""
    path = root / MANIFEST
    if not path.is_file():
        return {"format": FORMAT, "datasets": {}}
    try:
        manifest = orjson.loads(path.read_bytes())
        listed = [file for entry in manifest["datasets"].values() for file in entry["files"].values()]
        if manifest["format"] != FORMAT or not all(file["sha256"] and file["size"] >= 0 for file in listed):
            raise ValueError(f"format {manifest['format']}, expected {FORMAT}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{path} is no manifest ({error}); delete it and run ita-med data mirror again") from error
    return dict(manifest)


def differences(root: Path, name: str) -> list[str]:
    """How the files of a dataset in the mirror `root` differ from the manifest; nothing if it lists no such dataset."""
    entry = read_manifest(root)["datasets"].get(name)
    if entry is None:
        return []
    listed, there = entry["files"], set(_files(root / name))
    lines = [f"{path} is in {MANIFEST}, but not in the mirror" for path in sorted(listed.keys() - there)]
    lines += [f"{path} is not in {MANIFEST}" for path in sorted(there - listed.keys())]
    for path in sorted(listed.keys() & there):
        if (found := _sha256(root / name / path)) != listed[path]["sha256"]:
            lines.append(f"{path} has sha256 {found[:12]}…, {MANIFEST} says {listed[path]['sha256'][:12]}…")
    return lines


def _files(folder: Path) -> list[str]:
    """All files below a folder but hidden ones (the Hub's download notes among them), in path order."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(name: str, folder: Path) -> dict[str, Any]:
    """What the manifest says of a dataset whose files lie in `folder`."""
    entry = catalogue.dataset(name)
    return {
        "upstream": entry.homepage,
        "sources": upstream(name),
        "commits": noted_commits(folder),
        "licence": entry.licence,
        "access": entry.access,
        "ita_med": __version__,
        "date": datetime.now(UTC).date().isoformat(),
        "files": {p: {"sha256": _sha256(folder / p), "size": (folder / p).stat().st_size} for p in _files(folder)},
    }


def upstream(name: str) -> list[dict[str, Any]]:
    """The pinned sources of a dataset as plain data."""
    described = [{"kind": type(source).__name__, **asdict(source)} for source in build.builder(name).SOURCES]
    return list(orjson.loads(orjson.dumps(described)))


# ----- filling -------------------------------------------------------------------------------------------------------


def fill(
    root: Path,
    names: list[str],
    *,
    origin: Path | None = None,
    gated: bool = True,
    tell: Callable[[Outcome], object] = lambda _: None,
) -> list[Outcome]:
    """Bring the datasets into the mirror one by one; what cannot be had does not stop the others.

    Args:
        root: The mirror; it is made if need be.
        names: Dataset ids.
        origin: Another mirror, or a download cache's `sources` folder, from which files are copied instead of
            downloaded.
        gated: Try to download what is not openly accessible too (the user may have been given access).
        tell: Is called with each outcome as soon as it is known.
    """
    if str(root) == sources.EMBEDDED or str(origin) == sources.EMBEDDED:
        raise ItaMedError("the embedded samples are part of the package: no mirror is filled from them or into them")
    if origin and not origin.is_dir():
        raise SourceError(f"--from {origin} is not a folder")
    root.mkdir(parents=True, exist_ok=True)
    outcomes = []
    with _lock(root):
        for name in names:
            try:
                outcome = _fill_one(root, name, origin, gated)
            except (ItaMedError, OSError) as error:
                outcome = Outcome(name, "failed", str(error).removeprefix(f"{name}: "))
            else:
                _clear(root, name)
            outcomes.append(outcome)
            tell(outcome)
    return outcomes


def _clear(root: Path, name: str) -> None:
    """Remove what killed runs left of a dataset, now that it is whole (or was never there)."""
    for left in root.glob(f".{name}-*"):
        shutil.rmtree(left)


def _lock(root: Path) -> Any:
    """Two runs that fill one mirror would each forget what the other wrote into the manifest."""
    import fcntl

    file = (root / ".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ItaMedError(f"{root} is being filled by another run; wait for it") from error
    return file


def _fill_one(root: Path, name: str, origin: Path | None, gated: bool) -> Outcome:
    entry, folder = catalogue.dataset(name), root / name
    if not entry.has_builder:
        return Outcome(name, "unavailable", f"{entry.reason}; {entry.ask}")
    if _as_listed(root, name):
        return _done(root, name, "kept", "as listed")
    if folder.is_dir() and name not in read_manifest(root)["datasets"]:
        _check(root, name, folder)
        return _register(root, name, folder, "kept", "was there, is listed now")
    if origin:
        if not (origin / name).is_dir():
            return Outcome(name, "unavailable", f"{origin} does not hold it; {_where_to_ask(entry)}")
        with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}-") as partial:
            copy = Path(partial) / name
            shutil.copytree(origin / name, copy)
            _check(origin, name, copy)
            replace_folder(copy, folder)
        return _register(root, name, folder, "filled", f"copied from {origin}")
    if not build.builder(name).SOURCES or (entry.access != "open" and not gated):
        return Outcome(name, "unavailable", f"put its files into {folder} and run this again; {_where_to_ask(entry)}")
    sources.pull(name, build.builder(name).SOURCES, folder, build.pinned(name))
    return _register(root, name, folder, "filled", f"downloaded ({entry.licence})")


def _where_to_ask(entry: catalogue.Dataset) -> str:
    how = {"gated": "ask for access at", "on request": "ask its authors, see"}.get(entry.access, "see")
    return f"{how} {entry.homepage} ({entry.licence})"


def _as_listed(root: Path, name: str) -> bool:
    """Whether the manifest lists the dataset from today's sources, with files of the sizes that are there.

    Checksums are not read again here: `ita-med data verify --mirror` does that.
    """
    listed = read_manifest(root)["datasets"].get(name)
    if listed is None or listed["sources"] != upstream(name) or not (root / name).is_dir():
        return False
    sizes = {path: (root / name / path).stat().st_size for path in _files(root / name)}
    return bool(sizes == {path: file["size"] for path, file in listed["files"].items()})


def _check(origin: Path, name: str, copy: Path) -> None:
    """Files must be what their mirror's manifest lists, and plain files the pinned ones."""
    listed = read_manifest(origin)["datasets"].get(name, {"files": {}})["files"]
    expected = {path: file["sha256"] for path, file in listed.items()}
    if not os.environ.get(checksums.UNPINNED_VARIABLE):
        expected |= {path: digest for path, digest in build.pinned(name).items() if (copy / path).is_file()}
    for path, digest in expected.items():
        found = _sha256(copy / path) if (copy / path).is_file() else "none"
        if found != digest:
            raise SourceError(f"{name}: {origin / name / path} has sha256 {found[:12]}…, expected {digest[:12]}…")


def _register(root: Path, name: str, folder: Path, state: str, detail: str) -> Outcome:
    manifest = read_manifest(root)
    manifest["datasets"][name] = _entry(name, folder)
    manifest["datasets"] = dict(sorted(manifest["datasets"].items()))
    write_json(root / MANIFEST, manifest)
    return _done(root, name, state, detail)


def _done(root: Path, name: str, state: str, detail: str) -> Outcome:
    files = read_manifest(root)["datasets"][name]["files"].values()
    return Outcome(name, state, detail, len(files), sum(file["size"] for file in files))


def everything() -> list[str]:
    """Every dataset of the catalogue; the open ones with a builder first."""
    every = catalogue.datasets()
    return [entry.id for entry in sorted(every, key=lambda entry: (not entry.has_builder, entry.access != "open"))]
