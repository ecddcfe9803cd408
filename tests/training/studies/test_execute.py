"""Plans are run one after the other, resumed after a kill, and reported on from their folders alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from ita_med import files
from ita_med.errors import ItaMedError

for module in ("torch", "trl", "peft", "accelerate"):
    pytest.importorskip(module)

from ita_med.leaderboard.submissions import check  # noqa: E402
from ita_med.leaderboard.submissions.submission import read_folder  # noqa: E402
from ita_med.tasks.benchmark.task_data import load  # noqa: E402
from ita_med.training import recipe as recipes  # noqa: E402
from ita_med.training.record import run_folder  # noqa: E402
from ita_med.training.studies import dry_run, execute  # noqa: E402
from ita_med.training.studies import study as studies  # noqa: E402
from ita_med.training.studies.findings import report  # noqa: E402
from ita_med.training.studies.study_folder import open_study  # noqa: E402
from ita_med.version import BENCHMARK_VERSION  # noqa: E402

pytestmark = pytest.mark.torch

Tiny = Callable[[str], Path]
TASK = "ita_med_ner_e3c_disorder"
ASKED = "ita_med_qa_medexpqa"
"""Evaluated: thirteen short answers."""
RECIPE = "smollm2/smollm2-135m-instruct-ft"


def changes(model: Path) -> list[str]:
    return [
        f"model.path={model}", f"data.tasks=[{TASK}]", "data.max_length=512", "train.max_steps=2", "train.batch_size=2",
        "train.packing=none", "report_to=none", "model.dtype=float32",
    ]  # fmt: skip


def small(tiny: Tiny, **more: Any) -> studies.Study:
    values = {"kind": "learning-curve", "recipes": [RECIPE], "changes": changes(tiny("smollm2")), "tasks": [ASKED]}
    return studies.from_dict(values | {"sizes": [3, "all"], "seeds": [0]} | more, "study")


@pytest.fixture(scope="module")
def done(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[studies.Study, Path]:
    """A learning curve of two runs on all documents of the sample."""
    out = tmp_path_factory.mktemp("studies") / "curve"
    study = small(tiny)
    execute.execute(open_study(study, out, "embedded"))
    return study, out


def test_every_run_is_a_submission_that_says_what_it_is(done: tuple[studies.Study, Path], tiny: Tiny) -> None:
    _, out = done
    assert sorted(path.name for path in (out / "runs").iterdir()) == [
        "smollm2-135m-instruct-ft_all_s0", "smollm2-135m-instruct-ft_n3_s0",
    ]  # fmt: skip
    for folder in (out / "runs").iterdir():
        checked = check.check(read_folder(folder), "embedded")
        assert checked.accepted, checked.problems
        assert checked.submission is not None
        assert checked.submission.claim.model == "HuggingFaceTB/SmolLM2-135M-Instruct"
        assert checked.submission.claim.trained_on == [TASK]
        text = (folder / "manifest.json").read_text()
        assert str(out) not in text
        assert str(tiny("smollm2").parent) not in text
    manifest = json.loads((out / "runs" / "smollm2-135m-instruct-ft_n3_s0" / "manifest.json").read_text())
    block = manifest["study"]
    assert manifest["method"] == "FT n=3 seed=0"
    assert block["training"]["examples"] == {TASK: 3}
    assert min(block["training"]["flops_full"], block["training"]["flops"]) > 0
    assert manifest["declared"]["parameters"] > 0
    counted = block["inference"]["tasks"][ASKED]
    assert counted["documents"] == manifest["speed"][ASKED]["documents"]
    assert counted["flops"] > 0


def test_a_finished_study_runs_nothing_again(
    done: tuple[studies.Study, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = done

    def refuse(*_: object) -> None:
        raise AssertionError("a finished run was started again")

    monkeypatch.setattr(execute, "run_cell", refuse)
    opened = open_study(study, out, "embedded")
    execute.execute(opened)
    expected = dry_run.expect(opened)
    assert [e.state for e in expected] == ["finished", "finished"]
    assert "2 runs, 0 to do" in dry_run.lines(opened, expected)[0]


def test_runs_that_earlier_versions_finished_count_as_finished(done: tuple[studies.Study, Path], tiny: Tiny) -> None:
    """The mark in a manifest says what a run depends on; it was always made of recipes read with these changes."""
    study, out = done
    for size, name in (("3", "n3"), ("null", "all")):
        manifest = json.loads(
            (out / "runs" / f"smollm2-135m-instruct-ft_{name}_s0" / "manifest.json").read_text("utf-8")
        )
        block = manifest["study"]
        trained = recipes.load(recipes.find(RECIPE), [*study.changes, "train.seed=0", f"data.examples={size}"])
        asked = {
            "model": "hf", "model_args": "", "num_fewshot": 0, "apply_chat_template": True, "limit": None,
            "batch_size": "", "device": None, "seed": 0, "constrained": "",
        }  # fmt: skip
        values = [
            BENCHMARK_VERSION,
            block["cell"],
            [run_folder.as_run(trained)],
            run_folder.as_run(recipes.load(recipes.find(RECIPE), study.changes))["model"],
            asked,
            {ASKED: load(ASKED, "embedded").fingerprint},
        ]
        assert block["mark"] == hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()
        assert block["cell"]["recipe"] == RECIPE, "a manifest names the recipe"


def test_a_recipe_is_read_once_when_the_plan_is_made(tiny: Tiny, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    shutil.copyfile(recipes.find(RECIPE), file)
    opened = open_study(small(tiny, recipes=[str(file)], sizes=[3], limit=1), tmp_path / "out", "embedded")
    file.unlink()
    assert "1 runs, 1 to do" in dry_run.lines(opened, dry_run.expect(opened))[0]
    execute.execute(opened)
    assert json.loads((tmp_path / "out" / "runs" / "mine_n3_s0" / "manifest.json").read_text())["study"]["mark"]
    assert [e.state for e in dry_run.expect(opened)] == ["finished"]


def test_a_report_needs_the_folders_alone(done: tuple[studies.Study, Path], tmp_path: Path) -> None:
    study, out = done
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    shutil.rmtree(copy / "trained")
    found = report.make(study, copy, mirror="embedded")
    assert [record["size"] for record in found.records] == ["3", "all"]
    assert any("SYNTHETIC" in note for note in found.notes)
    names = {"table.md", "table.tex", "table.csv", "table.json", "figure.svg", "figure.html"}
    assert names <= {path.name for path in copy.iterdir()}
    first = {name: (copy / name).read_bytes() for name in names - {"figure.html"}}
    report.make(study, copy, mirror="embedded")
    assert first == {name: (copy / name).read_bytes() for name in first}, "the same folders, the same files"


def test_other_settings_in_the_same_folder_are_refused(done: tuple[studies.Study, Path], tiny: Tiny) -> None:
    study, out = done
    other = small(tiny, changes=[*study.changes, "train.learning_rate=0.5"])
    with pytest.raises(ItaMedError, match="another recipe, other settings"):
        execute.execute(open_study(other, out, "embedded"))
    files.write_json(out / "study.json", execute.dataclasses.asdict(study))
    with pytest.raises(ItaMedError, match="study of kind learning-curve"):
        open_study(small(tiny, kind="ood"), out, "embedded")


def test_a_dry_run_writes_nothing(tiny: Tiny, tmp_path: Path) -> None:
    opened = open_study(small(tiny), tmp_path / "out", "embedded")
    text = "\n".join(dry_run.lines(opened, dry_run.expect(opened)))
    assert "2 runs, 2 to do, 2 trainings" in text
    assert "SYNTHETIC" in text
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("x")
    with pytest.raises(ItaMedError, match="holds no study"):
        open_study(small(tiny), tmp_path, "embedded")
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(ItaMedError, match="is not JSON"):
        open_study(small(tiny), tmp_path, "embedded")


@pytest.mark.slow
def test_a_killed_study_goes_on(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = [part for change in changes(tiny("smollm2")) for part in ("--set", change)]
    command = [sys.executable, "-m", "ita_med.cli", "study", "learning-curve", RECIPE, *options, "--sizes", "3,all"]
    command += ["--seeds", "0", "--tasks", ASKED, "--mirror", "embedded", "--out", str(out)]
    first = out / "runs" / "smollm2-135m-instruct-ft_n3_s0"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None:
        if (first / "manifest.json").is_file() and len(list((out / "trained").iterdir())) > 1:
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    before = (first / "manifest.json").read_bytes()
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "run 2 of 2" in finished.stderr
    assert "run 1 of 2" not in finished.stderr
    assert (first / "manifest.json").read_bytes() == before
    assert "examples" in finished.stdout
    assert (out / "figure.svg").is_file()


@pytest.mark.slow
def test_encoders_are_trained_and_asked_where_they_know_the_labels(tiny_encoders: Tiny, tmp_path: Path) -> None:
    settings = [
        f"model.path={tiny_encoders('bert')}", "data.tasks=[arg_abstrct]", "train.max_steps=2", "report_to=none",
        "model.dtype=float32",
    ]  # fmt: skip
    values = {"kind": "ood", "recipes": ["encoders/bert-base-italian"], "changes": settings, "seeds": [0]}
    study = studies.from_dict(values, "study")
    out = tmp_path / "out"
    execute.execute(open_study(study, out, "embedded"), drop_weights=True)
    folder = out / "runs" / "bert-base-italian_s0"
    manifest = json.loads((folder / "manifest.json").read_text())
    tasks = ["ita_med_arg_abstrct", "ita_med_arg_abstrct_glaucoma", "ita_med_arg_abstrct_mixed"]
    assert sorted(manifest["study"]["inference"]["tasks"]) == tasks
    assert manifest["method"] == "encoder seed=0"
    assert manifest["declared"]["model_type"] == "encoder"
    assert manifest["study"]["training"]["flops"] > 0
    assert all(counted["flops"] > 0 for counted in manifest["study"]["inference"]["tasks"].values())
    checked = check.check(read_folder(folder), "embedded")
    assert checked.accepted, checked.problems
    assert not list((out / "trained").rglob("*.safetensors")), "weights were to be dropped"
    assert len(report.make(study, out, mirror="embedded").figure.panels) == 3


@pytest.mark.slow
def test_pretraining_goes_before_fine_tuning(tiny: Tiny, corpus: Path, tmp_path: Path) -> None:
    shared = [f"model.path={tiny('qwen3')}", "report_to=none", "model.dtype=float32", "train.batch_size=2"]
    values = {
        "kind": "adaptation", "recipes": ["qwen3/qwen3-1.7b-ft"], "cpt": "qwen3/qwen3-1.7b-cpt", "seeds": [0],
        "methods": ["zero-shot", "cpt", "cpt-ft"], "tasks": [ASKED], "limit": 3,
        "changes": [*changes(tiny("qwen3")), *shared],
        "cpt_changes": [*shared, f"data.corpora=[{corpus}]", "data.max_length=64", "train.max_steps=1"],
    }  # fmt: skip
    study = studies.from_dict(values, "study")
    out = tmp_path / "out"
    opened = open_study(study, out, "embedded")
    assert "2 trainings" in dry_run.lines(opened, dry_run.expect(opened))[0]
    execute.execute(opened)
    made = json.loads((out / "trained" / "qwen3-1.7b-ft_cpt-ft_s0" / "manifest.json").read_text())
    assert made["base"]["made_by"]["name"] == "qwen3-1.7b-cpt"
    digests = set()
    for name in ("zero-shot", "cpt", "cpt-ft_s0"):
        manifest = json.loads((out / "runs" / f"qwen3-1.7b-ft_{name}" / "manifest.json").read_text())
        assert manifest["model"] == "Qwen/Qwen3-1.7B"
        digests.add(manifest["weights_sha256"] + str(manifest["adapter"]))
    assert len(digests) == 3, "three different models were asked"
    found = report.make(study, out, mirror="embedded")
    assert [r["system"] for r in found.records if r["measure"] == "mean"] == [
        f"Qwen3-1.7B, {method}" for method in ("zero-shot", "CPT", "CPT, FT")
    ]  # fmt: skip
