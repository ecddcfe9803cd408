"""What a corpus is built from: views of the catalogue and files with a `text` column, cut into parts.

A part is a run of consecutive pieces of the input; a piece is some bytes of a JSON Lines file or one row group of a
Parquet file. Compressed JSON Lines are one piece.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from ita_med import catalogue
from ita_med.errors import DataError, ItaMedError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
PIECE_BYTES = 8 * 2**20
PART_BYTES = 32 * 2**20
COLUMNS = ("id", "text", "source", "licence", "url", "split", "meta")


@dataclass(frozen=True)
class Piece:
    """Bytes [start, end) of a JSON Lines file (the lines that begin there), or row group `start` of a Parquet file.

    `name` is the prefix of the ids of records without one; it is the same on every machine.
    """

    path: str
    name: str
    start: int
    end: int
    size: int


@dataclass(frozen=True)
class Record:
    """A text as it comes in, with what is known of it; `meta` is JSON."""

    id: str
    text: str
    source: str
    licence: str
    url: str = ""
    split: str = ""
    meta: str = "{}"


def find_files(source: str) -> list[tuple[Path, str]]:
    """(file, its name below the source) for a file, a folder or a pattern; in order of their names."""
    path = Path(source)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.name.endswith(SUFFIXES) and p.is_file())
        named = [(p, p.relative_to(path).as_posix()) for p in found]
    else:
        found = [path] if path.is_file() else sorted(p for p in _glob(path) if p.is_file())
        named = [(p, p.name) for p in found]
    if not named:
        close = f"; datasets with texts: {', '.join(text_views())}" if "/" not in source else ""
        raise ItaMedError(f"{source}: no such file, nor {', '.join(SUFFIXES)} files in it{close}")
    for p, _ in named:
        if not p.name.endswith(SUFFIXES):
            raise ItaMedError(f"{p}: expected one of {', '.join(SUFFIXES)}")
    return named


def _glob(pattern: Path) -> Iterator[Path]:
    first = next((i for i, part in enumerate(pattern.parts) if any(c in part for c in "*?[")), None)
    if first is None:
        return iter(())
    return Path(*pattern.parts[:first]).glob(str(Path(*pattern.parts[first:])))


def text_views() -> list[str]:
    """ "DATASET:CONFIG" of every view of the catalogue whose schema is `text`."""
    from ita_med.dataset_builders.build import builder

    ready = [d.id for d in catalogue.datasets() if d.has_builder]
    return [f"{name}:{c}" for name in ready for c, schema in builder(name).CONFIGS.items() if schema == "text"]


def is_view(source: str) -> bool:
    """Whether a source names a dataset of the catalogue, alone or with a config."""
    return source.partition(":")[0] in {d.id for d in catalogue.datasets()} and not Path(source).exists()


def write_view(source: str, mirror: str | None, out: Path) -> str:
    """Write the texts of "DATASET" or "DATASET:CONFIG" to Parquet files in `out`; where its raw files came from."""
    import pyarrow.parquet as pq

    from ita_med.dataset_builders import build
    from ita_med.schema import to_table

    name, _, config = source.partition(":")
    schemas = build.builder(name).CONFIGS
    configs = [config] if config else [c for c, schema in schemas.items() if schema == "text"]
    if not configs or any(schemas.get(c) != "text" for c in configs):
        raise ItaMedError(f"{source} is no view with texts; there are {', '.join(text_views())}")
    files = build.open_files(name, mirror)
    out.mkdir(parents=True, exist_ok=True)
    for n, (view, split, examples) in enumerate(build.examples(name, configs, files=files)):
        table = to_table(examples, "text")
        pq.write_table(table, out / f"{n:04}-{view}-{split}.parquet", compression="zstd", row_group_size=1024)
    return files.kind


def pieces(files: list[tuple[Path, str]]) -> Iterator[Piece]:
    """The pieces of the files, in order."""
    for path, name in files:
        size = path.stat().st_size
        if path.name.endswith(".parquet"):
            metadata = _open_parquet(path).metadata
            for group in range(metadata.num_row_groups):
                yield Piece(str(path), name, group, group + 1, metadata.row_group(group).total_byte_size)
        elif path.name.endswith(".jsonl"):
            for start in range(0, size, PIECE_BYTES):
                end = min(size, start + PIECE_BYTES)
                yield Piece(str(path), name, start, end, end - start)
        else:
            yield Piece(str(path), name, 0, size, 4 * size)


def parts(found: list[Piece], tasks: int | None = None) -> list[list[Piece]]:
    """Cut the pieces into `tasks` consecutive runs of about the same size; some may be empty."""
    total = sum(piece.size for piece in found)
    tasks = tasks or max(1, -(-total // PART_BYTES))
    out: list[list[Piece]] = [[] for _ in range(tasks)]
    before = 0
    for piece in found:
        out[min(tasks - 1, before * tasks // max(1, total))].append(piece)
        before += piece.size
    return out


def records(piece: Piece) -> Iterator[Record]:
    """The records of a piece; a DataError names the place of one that is wrong."""
    if piece.path.endswith(".parquet"):
        yield from _parquet_records(piece)
        return
    for place, line in _lines(piece):
        where = f"{piece.path}, {place}"
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except ValueError as error:
            raise DataError(f"{where} is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise DataError(f"{where} is no JSON object")
        yield _record(row, where, f"{piece.name}:{place.rsplit(' ', 1)[1]}")


def _lines(piece: Piece) -> Iterator[tuple[str, bytes]]:
    """(where, line); a line belongs to the piece in which it begins."""
    if not piece.path.endswith(".jsonl"):
        with _decompressed(piece.path) as opened:
            try:
                yield from ((f"line {n}", line) for n, line in enumerate(opened, 1))
            except (OSError, EOFError, RuntimeError) as error:
                raise DataError(f"{piece.path} cannot be decompressed ({error})") from error
        return
    with Path(piece.path).open("rb") as opened:
        if piece.start:
            opened.seek(piece.start - 1)
            opened.readline()
        while (position := opened.tell()) < piece.end and (line := opened.readline()):
            yield f"byte {position}", line


def _decompressed(path: str) -> BinaryIO:
    if path.endswith(".gz"):
        return gzip.open(path)  # type: ignore[return-value]
    import zstandard

    return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(Path(path).open("rb"), closefd=True))


def _open_parquet(path: Path | str) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is no Parquet file ({error})") from error
    if "text" not in opened.schema_arrow.names:
        raise DataError(f'{path} has no column "text", only {", ".join(opened.schema_arrow.names)}')
    return opened


def _parquet_records(piece: Piece) -> Iterator[Record]:
    opened = _open_parquet(piece.path)
    columns = [name for name in COLUMNS if name in opened.schema_arrow.names]
    n = sum(opened.metadata.row_group(group).num_rows for group in range(piece.start))
    for batch in opened.iter_batches(1024, row_groups=[piece.start], columns=columns):
        for row in batch.to_pylist():
            yield _record(row, f"{piece.path}, row {n}", f"{piece.name}:{n}")
            n += 1


def _record(row: dict[str, Any], where: str, name: str) -> Record:
    text = row.get("text")
    if not isinstance(text, str):
        raise DataError(f'{where}: "text" is {str(text)[:40]!r}, expected a text')
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f'{where}: "text" holds half a character at {error.start}') from error
    meta = row.get("meta") or "{}"
    return Record(
        str(row["id"]) if row.get("id") else name,
        text,
        str(row.get("source") or name.rpartition(":")[0]),
        str(row.get("licence") or row.get("license") or "not stated"),
        str(row.get("url") or ""),
        str(row.get("split") or ""),
        meta if isinstance(meta, str) else orjson.dumps(meta, option=orjson.OPT_SORT_KEYS).decode(),
    )
