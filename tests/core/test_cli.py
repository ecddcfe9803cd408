"""`ita-med`: help, version, the dataset list, and what it starts without."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import ita_med
from ita_med import catalogue

SHOW_MODULES = """
import sys
from ita_med.cli import main
sys.argv = ["ita-med", "--help"]
try:
    main()
except SystemExit:
    print(*sys.modules)
"""


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ita_med.cli", *args], capture_output=True, text=True, timeout=60)


def test_help_names_the_rooms() -> None:
    ran = run("--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    for word in ("data", "tasks", "eval", "score", "report", "--version"):
        assert word in ran.stdout


@pytest.mark.parametrize("args", [["-h"], ["data", "--help"], ["data", "build", "-h"], ["tasks", "--help"]])
def test_every_help_works(args: list[str]) -> None:
    ran = run(*args)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Usage" in ran.stdout


def test_version() -> None:
    ran = run("--version")
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, f"ita-med {ita_med.version.__version__}", "")


def test_data_list_json_holds_the_whole_catalogue() -> None:
    ran = run("data", "list", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = json.loads(ran.stdout)
    assert [row["id"] for row in rows] == [entry.id for entry in catalogue.datasets()]
    assert all(set(row) == set(catalogue.Dataset.__dataclass_fields__) for row in rows)


@pytest.mark.parametrize("family", [*catalogue.FAMILIES, "corpus"])
def test_data_list_of_one_family(family: str) -> None:
    rows = json.loads(run("data", "list", "--family", family, "--json").stdout)
    assert rows
    assert [row["id"] for row in rows] == [e.id for e in catalogue.datasets() if family in e.families]


def test_data_list_table_shows_the_ids() -> None:
    ran = run("data", "list", "--family", "ner")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    named = [entry.id for entry in catalogue.datasets() if "ner" in entry.families]
    assert [name for name in named if not any(line.split()[:1] == [name] for line in lines)] == []
    assert not any(line.split()[:1] == ["med_ita"] for line in lines)


def test_unknown_family_is_an_error() -> None:
    ran = run("data", "list", "--family", "nre")
    assert ran.returncode != 0
    assert "nre" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("args", [["dta"], ["data", "bild"], ["data", "build", "--nope"]])
def test_unknown_command_or_option_is_a_usage_error(args: list[str]) -> None:
    ran = run(*args)
    assert ran.returncode == 2
    assert args[-1] in ran.stderr
    assert "Traceback" not in ran.stderr


def test_help_imports_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", SHOW_MODULES], capture_output=True, text=True, timeout=60)
    loaded = set(ran.stdout.splitlines()[-1].split())
    assert "ita_med.cli" in loaded
    assert not loaded & {"torch", "datasets", "pyarrow", "lm_eval", "numpy", "pandas", "requests", "huggingface_hub"}


def test_a_closed_pipe_is_no_stack_trace() -> None:
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m ita_med.cli data list --json | head -c 1 >/dev/null"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr
