"""Re-derive what is claimed of a dataset: checksums and counts of raw files, and the rows of a built folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ita_med import catalogue, checksums, sources
from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders import build, build_record, cards, croissant, mirror
from ita_med.errors import DataError, ItaMedError, SourceError
from ita_med.schema import Example, arrow_schema, from_row, validate

SHOWN = 5
"""Differences of counts that one line names; the others are only numbered."""


@dataclass
class Verdict:
    """What was found for one dataset; `problems` is empty if all is well."""

    dataset: str
    place: str
    files: int = 0
    examples: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for people."""
        if self.problems:
            return f"{self.dataset}: FAILED ({self.place}): {'; '.join(self.problems)}"
        found = [f"{self.files:,} files", *([f"{self.examples:,} examples"] if self.examples else []), *self.notes]
        return f"{self.dataset}: ok ({self.place}): {'; '.join(found)}"

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {"ok": not self.problems, **asdict(self)}


# ----- raw files -----------------------------------------------------------------------------------------------------


def present(place: str | None) -> list[str]:
    """The datasets with raw files in the mirror (or `ITA_MED_MIRROR`, or the download cache), in catalogue order."""
    place = place or os.environ.get(sources.MIRROR_VARIABLE) or str(sources.cache_dir() / "sources")
    every = [entry for entry in catalogue.datasets() if entry.has_builder]
    if place == sources.EMBEDDED:
        return [entry.id for entry in every]
    if not Path(place).is_dir():
        raise SourceError(f"{place} is no folder of raw files; give --mirror DIR or set {sources.MIRROR_VARIABLE}")
    listed = mirror.read_manifest(Path(place))["datasets"]
    return [entry.id for entry in every if (Path(place) / entry.id).is_dir() or entry.id in listed]


def raw(name: str, place: str | None = None) -> Verdict:
    """Read all raw files of a dataset again: checksums pinned and listed, examples valid, counts as expected."""
    verdict = Verdict(name, "raw files")
    try:
        files = build.open_files(name, place, download=False)
    except ItaMedError as error:
        verdict.problems.append(_without_name(name, error))
        return verdict
    verdict.place = files.kind
    report = BuildReport()
    try:
        for _, _, group in build.validated(name, None, files, report):
            verdict.examples += len(group)
    except ItaMedError as error:
        verdict.problems.append(_without_name(name, error))
    verdict.files = len(files.seen)
    if files.kind != sources.EMBEDDED:
        verdict.problems += _listed(name, files)
        verdict.problems += _pinned(files.seen, build_record.pinned(name))
        _compare_counts(verdict, build_record.counts(build.builder(name).VERSION, report), bool(verdict.problems))
    verdict.notes += [f"{config} not read: {why}" for config, why in report.missing.items()]
    return verdict


def _without_name(name: str, error: ItaMedError) -> str:
    return str(error).removeprefix(f"{name}: ")


def _listed(name: str, files: sources.RawFiles) -> list[str]:
    """Differences from the mirror's own lists: MANIFEST.json and, in the dataset's folder, SHA256SUMS."""
    try:
        checksums.verify(files, {})
        return mirror.differences(files.root.parent, name)
    except ItaMedError as error:
        return [_without_name(name, error)]


def _pinned(seen: dict[str, str], pinned: dict[str, str]) -> Iterator[str]:
    for path, digest in pinned.items():
        of_folder = path.endswith("/") and any(file.startswith(path) for file in seen)
        found = checksums.folder_digest(seen, path) if of_folder else seen.get(path)
        if found is None:
            yield f"{path} is pinned, but was not read"
        elif found != digest:
            yield f"{path} has sha256 {found[:12]}…, expected the pinned {digest[:12]}…"


def _compare_counts(verdict: Verdict, found: dict[str, Any], broken: bool) -> None:
    """Counts against counts.json; those of a file that could not be read to its end are not compared."""
    expected = build_record.expected(verdict.dataset)
    if expected is None:
        verdict.notes.append("no counts to compare with: nobody who wrote the builder saw the real files")
        return
    if expected["version"] != found["version"]:
        versions = f"{expected['version']}, the builder's is {found['version']}"
        verdict.problems.append(f"{build_record.COUNTS_FILE} is of data version {versions}: pin the dataset again")
        return
    new = [config for config in found["configs"] if config not in expected["configs"]]
    verdict.notes += [f"no counts to compare with for {', '.join(new)}"] if new else []
    known = {"configs": {c: s for c, s in found["configs"].items() if c not in new}}
    known["warnings"] = expected["warnings"] if new else found["warnings"]
    different = differences(known, expected)
    if different and not (broken and not found["configs"]):
        verdict.problems += different[:SHOWN]
        verdict.problems += [f"and {len(different) - SHOWN} more"] if len(different) > SHOWN else []
    elif not different:
        verdict.notes.append("counts and checksums as pinned")


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Every count that differs, as "configs/questions/test/examples is 9,999, expected 10,000"."""
    have, want = dict(_flat(found)), dict(_flat({key: expected[key] for key in found}))
    return [
        f"{path} is {have.get(path, 0):,}, expected {want.get(path, 0):,}"
        for path in sorted(have.keys() | want.keys())
        if have.get(path, 0) != want.get(path, 0)
    ]


def _flat(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, int]]:
    for key, inner in value.items():
        place = f"{path}/{key}" if path else key
        if isinstance(inner, dict):
            yield from _flat(inner, place)
        else:
            yield place, inner


# ----- built folders -------------------------------------------------------------------------------------------------


def built_folders(out: Path) -> list[Path]:
    """The built datasets in `out`, or `out` itself if it is one."""
    found = [out] if (out / build_record.RECORD_FILE).is_file() else []
    found = found or sorted(path.parent for path in out.glob(f"*/{build_record.RECORD_FILE}"))
    if not found:
        raise SourceError(f"{out} holds no built dataset (a folder with {build_record.RECORD_FILE})")
    return found


def built(folder: Path) -> Verdict:
    """Every row of a built folder against its schema, and its counts against report.json, README and croissant.json."""
    try:
        record = read_record(folder)
    except DataError as error:
        return Verdict(folder.name, "built", problems=[str(error)])
    verdict = Verdict(record["dataset"], f"built from {record['source']}")
    configs = build.builder(record["dataset"]).CONFIGS
    for config, splits in record["configs"].items():
        for split, counted in splits.items():
            try:
                found = _recount(folder / config, config, split, configs).as_dict()
            except DataError as error:
                verdict.problems.append(str(error))
                continue
            verdict.examples += found["examples"]
            derived = {key: found[key] for key in ("examples", "documents", "annotations", "relations")}
            verdict.problems += [f"{config}/{split}: {line}" for line in differences(derived, counted)]
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.parquet"))}
    verdict.files = len(paths)
    verdict.problems += _beside(folder, record, paths)
    if record["source"] == sources.EMBEDDED:
        verdict.notes.append("synthetic sample")
    elif record["configs"].keys() >= (build_record.expected(record["dataset"]) or {"configs": {}})["configs"].keys():
        _compare_counts(verdict, {key: record[key] for key in ("version", "configs", "warnings")}, False)
    return verdict


def read_record(folder: Path) -> dict[str, Any]:
    """The content of report.json of a built folder; an error where it is not one of ita-med."""
    path = folder / build_record.RECORD_FILE
    try:
        record = orjson.loads(path.read_bytes())
        known = {entry.id for entry in catalogue.datasets() if entry.has_builder}
        counts = [c["examples"] + c["documents"] for splits in record["configs"].values() for c in splits.values()]
        if record["dataset"] not in known or not counts or not isinstance(record["source"], str):
            raise ValueError("it names no dataset or no counts")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is no build report ({error}); build the dataset again") from error
    return dict(record)


def _recount(folder: Path, config: str, split: str, configs: dict[str, str]) -> SplitReport:
    """The counts of one split from its rows, each of which is checked."""
    counts = SplitReport()
    if config not in configs:
        raise DataError(f"{config} is no view of this dataset, only {', '.join(configs)}")
    counts.count(_rows(folder, f"{config}/{split}", configs[config]))
    return counts


def _rows(folder: Path, place: str, schema: str) -> Iterator[Example]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    split, seen = place.partition("/")[2], set()
    path = folder / f"{split}-00000-of-00001.parquet"
    try:
        with pq.ParquetFile(path) as opened:
            if not opened.schema_arrow.remove_metadata().equals(arrow_schema(schema)):
                raise DataError(f'{place}: the columns are not those of the schema "{schema}"')
            for batch in opened.iter_batches(1000):
                for row in batch.to_pylist():
                    example = from_row(row, schema)
                    validate(example)
                    if example.split != split or example.id in seen:
                        raise DataError(f"{place}: {example.id} appears twice or belongs to the split {example.split}")
                    seen.add(example.id)
                    yield example
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{place}: {path.name} cannot be read ({error})") from error


def _beside(folder: Path, record: dict[str, Any], paths: dict[str, Path]) -> Iterator[str]:
    """Differences of the folder's README and croissant.json, and files that no report names."""
    named = {f"{c}/{s}-00000-of-00001.parquet" for c, splits in record["configs"].items() for s in splits}
    yield from (f"{path} is not in {build_record.RECORD_FILE}" for path in paths if path not in named)
    try:
        readme = (folder / "README.md").read_text("utf-8")
        described = orjson.loads((folder / croissant.FILE).read_bytes())["distribution"]
        digests = {file["@id"]: file["sha256"] for file in described if "sha256" in file}
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"README.md or {croissant.FILE} cannot be read ({error})"
        return
    if any(line not in readme for line in cards.composition_table(record)):
        yield f"README.md has other counts than {build_record.RECORD_FILE}"
    for path, file in paths.items():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest != digests.get(path):
            yield f"{path} has sha256 {digest[:12]}…, {croissant.FILE} says {str(digests.get(path))[:12]}…"
