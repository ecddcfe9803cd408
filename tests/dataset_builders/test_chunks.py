"""Splits that come in chunks: one file, the same bytes, unique ids, memory that does not grow."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build
from ita_med.dataset_builders.formats import text_chunks
from ita_med.dataset_builders.formats.seen_texts import Seen
from ita_med.errors import DataError
from ita_med.schema import Example, Span, SpanExample, TextExample


def text(number: int, content: str = "", licence: str = "CC0") -> TextExample:
    return TextExample(f"d{number}", content or f"testo {number}", "prova", licence)


def builder(monkeypatch: pytest.MonkeyPatch, groups: list[tuple[str, str, list[Any]]], schema: str = "text") -> None:
    """Let `cp_data` be a builder that yields these."""

    def read(*_: Any) -> Iterator[tuple[str, str, list[Example]]]:
        for config, split, group in groups:
            yield config, split, list(group)

    configs = dict.fromkeys((config for config, _, _ in groups), schema)
    module = SimpleNamespace(VERSION="1.0.0", SOURCES=(), CONFIGS=configs, read=read)
    monkeypatch.setattr(build, "builder", lambda name: module)


def built(out: Path) -> dict[str, Path]:
    return {path.relative_to(out / "cp_data").as_posix(): path for path in sorted(out.rglob("*.parquet"))}


def test_chunks_of_a_split_become_row_groups_of_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [[text(n) for n in range(start, start + 3)] for start in (0, 3, 6)]
    other = [text(n) for n in (100, 101)]
    builder(monkeypatch, [("a", "train", chunks[0]), ("a", "test", other), *(("a", "train", c) for c in chunks[1:])])
    report = build.build("cp_data", tmp_path, "embedded").as_dict()
    files = built(tmp_path)
    assert list(files) == ["a/test-00000-of-00001.parquet", "a/train-00000-of-00001.parquet"]
    train = pq.ParquetFile(files["a/train-00000-of-00001.parquet"])
    assert train.metadata.num_row_groups == 3
    assert train.read()["id"].to_pylist() == [f"d{n}" for n in range(9)]
    assert train.read()["split"].unique().to_pylist() == ["train"]
    assert report["configs"]["a"]["train"]["examples"] == report["configs"]["a"]["train"]["documents"] == 9
    assert report["configs"]["a"]["train"]["annotations"] == {"words": 18}
    assert report["configs"]["a"]["test"]["examples"] == 2


def test_the_parser_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the chunks that are still to be written would fill the memory."""
    write_table, to_table = pq.ParquetWriter.write_table, build.to_table
    made, backlog = 0, []

    def slowly(writer: pq.ParquetWriter, table: pa.Table) -> None:
        time.sleep(0.05)
        backlog.append(made - len(backlog))
        write_table(writer, table)

    def counted(*arguments: Any) -> pa.Table:
        nonlocal made
        made += 1
        return to_table(*arguments)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", slowly)
    monkeypatch.setattr(build, "to_table", counted)
    builder(monkeypatch, [("a", "train", [text(n)]) for n in range(20)])
    build.build("cp_data", tmp_path, "embedded")
    assert len(backlog) == 20
    assert max(backlog) <= build._Writers.AHEAD + 2, "those that wait, one being written, one being made"


def test_loading_puts_the_chunks_together(monkeypatch: pytest.MonkeyPatch) -> None:
    builder(monkeypatch, [("a", "train", [text(1)]), ("a", "train", [text(2), text(3)])])
    found = build.load_dataset("cp_data", mirror="embedded")
    assert found["train"]["id"] == ["d1", "d2", "d3"]


@pytest.mark.parametrize("second", [("a", "train"), ("a", "test")])
def test_an_id_of_an_earlier_chunk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: tuple[str, str]
) -> None:
    builder(monkeypatch, [("a", "train", [text(1), text(2)]), (*second, [text(3), text(2)])])
    with pytest.raises(DataError, match=rf"^cp_data: a/{second[1]}: id d2 appears twice"):
        build.build("cp_data", tmp_path / "out", "embedded")
    assert not (tmp_path / "out").exists()


def test_the_same_id_in_two_configs_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder(monkeypatch, [("a", "train", [text(1)]), ("b", "train", [text(1)])])
    assert len(build.build("cp_data", tmp_path, "embedded").report.splits) == 2


def test_a_late_error_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [("a", "train", [text(n)]) for n in range(5)]
    builder(monkeypatch, [*groups, ("a", "train", [TextExample("x", "", "prova", "CC0")])])
    with pytest.raises(DataError, match=r"^cp_data: a/train: x: empty text"):
        build.build("cp_data", tmp_path / "out", "embedded")
    assert not (tmp_path / "out").exists()


def test_an_empty_chunk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder(monkeypatch, [("a", "train", [text(1)]), ("a", "train", [])])
    with pytest.raises(DataError, match="a/train has no examples"):
        build.build("cp_data", tmp_path, "embedded")


def test_documents_are_counted_over_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sentence(number: int, doc_id: str) -> SpanExample:
        return SpanExample(f"s{number}", doc_id, "tosse", [Span(0, 5, "X", "tosse")])

    first, second = [sentence(1, "A"), sentence(2, "A")], [sentence(3, "B")]
    builder(monkeypatch, [("a", "train", first), ("a", "train", second)], "spans")
    counts = build.build("cp_data", tmp_path, "embedded").report.splits["a", "train"]
    assert (counts.examples, counts.documents, counts.annotations["X"]) == (3, 2, 3)


# ----- documents.chunks ----------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["", " ", "a", "bb", "c" * 50, "d" * 200]), max_size=40), st.integers(1, 7))
def test_chunks_lose_nothing_and_count_everything(texts: list[str], size: int) -> None:
    report = BuildReport()
    given_ = [TextExample(f"d{n}", content, "prova", "CC0") for n, content in enumerate(texts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_chunks, "CHUNK_DOCUMENTS", size)
        patch.setattr(text_chunks, "CHUNK_CHARACTERS", 100)
        groups = [group for _, _, group in text_chunks.chunks("a", iter(given_), report)]
    kept = [document for document in given_ if document.text.strip()]
    assert [document for group in groups for document in group] == kept
    assert all(groups) or (len(groups), kept) == (1, [])
    for group in groups:
        assert len(group) <= size
        assert sum(len(document.text) for document in group[:-1] if isinstance(document, TextExample)) < 100
    dropped = report.split("a", "train").dropped
    assert dropped["empty_text"] == len(given_) - len(kept)
    assert report.warnings["repeated_text"] == len(kept) - len({document.text for document in kept})
    assert report.warnings["licence: CC0"] == len(kept)


def test_licences_are_counted_one_by_one() -> None:
    report = BuildReport()
    list(text_chunks.chunks("a", [text(1, licence="CC0"), text(2, licence="CC BY 4.0"), text(3)], report))
    assert report.warnings == {"licence: CC0": 2, "licence: CC BY 4.0": 1}


# ----- Seen ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.text("abc", max_size=2), max_size=12), max_size=12))
def test_seen_is_a_set(groups: list[list[str]]) -> None:
    seen, known = Seen(), set[str]()
    for group in groups:
        repeated = []
        for value in group:
            if value in known:
                repeated.append(value)
            known.add(value)
        assert seen.add(group) == repeated


def test_seen_keeps_few_runs_of_eight_bytes_each() -> None:
    seen = Seen()
    for start in range(0, 100_000, 100):
        assert seen.add([f"id-{n}" for n in range(start, start + 100)]) == []
    runs = seen._runs
    assert len(runs) < 12
    assert sum(run.nbytes for run in runs) == 8 * 100_000
    assert seen.add(["id-0", "id-99999", "nuovo"]) == ["id-0", "id-99999"]


# ----- memory --------------------------------------------------------------------------------------------------------

PEAK = """
import resource, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from ita_med.dataset_builders import build
from ita_med.dataset_builders.formats import text_chunks

text_chunks.CHUNK_DOCUMENTS = 500
mirror = Path(sys.argv[1])
folder = mirror / "biobert_italian" / "BioBERT_Italian" / "data"
folder.mkdir(parents=True)
with pq.ParquetWriter(folder / "train-0.parquet", pa.schema([("text", pa.string())])) as writer:
    for start in range(0, int(sys.argv[2]), 500):
        writer.write_table(pa.table({"text": [f"{n} febbre e tosse " * 150 for n in range(start, start + 500)]}))
build.build("biobert_italian", mirror / "out", str(mirror))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    """Nine times as many documents (80 MB more text) may cost a quarter of what they are long."""

    def peak(documents: int) -> int:
        arguments = [sys.executable, "-c", PEAK, str(tmp_path / str(documents)), str(documents)]
        return int(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)

    assert peak(36_000) - peak(4_000) < 20 * 1024
