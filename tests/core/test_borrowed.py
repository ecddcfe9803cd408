"""The insides of other libraries that we borrow are still there; and where one is gone, one line says what is lost."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ita_med import borrowed
from ita_med.borrowed import Borrowed
from ita_med.errors import ItaMedError

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "ita_med" / "borrowed").glob("*_inside.py"))
LISTED = [one for name in MODULES for one in importlib.import_module(f"ita_med.borrowed.{name}").BORROWED]
GONE = Borrowed("pytest", "pytest:_no_such_name", "nothing works; do without")


@pytest.mark.parametrize("one", [one for one in LISTED if one.importable], ids=lambda one: one.name)
def test_the_installed_library_still_has_it(one: Borrowed) -> None:
    pytest.importorskip(one.name.split(".")[0].split(":")[0])
    assert borrowed.exists(one), one.line()


def test_a_missing_inside_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    borrowed.warn.cache_clear()
    assert not borrowed.there(GONE)
    assert not borrowed.there(GONE)
    assert [record.getMessage() for record in caplog.records] == [
        f"pytest {pytest.__version__} has no pytest._no_such_name: nothing works; do without"
    ]
    with pytest.raises(ItaMedError, match=r"has no pytest\._no_such_name: nothing works"):
        borrowed.require(GONE)
    assert not borrowed.exists(Borrowed("pytest", "no_such_module:name", ""))
    assert "no-such-package (not installed) has no" in Borrowed("no-such-package", "a:b", "").line()


@pytest.mark.parametrize("one", LISTED, ids=lambda one: one.name)
def test_every_line_says_what_is_lost_in_one_line(one: Borrowed) -> None:
    assert len(one.lost) > 20
    assert "\n" not in one.line()


# ----- nothing is borrowed elsewhere ---------------------------------------------------------------------------------


def private_names(source: str) -> Iterator[str]:
    """Private attributes and imports of a module that it does not define itself, as they are written."""
    tree = ast.parse(source)
    own = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    own |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_self(node.value)
            and isinstance(node.ctx, ast.Store)}  # fmt: skip
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if _private(name) and name not in own:
                yield ast.unparse(node)
            case ast.ImportFrom(module=str(module), names=names) if not module.startswith("ita_med"):
                if any(_private(part) for part in [*module.split("."), *(alias.name for alias in names)]):
                    yield ast.unparse(node)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_the_scan_sees_private_names() -> None:
    source = """
from torch._C import x
from trl.trainer.utils import _use_triton
from __future__ import annotations
from ita_med.tasks import _own
class A:
    def _f(self):
        self._x = 1
        return self._x + self._f() + lm._model_generate
args._n_gpu = 1
"""
    assert sorted(private_names(source)) == [
        "args._n_gpu", "from torch._C import x", "from trl.trainer.utils import _use_triton", "lm._model_generate",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "room", ["ita_med", "dataset_builders", "tasks", "training", "leaderboard", "benchmarks", "docs"]
)
def test_private_names_stand_in_one_place_per_library(room: str) -> None:
    here = ROOT / "ita_med" / "borrowed"
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / room).rglob("*.py")
        if path.parent != here
        for name in private_names(path.read_text("utf-8"))
    }
    assert not found, "private names of a library belong into ita_med/borrowed/, with what is lost without them"


# ----- what a user reads ---------------------------------------------------------------------------------------------


def without(name: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter in which a library has lost one of its names."""
    module, _, attribute = name.partition(":")
    owner, _, last = f"library.{attribute}".rpartition(".")
    lost = f"import importlib\nlibrary = importlib.import_module({module!r})\ndelattr({owner}, {last!r})\n"
    return subprocess.run([sys.executable, "-c", lost + code], capture_output=True, text=True, cwd=ROOT)


SCORED = """
from ita_med.borrowed.trl_inside import only_labelled_positions
for _ in range(3):
    with only_labelled_positions():
        print("trained")
"""


def test_without_trls_switch_training_goes_on_more_slowly() -> None:
    pytest.importorskip("trl")
    done = without("trl.trainer.utils:_use_triton", SCORED)
    assert (done.returncode, done.stdout) == (0, "trained\n" * 3)
    (line,) = (line for line in done.stderr.splitlines() if "trl" in line)
    assert "has no trl.trainer.utils._use_triton: on a CPU the model's head scores the prompts too" in line
