"""Build datasets: raw files → validated examples → Parquet and a README that plain `datasets` reads."""

from __future__ import annotations

import gc
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from ita_med import catalogue, checksums, sources
from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build_record, cards, croissant
from ita_med.dataset_builders.build_record import folder, pinned
from ita_med.dataset_builders.formats.seen_texts import Seen
from ita_med.errors import DataError, ItaMedError, SourceError
from ita_med.files import replace_folder, write_json, write_whole
from ita_med.schema import SCHEMAS, Example, from_row, to_table, validate

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import DatasetDict


class Builder(Protocol):
    """What the module of a dataset offers; see the package's docstring."""

    VERSION: str
    SOURCES: tuple[sources.Source, ...]
    CONFIGS: dict[str, str]

    def read(
        self, files: sources.RawFiles, configs: list[str], report: BuildReport
    ) -> Iterator[tuple[str, str, list[Example]]]:
        """Yield (config, split, examples) of the wanted configs; the report counts what cannot be kept."""
        ...


PARTS = ("VERSION", "SOURCES", "CONFIGS", "read")
"""The names of `Builder`, all of which a module must have."""


@dataclass
class Built:
    """Where a dataset came from ("mirror", "cache" or "embedded") and what was counted.

    As a dictionary it is the build report that other programs read: version, seconds, configs, warnings.
    """

    version: str
    source: str
    seconds: float
    report: BuildReport

    def as_dict(self) -> dict[str, Any]:
        """The build report for other programs."""
        head = {"version": self.version, "seconds": round(self.seconds, 3)}
        return head | self.report.as_dict()


def builder(name: str) -> Builder:
    """The builder module of a dataset of the catalogue."""
    entry = catalogue.dataset(name)
    if entry.status == "planned":
        raise ItaMedError(f"{name}: no builder yet (planned); upstream: {entry.homepage}")
    if not entry.has_builder:
        raise ItaMedError(f"{name} is unavailable: {entry.reason}; {entry.ask}")
    module = _import(entry.id)
    if missing := [part for part in PARTS if not hasattr(module, part)]:
        where = f"dataset_builders/datasets/{name}/__init__.py"
        raise ItaMedError(f"{name}: {where} has no {', '.join(missing)}; a builder has {', '.join(PARTS)}")
    for config, schema in module.CONFIGS.items():
        if schema not in SCHEMAS:
            raise ItaMedError(f'{name}: CONFIGS gives "{config}" the schema "{schema}", expected {", ".join(SCHEMAS)}')
    return cast(Builder, module)


def _import(name: str) -> ModuleType:
    path = f"ita_med.dataset_builders.datasets.{name}"
    try:
        return import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        rows = {entry.id for entry in catalogue.datasets()}
        others = sorted(found.parent.name for found in build_record.DATASETS.glob("*/__init__.py"))
        hint = ", ".join(other for other in others if other not in rows)
        raise ItaMedError(
            f"{name}: there is no folder dataset_builders/datasets/{name}; a builder's folder has the id of its row"
            + (f" (folders without a row: {hint})" if hint else "")
        ) from error


def open_files(name: str, mirror: str | None = None, *, download: bool = True) -> sources.RawFiles:
    """The raw files of a dataset; see `ita_med.sources.resolve`."""
    return sources.resolve(name, folder(name) / "sample", builder(name).SOURCES, mirror, download=download)


def examples(
    name: str, configs: list[str] | None = None, *, files: sources.RawFiles, report: BuildReport | None = None
) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, validated examples), counted in the report; at the end, files must be the pinned ones.

    A large split comes in several chunks, one after the other or between those of another split.

    Args:
        name: The dataset.
        configs: The views to read; None for all.
        files: Its raw files, from `open_files`.
        report: What the examples are counted in; without one the counts are dropped.

    Raises:
        DataError: An example is not valid, or a file is not what the builder expects.
        SourceError: A view that was asked for, or every view, lacks its files.
    """
    report = BuildReport() if report is None else report
    built = set()
    for config, split, group in validated(name, configs, files, report):
        built.add(config)
        yield config, split, group
    checksums.verify(files, pinned(name))
    wanted = [config for config in configs or [] if config in report.missing]
    if wanted or (report.missing and not built):
        raise SourceError(f"{name}: {report.missing[wanted[0] if wanted else next(iter(report.missing))]}")


def validated(
    name: str, configs: list[str] | None, files: sources.RawFiles, report: BuildReport
) -> Iterator[tuple[str, str, list[Example]]]:
    """The same as `examples` from any version of the files, pinned or not; ids are unique within a config."""
    module = builder(name)
    unknown = [config for config in configs or [] if config not in module.CONFIGS]
    if unknown:
        raise ItaMedError(f'{name} has no config "{unknown[0]}", only {", ".join(module.CONFIGS)}')
    report.warn("synthetic_sample", files.kind == sources.EMBEDDED)
    ids: dict[str, Seen] = {}
    for config, split, group in module.read(files, configs or list(module.CONFIGS), report):
        if config not in module.CONFIGS:
            raise DataError(f'{name}: read yields the config "{config}", CONFIGS has {", ".join(module.CONFIGS)}')
        if not group:
            raise DataError(f"{name}: {config}/{split} has no examples: an upstream file is empty ({_last(files)})")
        if type(group[0]) is not SCHEMAS[module.CONFIGS[config]]:
            kind, schema = type(group[0]).__name__, module.CONFIGS[config]
            raise DataError(f'{name}: {config}/{split}: read yields a {kind}, but CONFIGS says the schema "{schema}"')
        for example in group:
            example.split = split
            try:
                validate(example)
            except DataError as error:
                raise DataError(f"{name}: {config}/{split}: {error}") from error
        if repeated := ids.setdefault(config, Seen()).add([example.id for example in group]):
            raise DataError(f"{name}: {config}/{split}: id {repeated[0]} appears twice")
        report.split(config, split).count(group)
        yield config, split, group


def _last(files: sources.RawFiles) -> str:
    """The upstream file that was read last, which a message names."""
    return next(reversed(files.seen), "no file")


def build(name: str, out: Path, mirror: str | None = None, configs: list[str] | None = None) -> Built:
    """Write a dataset to `out`/NAME, replacing what was there; nothing is left behind on an error."""
    started = time.perf_counter()
    existed = out.exists()
    gc.disable()  # hundreds of thousands of small objects without cycles
    try:
        return _build(name, out, mirror, configs, started)
    finally:
        gc.enable()
        if not existed and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _build(name: str, out: Path, mirror: str | None, configs: list[str] | None, started: float) -> Built:
    module = builder(name)
    files = open_files(name, mirror)
    report = BuildReport()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=f".{name}-") as partial:
        root = Path(partial) / name
        with _Writers(root) as writers:
            for config, split, group in examples(name, configs, files=files, report=report):
                writers.write(config, split, to_table(group, module.CONFIGS[config]))
        built = Built(module.VERSION, files.kind, 0.0, report)
        _describe(name, root, build_record.record(name, module.VERSION, files, report))
        replace_folder(root, out / name)
    write_index(out)
    built.seconds = time.perf_counter() - started
    return built


def _describe(name: str, root: Path, record: dict[str, Any]) -> None:
    """README.md (the card), report.json and croissant.json of what was built."""
    write_json(root / build_record.RECORD_FILE, record)
    (root / "README.md").write_text(cards.card(name, record), "utf-8")
    schemas = {config: builder(name).CONFIGS[config] for config in record["configs"]}
    note = cards.SYNTHETIC if record["source"] == sources.EMBEDDED else ""
    metadata = croissant.metadata(catalogue.dataset(name), root, schemas, record["version"], note)
    write_json(root / croissant.FILE, metadata)


class _Writers:
    """One Parquet file per split, compressed in a thread while the next chunk is parsed; a chunk is a row group.

    At most `AHEAD` chunks wait in memory.
    """

    AHEAD = 2

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[tuple[str, str], pq.ParquetWriter] = {}
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> _Writers:
        return self

    def write(self, config: str, split: str, table: pa.Table) -> None:
        """Take a chunk of one split; the table is compressed in the background."""
        import pyarrow.parquet as pq

        if (config, split) in self._open:
            gc.enable()  # a corpus has too many objects to leave even rare cycles alone
        else:
            path = self._root / config / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[config, split] = pq.ParquetWriter(path, table.schema, compression="zstd")
        while len(self._waiting) >= self.AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._open[config, split].write_table, table))

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        for writer in self._open.values():
            writer.close()
        for job in self._waiting:
            job.result()


def load_dataset(
    name: str, config: str | None = None, *, mirror: str | None = None, split: str | None = None
) -> DatasetDict:
    """One view of a dataset as a `datasets.DatasetDict`.

    Args:
        name: A dataset of `ita-med data list`.
        config: One of its views; without one, the builder's first.
        mirror: A folder of raw files, or "embedded" for the synthetic samples; else `ITA_MED_MIRROR`, the download
            cache, the network.
        split: Keep only this split (the result is still a DatasetDict).
    """
    from datasets import Dataset, DatasetDict, Features

    config = config or next(iter(builder(name).CONFIGS))
    tables = {s: t for s, t in tables_of(name, config, open_files(name, mirror)).items() if split in (None, s)}
    if not tables:
        raise ItaMedError(f'{name}/{config} has no split "{split}"')
    return DatasetDict(
        {s: Dataset(t, info=None, split=None).cast(Features.from_arrow_schema(t.schema)) for s, t in tables.items()}
    )


def tables_of(name: str, config: str, files: sources.RawFiles) -> dict[str, pa.Table]:
    """Split -> Arrow table of one view; all of it is in memory, so build a large corpus instead."""
    import pyarrow as pa

    schema = builder(name).CONFIGS.get(config, "")
    chunks: dict[str, list[pa.Table]] = {}
    for _, split, group in examples(name, [config], files=files):
        chunks.setdefault(split, []).append(to_table(group, schema))
    return {split: pa.concat_tables(tables) for split, tables in chunks.items()}


def read_parquet(path: Path, schema: str) -> list[Example]:
    """The examples of a built Parquet file."""
    import pyarrow.parquet as pq

    assert schema in SCHEMAS
    return [from_row(row, schema) for row in pq.ParquetFile(path).read().to_pylist()]


def write_index(out: Path) -> None:
    """A README in `out` itself, so that `load_dataset(out, config)` works over all datasets built there.

    A config name that two datasets share is written NAME-CONFIG.
    """
    found = sorted(path.relative_to(out).parts for path in out.glob("*/*/*-00000-of-00001.parquet"))
    owners: dict[str, set[str]] = {}
    for name, config, _ in found:
        owners.setdefault(config, set()).add(name)
    lines = ["---", "configs:"]
    previous = None
    for name, config, file in found:
        if (name, config) != previous:
            title = config if len(owners[config]) == 1 else f"{name}-{config}"
            lines += [f"- config_name: {title}", "  data_files:"]
            previous = (name, config)
        split = file.rsplit("-", 3)[0]
        lines += [f"  - split: {split}", f"    path: {name}/{config}/{file}"]
    names = sorted({name for name, _, _ in found})
    lines += ["---", "", "# Built by ita-med", "", *(f"- [{name}]({name}/README.md)" for name in names), ""]
    write_whole(out / "README.md", "\n".join(lines))
