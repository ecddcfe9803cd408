"""A contributor's mistakes in a builder are one line that says what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ita_med import catalogue
from ita_med.dataset_builders import build, build_record, cards, datasets
from ita_med.errors import ItaMedError

from .conftest import Command

ROW = """
[[dataset]]
id = "referti_eco"
name = "Referti"
families = ["ner"]
status = "unverified"
licence = "CC BY 4.0"
commercial = true
access = "open"
origin = "native"
size = "2 reports"
homepage = "https://example.org"
source = "url:https://example.org"
citation = "https://example.org"
note = "Invented for a test."
"""
BUILDER = """
from ita_med.schema import SpanExample, TextExample

VERSION = "1"
SOURCES = ()
CONFIGS = {"reports": "spans"}


def read(files, configs, report):
    for path, content in files.find("*.txt"):
        yield "reports", "train", [SpanExample(path, "", content.decode(), [])]
"""
Make = Callable[..., str]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Add a dataset referti_eco whose folder holds the files that are given; an empty one is left out."""

    def add(code: str = BUILDER, folder: str = "referti_eco", **files: str) -> str:
        place = tmp_path / "datasets" / folder
        contents = {"__init__.py": code, "sample/a.txt": "Referto.", "card.md": "## Personal data\n\nNone.\n"} | files
        for name, content in contents.items():
            if content:
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_text(content, "utf-8")
        known = catalogue.parse(ROW, "catalogue.toml")
        monkeypatch.setattr(catalogue, "_catalogue", lambda: known)
        monkeypatch.setattr(datasets, "__path__", [str(place.parent)])
        monkeypatch.setattr(build_record, "DATASETS", place.parent)
        monkeypatch.delitem(sys.modules, "ita_med.dataset_builders.datasets.referti_eco", raising=False)
        return "referti_eco"

    yield add  # type: ignore[misc]
    sys.modules.pop("ita_med.dataset_builders.datasets.referti_eco", None)


def test_a_builder_of_three_files_works(make: Make, tmp_path: Path, command: Command) -> None:
    assert build.build(make(), tmp_path / "out", "embedded").report.splits["reports", "train"].examples == 1
    ran = command("data", "build", "referti_eco", "--mirror", "embedded", "--out", tmp_path / "out")
    assert ran.code == 0


BROKEN = {
    "no VERSION": (BUILDER.replace("VERSION", "version"), {}, "referti_eco/__init__.py has no VERSION; a builder"),
    "nothing in it": ("", {}, "referti_eco/__init__.py has no VERSION, SOURCES, CONFIGS, read; a builder has"),
    "another config": (
        BUILDER.replace('yield "reports"', 'yield "report"'), {},
        'read yields the config "report", CONFIGS has reports',
    ),
    "another schema": (
        BUILDER.replace("spans", "span"), {},
        'CONFIGS gives "reports" the schema "span", expected spans',
    ),
    "another kind": (
        BUILDER.replace('SpanExample(path, "", content.decode(), [])', 'TextExample(path, "a", "b", "c")'), {},
        'reports/train: read yields a TextExample, but CONFIGS says the schema "spans"',
    ),
    "no sample": (BUILDER, {"sample/a.txt": ""}, "sample is missing: it holds a few synthetic files"),
    "no card": (BUILDER, {"card.md": ""}, "card.md is missing: it says what no code can"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_builder_is_one_line(case: str, make: Make, tmp_path: Path, command: Command) -> None:
    code, files, message = BROKEN[case]
    ran = command("data", "build", make(code, **files), "--mirror", "embedded", "--out", tmp_path / "out")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert ran.err.startswith("ita-med: referti_eco: ")
    assert message in ran.err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_another_name_is_one_line(make: Make, command: Command) -> None:
    ran = command("data", "build", make(folder="referti-eco"), "--mirror", "embedded")
    assert ran.code == 1
    assert ran.err == (
        "ita-med: referti_eco: there is no folder dataset_builders/datasets/referti_eco; "
        "a builder's folder has the id of its row (folders without a row: referti-eco)\n"
    )


def test_what_a_builder_lacks_itself_is_not_taken_for_its_folder(make: Make) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        build.builder(make(f"import no_such_package\n{BUILDER}"))


def test_a_card_needs_its_text(make: Make) -> None:
    with pytest.raises(ItaMedError, match=r"referti_eco: .*card\.md is missing"):
        cards.card(make(**{"card.md": ""}))
