"""Rows of a Hub dataset repository: Parquet, JSON Lines, or a JSON list, with the expected columns."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import json_lines
from ita_med.errors import DataError
from ita_med.sources import RawFiles
from ita_med.text import decode

HubRow = tuple[str, dict[str, Any]]
"""("NAME: PATH, row N", the row)."""
BATCH_ROWS = 500
BUFFER_BYTES = 2**20
"""How much of a column chunk is read at once; without it a row group of any size would be."""


def rows(
    files: RawFiles,
    pattern: str | tuple[str, ...],
    columns: set[str],
    *,
    required: bool = True,
    others: BuildReport | None = None,
) -> Iterator[HubRow]:
    """All rows of the files that match the pattern, in path order.

    Args:
        files: Of the dataset.
        pattern: Below the dataset's folder; a repository lies in a sub-folder with its name ("medqa-it/train/*"). Of
            several patterns, the first that names a file counts.
        columns: Every row must have exactly these; another column, or one that is missing, is a DataError with both
            sets. A file without rows is one too.
        required: Whether no file at all is an error.
        others: For sets whose columns are known in part only: further columns are left out, and counted here (warning
            `column_not_read`).
    """
    for path, content in _found(files, (pattern,) if isinstance(pattern, str) else pattern, required):
        where = f"{files.dataset}: {path}"
        further: set[str] = set()
        empty = True
        for place, row in _rows(path, content, columns, where, exact=others is None):
            empty = False
            further |= row.keys() - columns
            yield place, {name: row[name] for name in columns} if further else row
        if empty and path.endswith((".parquet", ".jsonl", ".json")):
            raise DataError(f"{where} holds no rows; get the file again")
        if others is not None:
            others.warn("column_not_read", len(further))


def _found(files: RawFiles, patterns: tuple[str, ...], required: bool) -> list[tuple[str, bytes]]:
    for pattern in patterns:
        if found := files.find(pattern, required=False):
            return found
    return files.find(patterns[-1], required=required)


def _rows(path: str, content: bytes, columns: set[str], where: str, exact: bool) -> Iterator[HubRow]:
    if path.endswith(".parquet"):
        yield from _parquet_batches(io.BytesIO(content), (columns,), where, exact)
    elif path.endswith(".jsonl") or (path.endswith(".json") and content.lstrip()[:1] == b"{" and _lines(content)):
        for number, row in json_lines.records(decode(content, where), columns, where, exact=exact):
            yield f"{where}, line {number}", row
    elif path.endswith(".json"):
        yield from _json_list(content, columns, where, exact)


def _lines(content: bytes) -> bool:
    """Whether a .json file that begins with an object holds one object per line, as the Hub allows."""
    lines = content.strip().splitlines()
    return len(lines) > 1 and lines[0].rstrip().endswith(b"}")


def stream(
    files: RawFiles, pattern: str, *columns: set[str], required: bool = True, others: BuildReport | None = None
) -> Iterator[HubRow]:
    """The rows of Parquet and JSON Lines files of any size: a batch of rows at a time is in memory.

    Args as in `rows`; `columns` may be several sets, of which all files must have one.
    """
    for path, content in files.open(pattern, required=required):
        where = f"{files.dataset}: {path}"
        if not path.endswith((".parquet", ".jsonl")):
            raise DataError(f"{where}: expected a file named .parquet or .jsonl")
        read = _parquet_batches if path.endswith(".parquet") else _lines_one_by_one
        further: set[str] = set()
        empty = True
        for place, row in read(content, columns, where, others is None):
            empty = False
            further |= row.keys() - columns[0] if others is not None else set()
            yield place, {name: row[name] for name in columns[0]} if further else row
        if empty:
            raise DataError(f"{where} holds no rows; get the file again")
        if others is not None:
            others.warn("column_not_read", len(further))


def _lines_one_by_one(content: BinaryIO, columns: tuple[set[str], ...], where: str, exact: bool) -> Iterator[HubRow]:
    for number, line in enumerate(content, 1):
        if line.strip():
            here = f"{where}, line {number}"
            row = json_lines.loads_object(decode(line, here), here)
            _check(set(row), columns, here, exact)
            yield here, row


def _parquet_batches(content: BinaryIO, columns: tuple[set[str], ...], where: str, exact: bool) -> Iterator[HubRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(content, buffer_size=BUFFER_BYTES, pre_buffer=False)
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise DataError(f"{where} has a column twice; get it again")
        _check(set(names), columns, where, exact)
        number = 0
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            for row in batch.to_pylist():
                number += 1
                yield f"{where}, row {number}", row
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{where} is no Parquet file ({error}); get it again") from error


def _json_list(content: bytes, columns: set[str], where: str, exact: bool) -> Iterator[HubRow]:
    try:
        records = json_lines.loads(decode(content, where))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error}); get the file again") from error
    if not isinstance(records, list):
        raise DataError(f"{where} holds no list of records")
    for number, row in enumerate(records, 1):
        if not isinstance(row, dict):
            raise DataError(f"{where}, record {number} is no JSON object")
        _check(set(row), (columns,), f"{where}, record {number}", exact)
        yield f"{where}, record {number}", row


def _check(found: set[str], expected: tuple[set[str], ...], where: str, exact: bool = True) -> None:
    """Raise DataError unless one of the expected sets of columns is there, and (exact) nothing else."""
    if found not in expected and (exact or not any(columns <= found for columns in expected)):
        wanted = " or ".join(str(sorted(columns)) for columns in expected)
        raise DataError(f"{where} has the columns {sorted(found)}, expected {'' if exact else 'at least '}{wanted}")
