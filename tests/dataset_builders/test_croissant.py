"""Croissant metadata, read by Croissant's own library: every schema, every column, checksums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ita_med.dataset_builders import build, croissant

mlc = pytest.importorskip("mlcroissant")

VIEWS = [("abstrct", "neoplasm"), ("clinkart", "clinkart"), ("dyspnea_crf", "gold"), ("med_ita", "questions")]
VIEWS += [("e3c", "layer3")]
"""One view of each schema."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("croissant")
    for name, _ in VIEWS:
        build.build(name, out, "embedded")
    return out


def plain(value: Any) -> Any:
    """Texts for bytes, columns without the path of their record set."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key.rpartition("/")[2]: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("name", "config"), VIEWS)
def test_records_are_the_rows_of_the_parquet_files(built: Path, name: str, config: str) -> None:
    dataset = mlc.Dataset(str(built / name / croissant.FILE))
    assert not dataset.metadata.ctx.issues.errors
    found = sorted((plain(record) for record in dataset.records(config)), key=lambda row: row["id"])
    rows = [row for path in (built / name / config).glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert found == sorted(rows, key=lambda row: row["id"])


@pytest.mark.parametrize("name", sorted({name for name, _ in VIEWS}))
def test_every_file_is_listed_with_its_checksum(built: Path, name: str) -> None:
    described = json.loads((built / name / croissant.FILE).read_text("utf-8"))
    listed = {file["@id"]: file["sha256"] for file in described["distribution"] if "sha256" in file}
    paths = (built / name).rglob("*.parquet")
    assert listed == {p.relative_to(built / name).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}
    assert [r["@id"] for r in described["recordSet"]] == sorted(build.builder(name).CONFIGS)
    assert "Synthetic sample" in described["description"]
