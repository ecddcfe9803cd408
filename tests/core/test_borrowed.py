"""The insides of other libraries that we borrow are still there; and where one is gone, one line says what is lost."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ita_med import borrowed
from ita_med.borrowed import (
    Borrowed,
    gradio_inside,
    hub_inside,
    lm_eval_inside,
    transformers_inside,
    trl_inside,
)
from ita_med.errors import ItaMedError

from ..hub import Client
from ..hub_server import Hub

pytestmark = [pytest.mark.slow, pytest.mark.torch]

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "ita_med" / "borrowed").glob("*_inside.py"))
LISTED = [one for name in MODULES for one in importlib.import_module(f"ita_med.borrowed.{name}").BORROWED]
GONE = Borrowed("pytest", "pytest:_no_such_name", "nothing works; do without")


@pytest.mark.parametrize("one", [one for one in LISTED if one.importable], ids=lambda one: one.name)
def test_the_installed_library_still_has_it(one: Borrowed) -> None:
    pytest.importorskip(one.name.split(".")[0].split(":")[0])
    if "vllm" in one.name:
        pytest.importorskip("vllm")
    if "transformers.trainer" in one.name:
        pytest.importorskip("torch")
    assert borrowed.exists(one), one.line()


def source_of(module: str) -> str:
    """The text of a library's module, which is not imported: it may need packages that are not here."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None or spec.origin is None:
        pytest.skip(f"{module} is not installed")
    return Path(spec.origin).parent.joinpath(*module.split(".")[1:]).with_suffix(".py").read_text("utf-8")


def test_lm_eval_makes_its_sampling_parameters_of_all_settings() -> None:
    source = source_of("lm_eval.models.vllm_causallms")
    assert "SamplingParams(max_tokens=max_gen_toks, stop=until, **kwargs)" in source, (
        lm_eval_inside.SAMPLING_PARAMS.line()
    )


@pytest.mark.parametrize(
    ("one", "module", "attributes"),
    [
        (lm_eval_inside.BATCH_SIZE, "huggingface", ["batch_size_per_gpu"]),
        (lm_eval_inside.TEMPLATE, "huggingface", ["chat_template_args"]),
        (lm_eval_inside.TEMPLATE, "vllm_causallms", ["chat_template_args", "enable_thinking"]),
    ],
)
def test_lm_evals_models_have_the_attributes_that_we_set(one: Borrowed, module: str, attributes: list[str]) -> None:
    source = source_of(f"lm_eval.models.{module}")
    for attribute in attributes:
        assert f"self.{attribute} = " in source, one.line()
        assert source.count(f"self.{attribute}") > 1, f"{one.line()} (it is set, but nothing reads it)"


def test_a_checkpoint_is_written_as_we_read_it() -> None:
    source = source_of("transformers.trainer")
    assert '"rng_state.pth"' in source, transformers_inside.RANDOM_STATES.line()
    assert 'f"rng_state_{self.args.process_index}.pth"' in source, transformers_inside.RANDOM_STATES.line()
    saved = source.partition("def _save_checkpoint(")[2].partition("\n    def ")[0]
    assert 0 < saved.find("_save_rng_state(") < saved.find("TRAINER_STATE_NAME"), transformers_inside.STATE_FILE.line()


def test_trl_brings_profiles_of_accelerate() -> None:
    pytest.importorskip("trl")
    assert {"fsdp2", "zero3"} <= trl_inside.accelerate_profiles().keys(), trl_inside.PROFILES.line()


def test_the_hub_notes_the_commit_beside_a_download(hub: Hub, hub_client: Client, tmp_path: Path) -> None:
    made = hub_client.run(
        code=f"""
from huggingface_hub import HfApi, snapshot_download
HfApi().create_repo("tester/notes", repo_type="dataset")
HfApi().upload_file(path_or_fileobj=b"a", path_in_repo="data.txt", repo_id="tester/notes", repo_type="dataset")
snapshot_download("tester/notes", repo_type="dataset", local_dir={str(tmp_path / "notes")!r})
"""
    )
    assert made.code == 0, made.err
    head = hub.repos["datasets", "tester/notes"].commits[-1]["oid"]
    assert hub_inside.noted_commits(tmp_path) == {"notes": head}, hub_inside.NOTES.line()


GRADIO_PAGE = """
import asyncio
import gradio as gr
import httpx
from fastapi import FastAPI

with gr.Blocks(title="A") as blocks:
    gr.Navbar(visible=False)
app = gr.mount_gradio_app(FastAPI(), blocks, path="/it", ssr_mode=False)

async def page():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://host") as client:
        return (await client.get("/it/")).text

print(asyncio.run(page()))
"""
"""In a process of its own: a board of another test may be importing Gradio beside."""


def test_gradios_pages_can_be_taken_apart(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("fastapi")
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio is not installed")
    made = subprocess.run([sys.executable, "-c", GRADIO_PAGE], capture_output=True, text=True, check=True)
    borrowed.warn.cache_clear()
    parts = gradio_inside.take_apart(made.stdout, "http://host", "/it")
    assert not lines(caplog)
    assert parts.head
    assert parts.inline
    assert parts.opening.startswith("<gradio-app")
    assert "http://host" not in "".join([*parts.head, parts.opening, parts.closing])


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


def in_one_line(done: subprocess.CompletedProcess[str], words: str, printed: str) -> None:
    """The program ended well, printed what it should, and said one line on what is lost."""
    assert (done.returncode, done.stdout) == (0, printed), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count(words) == 1, done.stderr
    assert sum(" has no " in line for line in done.stderr.splitlines()) == 1


SCORED = """
from ita_med.borrowed.trl_inside import only_labelled_positions
for _ in range(3):
    with only_labelled_positions():
        print("trained")
"""
CHECKED = """
from pathlib import Path
from ita_med.borrowed.transformers_inside import is_whole, remove_arguments_file
print(is_whole(Path("."), 1), is_whole(Path("."), 1), remove_arguments_file(Path(".")))
"""
TURNED_OFF = """
from ita_med.borrowed.hub_inside import turn_telemetry_off
turn_telemetry_off()
turn_telemetry_off()
print(hasattr(library, "HF_HUB_DISABLE_TELEMETRY"))
"""


@pytest.mark.parametrize(
    ("one", "code", "printed"),
    [
        (trl_inside.USE_TRITON, SCORED, "trained\n" * 3),
        (transformers_inside.STATE_FILE, CHECKED, "False False None\n"),
        (transformers_inside.ARGUMENTS_FILE, CHECKED, "False False None\n"),
        (hub_inside.TELEMETRY, TURNED_OFF, "False\n"),
    ],
    ids=lambda value: value.name if isinstance(value, Borrowed) else "",
)
def test_without_a_name_the_program_goes_on_and_says_what_is_lost(one: Borrowed, code: str, printed: str) -> None:
    pytest.importorskip(one.package)
    if one.package == "transformers":
        pytest.importorskip("torch")
    in_one_line(without(one.name, code), one.lost, printed)


def test_without_lm_evals_class_vllm_cannot_be_constrained(monkeypatch: pytest.MonkeyPatch) -> None:
    lm_eval_inside.let_vllm_take_text()  # nobody has imported the backend: nothing to do
    monkeypatch.setitem(sys.modules, "lm_eval.models.vllm_causallms", ModuleType("vllm_causallms"))
    with pytest.raises(ItaMedError, match=r"SamplingParams: vllm cannot be told what an answer may be"):
        lm_eval_inside.let_vllm_take_text()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "ita_med"]


def test_without_lm_evals_attributes_a_model_is_used_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    borrowed.warn.cache_clear()
    lm = type("HFLM", (), {"__module__": "lm_eval.models.huggingface"})()
    for _ in range(2):
        lm_eval_inside.set_automatic_batch_size(lm, cpu=1, gpu=2)
        lm_eval_inside.set_template_arguments(lm, "hf", {"date_string": "1"})
    assert lines(caplog) == [lm_eval_inside.BATCH_SIZE.line(), lm_eval_inside.TEMPLATE.line()]
    assert vars(lm) == {}
    lm_eval_inside.set_template_arguments(type("Floor", (), {})(), "baseline", {"date_string": "1"})
    assert len(lines(caplog)) == 2, "a model without templates lacks nothing"


def test_without_trls_profiles_a_file_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    borrowed.warn.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert trl_inside.accelerate_profiles() == {}
    assert lines(caplog) == [trl_inside.PROFILES.line()]


def test_without_the_hubs_notes_a_manifest_has_no_commits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    borrowed.warn.cache_clear()
    (tmp_path / "by_hand").mkdir()
    assert hub_inside.noted_commits(tmp_path) == {}
    assert lines(caplog) == [], "files that were put there by hand have no notes"
    (tmp_path / "downloaded" / ".cache" / "huggingface").mkdir(parents=True)
    assert hub_inside.noted_commits(tmp_path) == {}
    assert lines(caplog) == [hub_inside.NOTES.line()]


def test_pages_of_another_form_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    borrowed.warn.cache_clear()
    with pytest.raises(ItaMedError, match="has no element <gradio-app>"):
        gradio_inside.take_apart("<html><head></head><body></body></html>", "http://host", "/it")
    caplog.clear()
    borrowed.warn.cache_clear()
    parts = gradio_inside.take_apart("<head></head><gradio-app></gradio-app>x</body>", "http://host", "/it")
    assert parts == gradio_inside.Parts([], "<gradio-app>", "</gradio-app>x", [])
    assert lines(caplog) == [one.line() for one in (gradio_inside.ROOT, gradio_inside.ASSETS, gradio_inside.TITLE)]
