"""Imports go one way: leaderboard, training → tasks → dataset_builders → ita_med; and the command starts light."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("dataset_builders", "tasks", "training", "leaderboard")
FORBIDDEN = {
    "dataset_builders": {"tasks", "training", "leaderboard"},
    "tasks": {"training", "leaderboard"},
}
LAZY = {"ita_med/cli.py", "ita_med/__init__.py"}
"""The core's only files that may import rooms, inside functions."""
HEAVY = {"torch", "datasets", "lm_eval", "transformers", "pandas", "sklearn", "pyarrow", "numpy"}


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """(dotted name, whether inside a function) of all imports, `import_module` with a constant among them."""

    def visit(node: ast.AST, lazy: bool) -> Iterator[tuple[str, bool]]:
        match node:
            case ast.Import():
                yield from ((alias.name, lazy) for alias in node.names)
            case ast.ImportFrom():
                assert node.level == 0, "relative imports hide the room"
                yield from ((f"{node.module}.{alias.name}", lazy) for alias in node.names)
            case ast.Call(func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"), args=[first, *_]):
                parts = first.values if isinstance(first, ast.JoinedStr) else [first]
                if isinstance(parts[0], ast.Constant):
                    yield str(parts[0].value), lazy
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lazy)

    return visit(ast.parse(source), False)


def room(name: str) -> str | None:
    """The room that a dotted name belongs to, also under the name of its folder in the checkout."""
    parts = name.removeprefix("ita_med.").split(".")
    return parts[0] if parts[0] in ROOMS else None


def modules(folder: str) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py"))


def test_the_scan_sees_every_way_to_import() -> None:
    source = """
import ita_med.tasks.families.spans
from ita_med import tasks, errors
from ita_med.training.x import y
def f():
    import leaderboard
    import_module(f"ita_med.dataset_builders.{name}")
"""
    found = [(room(name), lazy) for name, lazy in imports(source)]
    assert found == [
        *[("tasks", False), ("tasks", False), (None, False), ("training", False)],
        *[("leaderboard", True), ("dataset_builders", True)],
    ]


@pytest.mark.parametrize("path", [path for name in FORBIDDEN for path in modules(name)])
def test_a_room_imports_only_the_rooms_below_it(path: str) -> None:
    own = path.split("/")[0]
    used = {room(name) for name, _ in imports((ROOT / path).read_text("utf-8"))}
    assert not used & FORBIDDEN[own]


@pytest.mark.parametrize("path", modules("ita_med"))
def test_the_core_imports_no_room_but_lazily_in_the_command(path: str) -> None:
    used = {(room(name), lazy) for name, lazy in imports((ROOT / path).read_text("utf-8")) if room(name)}
    assert not used or path in LAZY
    assert all(lazy for _, lazy in used)


@pytest.mark.parametrize("path", modules("tasks/scoring"))
def test_the_scorer_needs_neither_lm_eval_nor_datasets(path: str) -> None:
    roots = {name.split(".")[0] for name, _ in imports((ROOT / path).read_text("utf-8"))}
    assert not roots & {"lm_eval", "datasets", "torch", "sklearn"}


def loaded(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after the code."""
    probe = f"{code}\nimport sys\nprint(*[name for name in {sorted(HEAVY)} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=dict(os.environ), cwd=ROOT.parent
    )
    return set(done.stdout.split())


def test_the_command_starts_without_heavy_packages() -> None:
    assert loaded("import ita_med.cli; ita_med.cli._add_rooms()") == set()


def test_scoring_needs_numpy_only() -> None:
    assert loaded("import ita_med.tasks.scoring.matching") == set()
    assert loaded("import ita_med.tasks.scoring.metrics") <= {"numpy"}


def test_the_probe_sees_a_heavy_package() -> None:
    assert "numpy" in loaded("import numpy")
