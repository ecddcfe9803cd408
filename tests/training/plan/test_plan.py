"""`ita-med train`: what it says before it starts, what it refuses, and that a dry run touches nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

for module in ("torch", "trl", "peft", "accelerate"):
    pytest.importorskip(module)

from ita_med import cli  # noqa: E402
from ita_med.errors import ItaMedError  # noqa: E402
from ita_med.training import cli as train_cli  # noqa: E402
from ita_med.training import recipe as recipes  # noqa: E402
from ita_med.training import train  # noqa: E402
from ita_med.training.plan import estimate, preflight  # noqa: E402
from ita_med.training.record import run_folder  # noqa: E402

from ...hub import TOKEN, Client  # noqa: E402
from ...hub_http import Fault  # noqa: E402
from ...hub_server import Hub  # noqa: E402

pytestmark = pytest.mark.torch

Tiny = Callable[[str], Path]
FT = "smollm2/smollm2-135m-instruct-ft"


@pytest.fixture
def ita_med(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ita-med", "train", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    return call


def test_a_dry_run_tells_everything_and_touches_nothing(
    ita_med: Any, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = (FT, "--dry-run", "--mirror", "embedded", "--set", f"model.path={tiny('smollm2')}", "--out", "run")
    code, out, err = ita_med(*arguments)
    assert (code, err) == (0, "")
    assert "would refuse the result: pharmaer: access to it is gated" in out
    assert "refuse the result: e3c" not in out
    for expected in ("SYNTHETIC SAMPLE", "ita_med_ner_e3c_disorder", "(counted)", "parameters", "GiB", "FLOPs",
                     "CC BY-NC", "WARNING", "adapter_model.safetensors", "to run"):  # fmt: skip
        assert expected in out
    code, out, _ = ita_med(*arguments, "--json")
    found = json.loads(out)
    size = found["estimate"]["size"]
    assert size["source"] == "config"
    assert found["estimate"]["flops"] == 6 * size["parameters"] * found["estimate"]["trained_tokens"]
    assert found["estimate"]["tokens"] == sum(counts["tokens"] for counts in found["data"].values())
    assert not any(tmp_path.iterdir())


def test_a_dry_run_without_the_model_says_that_it_guesses(ita_med: Any) -> None:
    code, out, _ = ita_med("qwen3/qwen3-1.7b-ft", "--dry-run", "--mirror", "embedded")
    assert code == 0
    assert "estimated: the tokenizer is not here" in out
    assert "1,700,000,000" in out
    assert "guessed from the name" in out


def test_a_dry_run_of_pre_training(ita_med: Any, tiny: Tiny, corpus: Path) -> None:
    changes = ("--set", f"data.corpora=[{corpus}]", "--set", f"model.path={tiny('qwen3')}")
    code, out, _ = ita_med("qwen3/qwen3-1.7b-cpt", "--dry-run", *changes)
    assert code == 0
    assert "taken out" in out
    assert "CC0 1.0" in out
    assert "would publish the weights" in out
    assert "model.safetensors, config.json" in out


@pytest.mark.parametrize("family", ["qwen3", "llama3", "gemma3"])
def test_parameters_are_those_of_the_model(family: str, tiny: Tiny) -> None:
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    from ita_med.training.decoders.sft import lora

    name = next(name for name in recipes.names() if name.startswith(family) and name.endswith("-ft"))
    recipe = recipes.load(recipes.find(name), [f"model.path={tiny(family)}"])
    model = AutoModelForCausalLM.from_pretrained(tiny(family))
    found = estimate.size(recipe)
    assert found.parameters == model.num_parameters()
    assert found.trainable == get_peft_model(model, lora(recipe)).get_nb_trainable_parameters()[0]


def test_steps_follow_the_recipe(tiny: Tiny) -> None:
    recipe = recipes.load(
        recipes.find(FT),
        [f"model.path={tiny('smollm2')}", "train.packing=none", "train.batch_size=4", "train.gradient_accumulation=2",
         "train.epochs=3"],
    )  # fmt: skip
    made = estimate.estimate(recipe, 10_000, counted=True, rows=100)
    assert made.steps == 3 * 13  # 100 rows in steps of 8
    assert made.trained_tokens == 30_000
    assert estimate.estimate(recipe, 10_000, counted=True, rows=100, processes=2).steps == 3 * 7
    recipe.train.max_steps = 5
    assert estimate.estimate(recipe, 10_000, counted=True, rows=100).steps == 5


def no_download(*_: Any, **__: Any) -> Any:
    raise AssertionError("something was downloaded")


MISTAKES: dict[str, tuple[list[str], str]] = {
    "unknown key": (["--set", "train.learnin_rate=1"], 'unknown key "learnin_rate"'),
    "no folder": ([], "--out names the folder"),
    "no recipe": (["--set", "data.tasks=[qa_med_ita]", "--out", "x"], "out of distribution"),
    "no data": (["--mirror", "/nowhere", "--out", "x", "--set", "model.path=TINY"], "no data for any of its tasks"),
    "no model": (["--set", "model.path=/nowhere", "--out", "x"], "is no folder"),
    "empty model": (["--set", "model.path=.", "--out", "x"], "config.json is missing"),
    "offline": (["--out", "x"], "HF_HUB_OFFLINE is set"),
    "no modules": (["--set", "lora.targets=[nothing]", "--set", "model.path=TINY", "--out", "x"], "lora.targets"),
    "profile": (["--accelerate", "fsdp9", "--out", "x"], "nor one of fsdp1, fsdp2"),
    "merge of all": (["--set", "lora=null", "--merge", "--out", "x"], "--merge is for recipes with lora"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line_before_anything_is_downloaded(
    name: str, ita_med: Any, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", no_download)
    given, message = MISTAKES[name]
    given = [argument.replace("TINY", str(tiny("smollm2"))) for argument in given]
    code, out, err = ita_med(FT, *(given if "--mirror" in given else [*given, "--mirror", "embedded"]))
    assert (code, out) == (1, "")
    assert message in err
    assert err.startswith("ita-med: ")
    assert err.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_a_machine_that_is_too_small_is_told_so(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipes.load(recipes.find(FT), [f"model.path={tiny('smollm2')}"])
    made = estimate.estimate(recipe, 10_000, counted=True, rows=100)
    assert preflight.room(recipe, made, tmp_path) == ""
    monkeypatch.setattr(preflight, "free_memory", lambda: (made.least_gib + made.memory_gib) / 2)
    assert "lower train.batch_size" in preflight.room(recipe, made, tmp_path)
    monkeypatch.setattr(preflight, "free_memory", lambda: made.least_gib / 2)
    with pytest.raises(ItaMedError, match="GiB of memory for the model alone"):
        preflight.room(recipe, made, tmp_path)
    monkeypatch.setattr(preflight, "free_memory", lambda: None)
    monkeypatch.setattr(preflight, "free_disk", lambda out: made.disk_gib / 2)
    with pytest.raises(ItaMedError, match="GiB of disk"):
        preflight.room(recipe, made, tmp_path)


def test_a_model_that_the_hub_does_not_give_is_one_line_before_any_download(
    hub: Hub, hub_client: Client, tmp_path: Path
) -> None:
    name = "meta-llama/Llama-3.2-1B"

    def refused(*more: str, **env: str | None) -> str:
        out = tmp_path / "run"
        ran = hub_client.run("train", "llama3/llama-3.2-1b-ft", "--out", out, "--mirror", "embedded", *more, **env)
        assert not out.exists()
        assert not [line for line in hub.log if "/resolve/" in line], "something was downloaded"
        return ran.refused()

    assert f"{name} does not exist on the Hub" in refused()
    repo = hub.create("models", name, gated="manual")
    hub.write(repo, {"config.json": b"{}"})
    assert f"{name} is gated: accept its terms at {hub.url}/{name}" in refused()
    assert f"{name} is gated" in refused(HF_TOKEN=None)
    hub.users[TOKEN].access.add(name)
    assert 'has no revision "v9" (model.revision)' in refused("--set", "model.revision=v9")
    hub.faults.append(Fault("auth-check", times=9, status=503))
    assert "the Hub cannot be asked" in refused()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(ItaMedError, match="is not empty"):
        run_folder.open_run(tmp_path, "mark")
    with pytest.raises(ItaMedError, match="is a file"):
        run_folder.open_run(tmp_path / "thesis.tex", "mark")
    (tmp_path / "run.json").write_text('{"fingerprint": "other"}')
    with pytest.raises(ItaMedError, match="unfinished run with another recipe"):
        run_folder.open_run(tmp_path, "mark")
    (tmp_path / "run.json").write_text('{"fingerp')
    with pytest.raises(ItaMedError, match="is damaged"):
        run_folder.open_run(tmp_path, "mark")
    (tmp_path / "run.json").write_text('{"fingerprint": "mark"}')
    assert run_folder.open_run(tmp_path, "mark") is None


def test_the_command_goes_through_accelerate_without_its_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def record(command: list[str]) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", record)
    given = ["train", FT, "--accelerate", "fsdp2", "--set", "train.epochs=2", "--processes=4", "--out", "x"]
    monkeypatch.setattr(sys, "argv", ["ita-med", *given])
    assert train_cli._launch("fsdp2", 4) == 3
    (command,) = started
    place = command.index("ita_med.cli")
    assert command[place - 1] == "-m"
    assert command[place + 1 :] == ["train", FT, "--set", "train.epochs=2", "--out", "x"]
    profile = Path(command[command.index("--config_file") + 1])
    assert profile.name == "fsdp2.yaml"
    assert profile.is_file()
    assert command[command.index("--num_processes") + 1] == "4"


def test_pre_training_then_fine_tuning(tiny: Tiny, corpus: Path, tmp_path: Path) -> None:
    """The chain of the study: the chat model keeps its end of turn, and no path of this machine is written down."""
    from transformers import AutoTokenizer, GenerationConfig

    more = ["train.max_steps=2", "train.batch_size=2", "report_to=none", f"model.path={tiny('qwen3')}"]
    cpt = recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt"), [*more, f"data.corpora=[{corpus}]", "data.max_length=64"])
    made = train.train(cpt, tmp_path / "cpt")
    before, after = (AutoTokenizer.from_pretrained(folder) for folder in (tiny("qwen3"), tmp_path / "cpt"))
    assert after.eos_token == before.eos_token == "<|im_end|>"
    assert after.chat_template == before.chat_template
    ends = [GenerationConfig.from_pretrained(folder).eos_token_id for folder in (tiny("qwen3"), tmp_path / "cpt")]
    assert ends[0] == ends[1] == before.eos_token_id
    assert made["corpora"] == ["corpus"]
    assert made["commercial"], "CC0 1.0"
    changes = [*more[:-1], f"model.id={tmp_path / 'cpt'}", "data.tasks=[arg_abstrct]", "data.cap_per_task=8"]
    ft = train.train(recipes.load(recipes.find("qwen3/qwen3-1.7b-ft"), changes), tmp_path / "ft", "embedded")
    assert ft["base"]["model"] == "cpt"
    assert ft["base"]["made_by"]["corpora"] == ["corpus"]
    assert ft["base"]["made_by"]["base"]["model"] == "Qwen/Qwen3-1.7B"
    assert json.loads((tmp_path / "ft" / "adapter_config.json").read_text())["base_model_name_or_path"] == "cpt"
    for path in [*(tmp_path / "ft").glob("*.json"), *(tmp_path / "cpt").glob("*.json")]:
        assert str(tmp_path) not in path.read_text(), path.name


def test_a_run_that_began_with_a_folder_in_the_working_directory_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Qwen/Qwen3-1.7B` may be a folder beside one: its runs bear the last part of the name."""
    monkeypatch.chdir(tmp_path)
    Path("Qwen/Qwen3-1.7B").mkdir(parents=True)
    Path("cpt").mkdir()
    began = run_folder.base(recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt"), []))
    (Path("cpt") / run_folder.FINISHED).write_text(json.dumps({"base": began}))
    Path("cpt/config.json").touch()
    after = recipes.load(recipes.find("qwen3/qwen3-1.7b-ft"), ["model.after=cpt"])
    preflight.model(after)
    with pytest.raises(ItaMedError, match=r"began with Qwen3-1.7B, gemma-3-1b-it-ft with google/gemma-3-1b-it"):
        preflight.model(recipes.load(recipes.find("gemma3/gemma-3-1b-it-ft"), ["model.after=cpt"]))


def test_a_recipe_goes_on_from_a_run_that_began_with_its_model(tiny: Tiny, corpus: Path, tmp_path: Path) -> None:
    """Pre-training by LoRA, merged, then fine-tuning from it."""
    more = ["train.max_steps=2", "train.batch_size=2", "report_to=none"]
    first = [*more, f"model.path={tiny('qwen3')}", f"data.corpora=[{corpus}]", "data.max_length=64", "lora={r: 4}"]
    cpt = train.train(recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt"), first), tmp_path / "cpt", merge=True)
    assert cpt["trainable"] < cpt["parameters"]
    assert cpt["loss"]["first"] > 0, "in a run shorter than train.logging_steps too"
    after = [*more, f"model.after={tmp_path / 'cpt'}", "data.tasks=[arg_abstrct]", "data.cap_per_task=8"]
    recipe = recipes.load(recipes.find("qwen3/qwen3-1.7b-ft"), after)
    assert recipe.model.place == str(tmp_path / "cpt" / "merged")
    ft = train.train(recipe, tmp_path / "ft", "embedded")
    assert ft["base"]["model"] == "cpt"
    assert ft["base"]["made_by"]["fingerprint"] == cpt["fingerprint"]
    assert ft["recipe"]["model"]["id"] == "Qwen/Qwen3-1.7B"
    for path in (tmp_path / "ft").glob("*.json"):
        assert str(tmp_path) not in path.read_text(), path.name
    with pytest.raises(ItaMedError, match=r"began with Qwen/Qwen3-1.7B, gemma-3-1b-it-ft with google/gemma-3-1b-it"):
        preflight.model(recipes.load(recipes.find("gemma3/gemma-3-1b-it-ft"), [f"model.after={tmp_path / 'cpt'}"]))
    with pytest.raises(ItaMedError, match="holds no finished run"):
        preflight.model(recipes.load(recipes.find("qwen3/qwen3-1.7b-ft"), [f"model.after={tmp_path}"]))
    with pytest.raises(ItaMedError, match="both name the files"):
        recipes.load(recipes.find("qwen3/qwen3-1.7b-ft"), ["model.after=a", "model.path=b"])
