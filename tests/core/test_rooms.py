"""Imports go one way: between the rooms, between the folders of a room, between modules; and the command starts light.

leaderboard, training → tasks → dataset_builders → ita_med; inside a room, see FLOORS.
"""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("dataset_builders", "tasks", "training", "leaderboard")
FORBIDDEN = {
    "dataset_builders": {"tasks", "training", "leaderboard"},
    "tasks": {"training", "leaderboard"},
}
FLOORS = {
    "ita_med": ["errors", "files", "numbers", "version", "figures", "borrowed", "."],
    "dataset_builders": ["formats", "datasets", ".", "corpus_pipeline"],
    "tasks": ["scoring", "families", "benchmark", "decoding", "baselines", "evaluation", "report", "."],
    "training": [
        *("recipe", "backend", "models", "record", "data", "decoders", "encoders", "plan", "publish", ".", "studies"),
    ],
    "leaderboard": ["submissions", "database", "sign_in", "results", "web", "pages", "publish", "."],
}
"""The folders of each room from the ground up, and modules that lie below a folder: each uses only those before it.

"." stands for the other modules of the room itself.
"""
LAZY = {"ita_med/cli.py", "ita_med/__init__.py"}
"""The core's only files that may import rooms, inside functions."""
HEAVY = {"torch", "datasets", "lm_eval", "transformers", "pandas", "sklearn", "pyarrow", "numpy"}


def imports(source: str | ast.AST) -> Iterator[tuple[str, bool]]:
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

    return visit(ast.parse(source) if isinstance(source, str) else source, False)


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


@pytest.mark.parametrize("own", FORBIDDEN)
def test_a_room_imports_only_the_rooms_below_it(own: str) -> None:
    used = {path: {room(name) for name, _ in imports((ROOT / path).read_text("utf-8"))} for path in modules(own)}
    assert not [path for path, rooms in used.items() if rooms & FORBIDDEN[own]]


@pytest.mark.parametrize("path", modules("ita_med"))
def test_the_core_imports_no_room_but_lazily_in_the_command(path: str) -> None:
    used = {(room(name), lazy) for name, lazy in imports((ROOT / path).read_text("utf-8")) if room(name)}
    assert not used or path in LAZY
    assert all(lazy for _, lazy in used)


def module(path: str) -> str:
    """ "ita_med/tasks/spans.py" -> "ita_med.tasks.spans", for the places of the checkout."""
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return name if name.split(".")[0] == "ita_med" else f"ita_med.{name}"


PATHS = {module(path): path for room_ in ("ita_med", *ROOMS) for path in modules(room_)}


def used_modules(name: str) -> set[str]:
    """The package's modules that one imports, also inside functions; not what only a type checker reads."""
    tree = ast.parse((ROOT / PATHS[name]).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found = set()
    for dotted, _ in imports(tree):
        dotted = dotted if room(dotted) is None or dotted.startswith("ita_med.") else f"ita_med.{dotted}"
        found |= {dotted if dotted in PATHS else dotted.rpartition(".")[0]} & set(PATHS)
    return found - {name}


@cache
def used() -> dict[str, set[str]]:
    """Module -> those that it imports."""
    return {name: used_modules(name) for name in PATHS}


def floor(name: str) -> tuple[str, str]:
    """(room, floor) of a module: a folder, a module that `FLOORS` names, or "." for the room's other modules."""
    _, *parts = name.split(".")
    own, *rest = parts if parts and parts[0] in ROOMS else ["ita_med", *parts]
    return own, rest[0] if rest and rest[0] in FLOORS[own] else "."


def test_no_module_imports_one_that_imports_it() -> None:
    try:
        graphlib.TopologicalSorter(used()).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_every_folder_has_its_floor() -> None:
    for own, floors in FLOORS.items():
        folders = {path.parent.name for path in (ROOT / own).glob("*/__init__.py")}
        assert not folders - set(floors)
        assert all(
            (ROOT / own / name).is_dir() or (ROOT / own / f"{name}.py").is_file() for name in floors if name != "."
        )


@pytest.mark.parametrize("own", FLOORS)
def test_a_folder_uses_only_the_folders_below_it(own: str) -> None:
    floors, wrong = FLOORS[own], []
    for name in PATHS:
        if floor(name)[0] != own or name == f"ita_med.{own}":  # what a package says of itself stands at its top
            continue
        above = floors[floors.index(floor(name)[1]) + 1 :]
        wrong += [
            f"{name} uses {other}" for other in used()[name] if floor(other)[0] == own and floor(other)[1] in above
        ]
    assert not wrong


def test_the_scan_of_modules_sees_a_circle_and_leaves_types_out() -> None:
    assert "ita_med.dataset_builders.build" in used()["ita_med"]  # inside a function
    assert "ita_med.tasks.scoring.metrics" in used()["ita_med.tasks.scoring.statistics"]
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(used() | {"ita_med.errors": {"ita_med.tasks.cli"}}).prepare()


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
