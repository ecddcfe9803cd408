"""`ita-med data verify`: what is claimed is derived again, and every difference has a name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ita_med import catalogue, checksums
from ita_med.dataset_builders import build, build_record, mirror, pin, verify

pytestmark = pytest.mark.slow

READY = [entry.id for entry in catalogue.datasets() if entry.has_builder]
PINNED = ["abstrct", "casimedicos_arg", "dyspnea_crf", "e3c", "med_ita"]


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror of samples that a copy of the builders' folders pins as the real files."""
    beside = tmp_path / "beside"
    for name in ("med_ita", "abstrct"):
        shutil.copytree(build.folder(name) / "sample", tmp_path / "mirror" / name)
        (beside / name).mkdir(parents=True)
        pin.pin(name, str(tmp_path / "mirror"), beside / name)
    monkeypatch.setattr(build_record, "folder", lambda name: beside / name)
    return tmp_path / "mirror"


@pytest.mark.parametrize("name", PINNED)
def test_expected_counts_are_of_the_builders_version(name: str) -> None:
    expected = build_record.expected(name)
    assert expected is not None
    assert expected["version"] == build.builder(name).VERSION
    assert set(expected["configs"]) <= set(build.builder(name).CONFIGS)
    assert "synthetic_sample" not in expected["warnings"]
    assert build_record.pinned(name)


def test_pinned_counts_and_checksums_come_together() -> None:
    assert [name for name in READY if build_record.expected(name)] == [
        name for name in READY if build_record.pinned(name)
    ]


def test_all_is_well(command: Any, pinned: Path) -> None:
    ran = command("data", "verify", "--mirror", pinned)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "med_ita: ok (mirror): 3 files; 71 examples; counts and checksums as pinned",
        "abstrct: ok (mirror): 5 files; 136 examples; counts and checksums as pinned",
    ]


def test_a_changed_file_and_its_counts_are_named(command: Any, pinned: Path) -> None:
    path = pinned / "med_ita" / "5_shots.jsonl"
    path.write_text("\n".join(path.read_text("utf-8").splitlines()[:-1]) + "\n", "utf-8")
    ran = command("data", "verify", "--mirror", pinned)
    assert ran.code == 1
    broken, fine = ran.out.splitlines()
    assert broken.startswith("med_ita: FAILED (mirror): 5_shots.jsonl has sha256 ")
    assert "configs/shots/train/examples is 4, expected 5" in broken
    assert fine.startswith("abstrct: ok")
    found = json.loads(command("data", "verify", "--mirror", pinned, "--json").out)
    assert [name for name, verdict in found.items() if not verdict["ok"]] == ["med_ita"]


def test_unpinned_does_not_make_verify_blind(command: Any, pinned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(checksums.UNPINNED_VARIABLE, "1")
    with (pinned / "med_ita" / "5_shots.jsonl").open("a") as file:
        file.write("\n")
    assert "5_shots.jsonl has sha256" in command("data", "verify", "med_ita", "--mirror", pinned).out


def test_a_missing_or_broken_file_is_named(command: Any, pinned: Path) -> None:
    (pinned / "med_ita" / "dataset_hard.jsonl").unlink()
    (pinned / "abstrct" / checksums.CHECKSUM_FILE).write_text("nonsense\n")
    ran = command("data", "verify", "med_ita", "abstrct", "e3c", "--mirror", pinned)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert len(lines) == 3
    assert "dataset_hard.jsonl is pinned, but was not read" in lines[0]
    assert "dataset_hard.jsonl is not in" in lines[0]
    assert "SHA256SUMS, line 1" in lines[1]
    assert lines[2].startswith("e3c: FAILED (raw files): the mirror")


def test_counts_of_an_older_builder_are_not_compared(pinned: Path) -> None:
    path = build_record.folder("abstrct") / build_record.COUNTS_FILE
    path.write_text(path.read_text("utf-8").replace('"1.0.0"', '"0.9.0"'), "utf-8")
    verdict = verify.raw("abstrct", str(pinned))
    assert verdict.problems == [
        f"counts.json is of data version 0.9.0, the builder's is {build.builder('abstrct').VERSION}: "
        "pin the dataset again"
    ]


def test_the_manifest_of_the_mirror_is_held_against_its_files(command: Any, pinned: Path) -> None:
    assert command("data", "mirror", pinned, "med_ita", "abstrct").code == 0
    manifest = json.loads((pinned / mirror.MANIFEST).read_text("utf-8"))
    (pinned / "abstrct" / "planted.tsv").write_text("x")
    manifest["datasets"]["med_ita"]["files"]["dataset.jsonl"]["sha256"] = "0" * 64
    manifest["datasets"]["med_ita"]["files"]["gone.jsonl"] = {"sha256": "0" * 64, "size": 1}
    (pinned / mirror.MANIFEST).write_text(json.dumps(manifest), "utf-8")
    first, second = command("data", "verify", "--mirror", pinned).out.splitlines()
    assert "gone.jsonl is in MANIFEST.json, but not in the mirror" in first
    assert "dataset.jsonl has sha256" in first
    assert second == "abstrct: FAILED (mirror): planted.tsv is not in MANIFEST.json"


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 2, "datasets": {}}', '{"format": 1, "datasets": {"a": 1}}'])
def test_a_broken_manifest_is_one_line(command: Any, pinned: Path, content: str) -> None:
    (pinned / mirror.MANIFEST).write_text(content)
    ran = command("data", "verify", "--mirror", pinned)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert "MANIFEST.json is no manifest" in ran.err


def test_the_embedded_samples_have_nothing_to_compare_with(command: Any) -> None:
    ran = command("data", "verify", "med_ita", "--mirror", "embedded")
    assert (ran.code, ran.out) == (0, "med_ita: ok (embedded): 3 files; 71 examples\n")


def test_nothing_to_verify(command: Any, tmp_path: Path) -> None:
    for args in (["--mirror", tmp_path], ["--mirror", tmp_path / "no"], ["--built", tmp_path]):
        ran = command("data", "verify", *args)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)


# ----- built folders -------------------------------------------------------------------------------------------------


def rewritten(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "neoplasm" / "validation-00000-of-00001.parquet"
        table = pq.read_table(path)
        rows = table.to_pylist()
        change(rows)
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)

    return damage


def edited(file: str, old: str, new: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        text = (folder / file).read_text("utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")

    return damage


def first_span(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next(row["spans"][0] for row in rows if row["spans"])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "offset": (rewritten(lambda rows: first_span(rows).update(start=1)), "expected"),
    "row lost": (rewritten(lambda rows: rows.pop()), "neoplasm/validation: examples is 15, expected 16"),
    "label changed": (rewritten(lambda rows: first_span(rows).update(label="Claims")), "annotations/Claims is 1"),
    "id twice": (rewritten(lambda rows: rows[1].update(id=rows[0]["id"])), "appears twice"),
    "other split": (rewritten(lambda rows: rows[0].update(split="test")), "belongs to the split test"),
    "bytes": (rewritten(lambda rows: rows[0].update(meta='{"a": 1}')), "croissant.json says"),
    "meta that is no JSON": (rewritten(lambda rows: rows[0].update(meta="{")), "neoplasm/validation"),
    "truncated": (
        lambda folder: (folder / "mixed" / "test-00000-of-00001.parquet").write_bytes(b"PAR1"),
        "mixed/test: test-00000-of-00001.parquet cannot be read",
    ),
    "file gone": (
        lambda folder: (folder / "mixed" / "test-00000-of-00001.parquet").unlink(),
        "mixed/test: test-00000-of-00001.parquet cannot be read",
    ),
    "file planted": (
        lambda folder: shutil.copy(next((folder / "mixed").iterdir()), folder / "mixed" / "x.parquet"),
        "mixed/x.parquet is not in report.json",
    ),
    "counts of the README": (
        edited("README.md", "| neoplasm | train | 60 |", "| neoplasm | train | 61 |"),
        "README.md",
    ),
    "counts of the report": (edited("report.json", '"examples": 60', '"examples": 61'), "examples is 60, expected 61"),
    "report": (edited("report.json", '"configs"', '"config"'), "report.json is no build report"),
    "croissant": (edited("croissant.json", '"distribution"', '"files"'), "croissant.json cannot be read"),
}


@pytest.mark.parametrize("title", DAMAGES)
def test_a_damaged_built_folder_is_found(command: Any, tmp_path: Path, title: str) -> None:
    build.build("abstrct", tmp_path, "embedded")
    whole = command("data", "verify", "--built", tmp_path)
    assert (whole.code, whole.out) == (
        0,
        "abstrct: ok (built from embedded): 5 files; 136 examples; synthetic sample\n",
    )
    damage, named = DAMAGES[title]
    damage(tmp_path / "abstrct")
    ran = command("data", "verify", "--built", tmp_path)
    assert (ran.code, ran.err, len(ran.out.splitlines())) == (1, "", 1)
    assert named in ran.out


def test_one_built_folder_by_name(command: Any, tmp_path: Path) -> None:
    build.build("abstrct", tmp_path, "embedded")
    assert command("data", "verify", "--built", tmp_path / "abstrct").code == 0
    assert command("data", "verify", "abstrct", "--built", tmp_path).code == 0
    assert command("data", "verify", "e3c", "--built", tmp_path).code == 1


@pytest.mark.parametrize("name", READY)
def test_every_sample_verifies(tmp_path: Path, name: str) -> None:
    build.build(name, tmp_path, "embedded")
    assert verify.built(tmp_path / name).problems == []


@pytest.mark.real_data
def test_the_real_files_are_as_pinned(real_mirror: str) -> None:
    for name in PINNED:
        verdict = verify.raw(name, real_mirror)
        assert verdict.problems == []
        assert "counts and checksums as pinned" in verdict.notes
