"""Texts on disk: Parquet between the stages, Parquet or zstd JSON Lines as the result; both in the `text` schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ita_med.dataset_builders.corpus_pipeline.inputs import COLUMNS
from ita_med.files import whole_file

if TYPE_CHECKING:
    from datatrove.data import Document

BATCH_BYTES = 4 * 2**20
"""Characters that are kept before a row group is written."""


def row(document: Document) -> dict[str, Any]:
    """A document of datatrove as a row of the `text` schema."""
    return {name: getattr(document, name, None) or document.metadata.get(name, "") for name in COLUMNS}


def documents(path: Path) -> Iterator[Document]:
    """The documents of a Parquet shard, in order."""
    import pyarrow.parquet as pq
    from datatrove.data import Document

    for batch in pq.ParquetFile(path).iter_batches(256):
        for values in batch.to_pylist():
            text, name = values.pop("text"), values.pop("id")
            yield Document(text, name, metadata=values)


@contextmanager
def writer(path: Path) -> Iterator[Writer]:
    """A writer of rows to a file of this name, which is there, whole, once the block has ended without an error."""
    with whole_file(path) as temporary:
        opened = Writer(*(_parquet if path.suffix == ".parquet" else _json_lines)(temporary))
        yield opened
        opened.close()


class Writer:
    """Collects rows and writes them in batches."""

    def __init__(self, write: Callable[[list[dict[str, Any]]], Any], end: Callable[[], Any]) -> None:
        self._write, self._end = write, end
        self._rows: list[dict[str, Any]] = []
        self._size = 0

    def add(self, values: dict[str, Any]) -> None:
        self._rows.append(values)
        self._size += len(values["text"])
        if self._size >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._write(self._rows)
        self._rows, self._size = [], 0

    def close(self) -> None:
        self._flush()
        self._end()


Functions = tuple[Callable[[list[dict[str, Any]]], Any], Callable[[], Any]]


def _parquet(path: Path) -> Functions:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ita_med.schema import arrow_schema

    schema = arrow_schema("text")
    writer = pq.ParquetWriter(path, schema, compression="zstd")
    return lambda rows: writer.write_table(pa.Table.from_pylist(rows, schema)), writer.close


def _json_lines(path: Path) -> Functions:
    import zstandard

    opened = path.open("wb")
    stream = zstandard.ZstdCompressor(level=3).stream_writer(opened)

    def write(rows: list[dict[str, Any]]) -> None:
        stream.write(b"".join(orjson.dumps(values) + b"\n" for values in rows))

    return write, stream.close
