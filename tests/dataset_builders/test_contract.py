"""One contract for every dataset that has a builder, on the embedded mirror."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

import ita_med
from ita_med import catalogue
from ita_med.dataset_builders import build
from ita_med.schema import UNKNOWN_VALUES, SpanExample, arrow_schema, from_row, to_row, validate

READY = [entry.id for entry in catalogue.datasets() if entry.has_builder]
VIEWS = [(name, config) for name in READY for config in build.builder(name).CONFIGS]
SHARED = {config for config, n in Counter(config for _, config in VIEWS).items() if n > 1}
SPLIT_KEYS = {"examples", "documents", "annotations", "relations", "dropped"}

every_dataset = pytest.mark.parametrize("name", READY)
every_view = pytest.mark.parametrize(("name", "config"), VIEWS)


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def splits_of(out: Path, name: str, config: str) -> dict[str, Path]:
    return {path.name.partition("-")[0]: path for path in sorted((out / name / config).glob("*.parquet"))}


def rows_of(out: Path, name: str, config: str) -> dict[str, list[dict[str, Any]]]:
    return {split: pq.read_table(path).to_pylist() for split, path in splits_of(out, name, config).items()}


def plain_load(path: Path, config: str, cache: Path) -> datasets.DatasetDict:
    return datasets.load_dataset(str(path), config, cache_dir=str(cache))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All ready datasets, built once."""
    out = tmp_path_factory.mktemp("built")
    for name in READY:
        build.build(name, out, "embedded")
    return out


@pytest.fixture(scope="session")
def built_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, built in the opposite order into another folder."""
    out = tmp_path_factory.mktemp("again")
    for name in reversed(READY):
        build.build(name, out, "embedded")
    return out


@every_view
def test_columns_are_those_of_the_schema(built: Path, name: str, config: str) -> None:
    expected = arrow_schema(build.builder(name).CONFIGS[config])
    found = splits_of(built, name, config)
    assert found
    for path in found.values():
        assert pq.read_schema(path).remove_metadata().equals(expected)


@every_view
def test_every_example_validates_and_knows_its_split(built: Path, name: str, config: str) -> None:
    schema = build.builder(name).CONFIGS[config]
    for split, rows in rows_of(built, name, config).items():
        assert rows, f"{split} is empty"
        for row in rows:
            example = from_row(row, schema)
            validate(example)
            assert example.split == split
            assert to_row(example) == row


@every_view
def test_ids_are_unique_and_stable(built: Path, built_again: Path, name: str, config: str) -> None:
    ids = {split: [row["id"] for row in rows] for split, rows in rows_of(built, name, config).items()}
    all_ids = [i for group in ids.values() for i in group]
    assert len(set(all_ids)) == len(all_ids)
    assert ids == {split: [row["id"] for row in rows] for split, rows in rows_of(built_again, name, config).items()}


@every_dataset
def test_the_same_input_gives_the_same_bytes(built: Path, built_again: Path, name: str) -> None:
    first, second = files_of(built / name), files_of(built_again / name)
    assert list(first) == list(second)
    assert [path for path in first if first[path] != second[path]] == []


@pytest.mark.parametrize(
    ("name", "config"), [(n, c) for n, c in VIEWS if build.builder(n).CONFIGS[c] in ("spans", "relations", "form")]
)
def test_no_text_and_no_document_is_in_two_splits(built: Path, name: str, config: str) -> None:
    for first, second in combinations(rows_of(built, name, config).values(), 2):
        assert not {row["text"] for row in first} & {row["text"] for row in second}
        assert not ({row["doc_id"] for row in first} & {row["doc_id"] for row in second}) - {""}


@pytest.mark.parametrize("task", [task.id for task in catalogue.tasks(ready=True)])
def test_every_ready_task_has_twelve_evaluation_examples(built: Path, task: str) -> None:
    entry = catalogue.task(task)
    assert not too_few(entry, rows_of(built, entry.dataset, entry.config)[entry.eval_split])


def too_few(task: catalogue.Task, rows: list[dict[str, Any]]) -> str:
    """What is missing in the sample of a task, or ""."""
    documents = {row.get("doc_id") or row["id"] for row in rows}
    if min(len(rows), len(documents)) >= 12:
        return ""
    return (
        f"{task.id}: dataset_builders/datasets/{task.dataset}/sample has {len(rows)} examples of {len(documents)} "
        f"documents in {task.config}/{task.eval_split}, expected 12 or more: add some, as upstream would write them"
    )


def test_a_sample_that_is_too_small_is_named() -> None:
    task = catalogue.task("ner_e3c_disorder")
    rows = [{"id": f"{n}", "doc_id": f"d{n // 2}"} for n in range(22)]
    assert too_few(task, rows).startswith(
        "ita_med_ner_e3c_disorder: dataset_builders/datasets/e3c/sample has 22 examples"
    )
    assert "11 documents in disorder/test, expected 12 or more" in too_few(task, rows)
    assert not too_few(task, [*rows, {"id": "x", "doc_id": "x"}])


@pytest.mark.parametrize("task", [task.id for task in catalogue.tasks(ready=True)])
def test_every_ready_task_has_its_shots_outside_the_evaluation(built: Path, task: str) -> None:
    entry = catalogue.task(task)
    config, _, split = entry.shots.partition("/")
    shots = rows_of(built, entry.dataset, config)[split]
    asked = rows_of(built, entry.dataset, entry.config)[entry.eval_split]
    text = "text" if "text" in asked[0] else "question"
    assert shots
    assert not {row[text] for row in shots} & {row[text] for row in asked}


@every_dataset
def test_report_has_the_promised_keys_and_counts_what_was_written(tmp_path: Path, command: Any, name: str) -> None:
    ran = command("data", "build", name, "--mirror", "embedded", "--out", tmp_path, "--json")
    assert ran.code == 0
    reports = json.loads(ran.out)
    assert list(reports) == [name]
    report = reports[name]
    assert set(report) - {"source"} == {"version", "seconds", "configs", "warnings"}
    assert report["version"] == build.builder(name).VERSION
    assert report["seconds"] >= 0
    assert set(report["configs"]) == set(build.builder(name).CONFIGS)
    for config, splits in report["configs"].items():
        rows = rows_of(tmp_path, name, config)
        assert set(splits) == set(rows)
        for split, counts in splits.items():
            assert set(counts) == SPLIT_KEYS
            assert counts["examples"] == len(rows[split])
            assert counts["annotations"] == annotations(rows[split], build.builder(name).CONFIGS[config])
            assert counts["relations"] == Counter(r["label"] for row in rows[split] for r in row.get("relations", []))
            assert all(type(n) is int and n > 0 for n in counts["dropped"].values())
    assert all(type(n) is int and n > 0 for n in report["warnings"].values())


def annotations(rows: list[dict[str, Any]], schema: str) -> dict[str, int]:
    """Counts by label, from the Parquet alone."""
    match schema:
        case "spans" | "relations":
            return Counter(span["label"] for row in rows for span in row["spans"])
        case "form":
            values = ["unknown" if i["value"] in UNKNOWN_VALUES else "known" for row in rows for i in row["items"]]
            return {kind: values.count(kind) for kind in ("known", "unknown")}
        case "text":
            return {"words": sum(len(row["text"].split()) for row in rows)}
        case _:
            return {}


def test_report_has_exactly_the_keys_of_the_design(tmp_path: Path) -> None:
    """docs/design.md §9 is a format that other programs rely on."""
    keys = {name: set(build.build(name, tmp_path, "embedded").as_dict()) for name in READY}
    assert keys == {name: {"version", "seconds", "configs", "warnings"} for name in READY}


@pytest.mark.slow
@every_view
def test_plain_datasets_reads_what_was_built(built: Path, tmp_path: Path, name: str, config: str) -> None:
    ours = ita_med.load_dataset(name, config, mirror="embedded")
    alone = plain_load(built / name, config, tmp_path / "cache")
    title = f"{name}-{config}" if config in SHARED else config
    together = plain_load(built, title, tmp_path / "cache")
    for found in (alone, together):
        assert set(found) == set(ours)
        for split in ours:
            assert found[split].features == ours[split].features
            assert found[split].to_list() == ours[split].to_list()


def test_one_split_can_be_loaded() -> None:
    found = ita_med.load_dataset("abstrct", "neoplasm", mirror="embedded", split="validation")
    assert list(found) == ["validation"]


def test_without_a_config_the_first_is_loaded() -> None:
    found = ita_med.load_dataset("abstrct", mirror="embedded")
    assert set(found) == {"train", "validation", "test"}


@every_dataset
def test_rebuilding_replaces_the_old_folder(tmp_path: Path, built: Path, name: str) -> None:
    old = tmp_path / name / "old-config" / "train-00000-of-00001.parquet"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"stale")
    build.build(name, tmp_path, "embedded")
    assert files_of(tmp_path / name) == files_of(built / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", name]


def test_a_failed_rebuild_leaves_the_old_dataset(tmp_path: Path, built: Path) -> None:
    out, mirror = tmp_path / "out", tmp_path / "mirror"
    build.build("med_ita", out, "embedded")
    shutil.copytree(build.folder("med_ita") / "sample", mirror / "med_ita")
    with (mirror / "med_ita" / "5_shots.jsonl").open("a") as file:
        file.write("{\n")
    with pytest.raises(ita_med.errors.DataError):
        build.build("med_ita", out, str(mirror))
    assert files_of(out / "med_ita") == files_of(built / "med_ita")
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "med_ita"]


def test_the_old_dataset_survives_a_failure_while_it_is_replaced(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build("abstrct", tmp_path, "embedded")
    target, real, failed = tmp_path / "abstrct", os.rename, []

    def fails_once(source: Any, destination: Any, **options: Any) -> None:
        if Path(destination) == target and not failed:
            failed.append(source)
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, destination, **options)

    monkeypatch.setattr(os, "rename", fails_once)
    monkeypatch.setattr(os, "replace", fails_once)
    with pytest.raises((OSError, ita_med.errors.ItaMedError)):
        build.build("abstrct", tmp_path, "embedded")
    assert failed
    assert files_of(target) == files_of(built / "abstrct")


@every_dataset
def test_a_card_and_checksums_lie_beside_the_builder(name: str) -> None:
    folder = build.folder(name)
    assert len((folder / "card.md").read_text("utf-8").split()) > 20
    pinned = build.pinned(name)
    assert pinned or catalogue.dataset(name).status == "unverified", "a ready dataset has its real files pinned"
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in pinned.values())


@every_dataset
def test_readme_says_that_the_sample_is_synthetic_and_holds_the_card(built: Path, name: str) -> None:
    readme = (built / name / "README.md").read_text("utf-8")
    entry = catalogue.dataset(name)
    assert "Synthetic sample" in readme
    for fact in (entry.licence, entry.homepage, entry.citation, build.builder(name).VERSION):
        assert fact in readme


def test_index_lists_every_dataset(built: Path) -> None:
    readme = (built / "README.md").read_text("utf-8")
    assert [name for name in READY if f"({name}/README.md)" not in readme] == []


def test_a_config_of_two_datasets_gets_both_names(tmp_path: Path) -> None:
    """Two copies of one dataset share every config; the index must keep them apart."""
    build.build("abstrct", tmp_path, "embedded")
    shutil.copytree(tmp_path / "abstrct", tmp_path / "other")
    build.write_index(tmp_path)
    for title in ("abstrct-glaucoma", "other-glaucoma"):
        assert len(plain_load(tmp_path, title, tmp_path / "cache")["test"]) == 18


def test_two_examples_with_one_id_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    twins = [SpanExample("a", "", "testo", []), SpanExample("a", "", "altro", [])]
    monkeypatch.setattr(build.builder("abstrct"), "read", lambda *_: iter([("glaucoma", "test", twins)]))
    with pytest.raises(ita_med.errors.DataError, match="id a appears twice"):
        build.build("abstrct", tmp_path, "embedded")
    assert list(tmp_path.iterdir()) == []


def test_all_builds_what_a_mirror_holds_and_names_the_rest(command: Any, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(build.folder("test_medicina") / "sample", mirror / "test_medicina")
    ran = command("data", "build", "--all", "--mirror", mirror, "--out", tmp_path / "out")
    assert ran.code == 0
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == ["test_medicina"]
    named = [line for line in ran.err.splitlines() if line.startswith("ita-med: not built: ")]
    assert len(named) == len(READY) - 1
    (mirror / "e3c").mkdir()
    ran = command("data", "build", "--all", "--mirror", mirror, "--out", tmp_path / "again")
    assert ran.code == 1, "a folder that is there and does not hold the dataset is no reason to go on"
    shutil.rmtree(mirror)
    mirror.mkdir()
    ran = command("data", "build", "--all", "--mirror", mirror, "--out", tmp_path / "none")
    assert (ran.code, ran.err.splitlines()[-1]) == (1, "ita-med: nothing could be built")
