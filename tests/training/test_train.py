"""Every recipe trains: loss falls, nothing is lost or cut in silence, and the result works where it is used."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

for module in ("torch", "trl", "peft", "accelerate"):
    pytest.importorskip(module)

import ita_med  # noqa: E402
from ita_med.errors import ItaMedError  # noqa: E402
from ita_med.training import recipe as recipes  # noqa: E402
from ita_med.training import train  # noqa: E402
from ita_med.training.backend import libraries, trainer_settings  # noqa: E402
from ita_med.training.data import fine_tuning  # noqa: E402
from ita_med.training.decoders import sft  # noqa: E402
from ita_med.training.record import run_folder  # noqa: E402

from .conftest import write_corpus  # noqa: E402

pytestmark = pytest.mark.torch

Tiny = Callable[[str], Path]
DECODERS = [name for name in recipes.names() if not name.startswith(("encoders/", "scratch/"))]
SMALL = [
    "train.max_steps=20", "train.batch_size=2", "train.learning_rate=2.0e-2", "train.logging_steps=1",
    "train.warmup=0.1", "data.max_length=512", "report_to=none",
]  # fmt: skip
TASKS = "data.tasks=[ita_med_arg_abstrct, ita_med_ner_e3c_disorder]"


def small(name: str, tiny: Tiny, *more: str, corpus: Path | None = None) -> recipes.Recipe:
    changes = [*SMALL, f"model.path={tiny(name.partition('/')[0])}"]
    if name.endswith("-ft"):
        changes += [TASKS, "data.cap_per_task=40"]
    else:
        changes += [f"data.corpora=[{corpus}]", "data.max_length=128"]
    return recipes.load(recipes.find(name), [*changes, *more])


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODERS)
def test_every_recipe_trains(name: str, tiny: Tiny, corpus: Path, tmp_path: Path) -> None:
    recipe = small(name, tiny, corpus=corpus)
    manifest = train.train(recipe, tmp_path / "run", "embedded")
    losses = [loss for _, loss in manifest["loss"]["log"]]
    # an adapter of a random model cannot move its embeddings, so it learns less in 20 steps than all parameters do
    assert sum(losses[-3:]) < (0.93 if recipe.lora else 0.8) * sum(losses[:3])
    assert manifest["steps"] == 20
    assert manifest["base"]["model"] == recipe.model.id
    assert (manifest["trainable"] == manifest["parameters"]) == (recipe.lora is None)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text()) == manifest
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert ("adapter_model.safetensors" in written) == (recipe.lora is not None)
    assert {"tokenizer.json", "chat_template.jinja"} <= written
    assert not {"checkpoints", "run.json", "training_args.bin", "README.md"} & written
    for path in (tmp_path / "run").rglob("*.json"):
        assert str(tiny("qwen3").parent) not in path.read_text(), f"a path of this machine in {path.name}"
        assert str(tmp_path) not in path.read_text()


# ----- a finished run, used ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[recipes.Recipe, Path, dict[str, Any]]:
    """A LoRA run on the embedded sample, with its merged model."""
    out = tmp_path_factory.mktemp("runs") / "run"
    recipe = small("smollm2/smollm2-135m-instruct-ft", tiny, "train.max_steps=12", "train.packing=none")
    return recipe, out, train.train(recipe, out, "embedded", merge=True)


def test_the_merged_model_answers_as_the_adapter_on_its_base(finished: tuple[recipes.Recipe, Path, Any]) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recipe, out, _ = finished
    tokenizer = AutoTokenizer.from_pretrained(out)
    base = AutoModelForCausalLM.from_pretrained(recipe.model.place)
    untrained = AutoModelForCausalLM.from_pretrained(recipe.model.place)
    models = [PeftModel.from_pretrained(base, out), AutoModelForCausalLM.from_pretrained(out / "merged"), untrained]
    answers: list[list[str]] = [[], [], []]
    for row in fine_tuning.prepare(recipe, "embedded").rows[:6]:
        prompt, _ = fine_tuning._chat_texts(row, tokenizer)
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        for model, found in zip(models, answers, strict=True):
            with torch.no_grad():
                made = model.generate(**ids, max_new_tokens=24, do_sample=False)
            found.append(tokenizer.decode(made[0][ids["input_ids"].shape[1] :]))
    assert answers[0] == answers[1]
    assert answers[0] != answers[2], "the adapter changes nothing"
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == recipe.model.id
    assert tokenizer.eos_token == "<|im_end|>"


def test_the_adapter_works_in_the_harness(finished: tuple[recipes.Recipe, Path, Any], tmp_path: Path) -> None:
    from ita_med.tasks.evaluation.eval_run import Run
    from ita_med.tasks.evaluation.evaluate import evaluate

    recipe, out, manifest = finished
    arguments = f"pretrained={recipe.model.place},peft={out},dtype=float32,max_length=1200"
    chosen = Run("hf", arguments, 0, True, limit=2, device="cpu")
    results = evaluate(chosen, manifest["tasks"], tmp_path / "eval", "embedded")
    assert set(results["tasks"]) == set(manifest["tasks"]) == {"ita_med_arg_abstrct", "ita_med_ner_e3c_disorder"}
    assert json.loads((tmp_path / "eval" / "manifest.json").read_text())["adapter"]["name"] == "run"


def test_the_manifest_tells_what_was_trained_on(finished: tuple[recipes.Recipe, Path, dict[str, Any]]) -> None:
    recipe, out, manifest = finished
    assert manifest["synthetic"]
    assert not manifest["commercial"], "E3C is CC BY-NC"
    assert {entry["dataset"] for entry in manifest["licences"]} == {"e3c", "abstrct"}
    for counts in manifest["data"].values():
        assert counts["rows"] + counts["too_long"] == counts["drawn"] > 0
        assert counts["data"].startswith("embedded:")
        assert 0 < counts["trained_tokens"] < counts["tokens"]
    assert manifest["recipe"]["model"]["id"] == recipe.model.id
    assert "path" not in manifest["recipe"]["model"]
    again = train.train(recipe, out, "embedded")
    assert again == manifest, "a finished run is not repeated"
    other = small("smollm2/smollm2-135m-instruct-ft", lambda _: Path(recipe.model.place), "train.seed=7")
    with pytest.raises(ItaMedError, match="finished run with another recipe"):
        train.train(other, out, "embedded")


# ----- killed and gone on with ---------------------------------------------------------------------------------------


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ita_med.cli", "train", *arguments]


def environment() -> dict[str, str]:
    """The checkout's or the installed package, whichever this process tests; one thread."""
    beside = str(Path(str(ita_med.__file__)).parents[1])
    return os.environ | {"PYTHONPATH": beside, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ft", "cpt"])
def test_a_killed_run_ends_bit_for_bit_as_an_uninterrupted_one(
    method: str, tiny: Tiny, corpus: Path, tmp_path: Path
) -> None:
    """Fine-tuning, and pre-training on streamed texts with replay."""
    changes = [*SMALL, f"model.path={tiny('smollm2')}", "train.max_steps=24", "train.save_steps=3"]
    if method == "ft":
        changes += [TASKS, "data.cap_per_task=40"]
    else:
        general = write_corpus(
            tmp_path / "general", [f"Testo generale {n}: " + "la casa " * (n % 7) for n in range(900)]
        )
        changes += [f"data.corpora=[{corpus}]", "data.max_length=96"]
        changes += [f"data.replay={{corpora: [{general}], share: 0.3}}"]
    name = f"smollm2/smollm2-135m-instruct-{method}"
    arguments = [name, *(part for change in changes for part in ("--set", change)), "--mirror", "embedded"]
    train.train(recipes.load(recipes.find(name), changes), tmp_path / "whole", "embedded")
    out, kills, code = tmp_path / "out", 0, 1
    draw = random.Random(0)
    while code != 0:
        process = subprocess.Popen(
            command(*arguments, "--out", str(out)), env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        before = newest(out)
        deadline = time.monotonic() + 90
        while kills < 1 and process.poll() is None and time.monotonic() < deadline:
            if newest(out) > before:
                time.sleep(draw.uniform(0, 0.3))
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        code = process.wait()
        assert code in (0, -signal.SIGKILL), process.stderr and process.stderr.read().decode()
    assert kills == 1
    adapter = ("adapter_model.safetensors", "adapter_config.json")
    for file in (*(adapter if method == "ft" else ("model.safetensors",)), "tokenizer.json"):
        assert (out / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), file
    killed, whole = (json.loads((folder / "manifest.json").read_text()) for folder in (out, tmp_path / "whole"))
    assert killed["resumed_from"] >= 3
    assert killed["steps"] == whole["steps"] == 24
    assert killed["loss"] == whole["loss"]
    assert killed["tokens"] == whole["tokens"]


def newest(out: Path) -> int:
    return max((run_folder.step(path) for path in (out / "checkpoints").glob("checkpoint-*")), default=0)


def test_a_checkpoint_that_is_not_whole_is_not_gone_on_from(tmp_path: Path) -> None:
    for step in (2, 10, 12, 14):
        folder = tmp_path / "checkpoints" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "rng_state.pth").write_bytes(b"x")
        (folder / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoints" / "checkpoint-12" / "trainer_state.json").write_text('{"global_st')
    (tmp_path / "checkpoints" / "checkpoint-14" / "rng_state.pth").unlink()
    last = run_folder.last_checkpoint(tmp_path, 1)
    assert last is not None
    assert last.name == "checkpoint-10"
    run_folder.drop_broken(tmp_path, last)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["checkpoint-10", "checkpoint-2"]
    assert run_folder.last_checkpoint(tmp_path, 2) is None


@pytest.mark.slow
def test_two_processes_train_one_model(tiny: Tiny, tmp_path: Path) -> None:
    changes = [*SMALL, TASKS, "data.cap_per_task=40", f"model.path={tiny('smollm2')}", "train.max_steps=4"]
    changes += ["train.packing=none", "train.batch_size=2", "lora.dropout=0.0"]
    name = "smollm2/smollm2-135m-instruct-ft"
    arguments = [part for change in changes for part in ("--set", change)]
    torchrun = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--standalone"]
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "ita_med.cli", "train", name, *arguments, "--mirror", "embedded",
         "--out", str(tmp_path / "two"), "--json"],
        env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    manifest = json.loads(done.stdout)
    assert manifest["processes"] == 2
    assert manifest["loss"]["last"] < manifest["loss"]["first"]
    alone = train.train(
        recipes.load(recipes.find(name), [*changes, "train.batch_size=4"]), tmp_path / "one", "embedded"
    )
    assert manifest["tokens"] == alone["tokens"], "two processes of two rows read what one of four reads"
    for (_, two), (_, one) in zip(manifest["loss"]["log"], alone["loss"]["log"], strict=True):
        assert two == pytest.approx(one, rel=1e-3)


@pytest.mark.slow
def test_a_profile_of_accelerate_starts_the_same_run(tiny: Tiny, corpus: Path, tmp_path: Path) -> None:
    """Streamed pre-training, through `accelerate launch` with a profile for a CPU, and without."""
    profile = {
        "compute_environment": "LOCAL_MACHINE", "distributed_type": "NO", "num_processes": 1, "num_machines": 1,
        "machine_rank": 0, "use_cpu": True, "mixed_precision": "no", "main_training_function": "main",
    }  # fmt: skip
    (tmp_path / "cpu.yaml").write_text(json.dumps(profile))
    changes = ["train.max_steps=4", "train.batch_size=2", "report_to=none", f"model.path={tiny('smollm2')}",
               f"data.corpora=[{corpus}]", "data.max_length=64", "train.logging_steps=1"]  # fmt: skip
    name = "smollm2/smollm2-135m-instruct-cpt"
    arguments = [name, *(part for change in changes for part in ("--set", change)), "--json"]
    launch = ["--accelerate", str(tmp_path / "cpu.yaml"), "--out", str(tmp_path / "launched")]
    done = subprocess.run(command(*arguments, *launch), env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    launched = json.loads(done.stdout)
    alone = train.train(recipes.load(recipes.find(name), changes), tmp_path / "alone")
    assert launched["loss"] == alone["loss"]
    assert launched["tokens"] == alone["tokens"] == 4 * 2 * 64
    same = [(folder / "model.safetensors").read_bytes() for folder in (tmp_path / "launched", tmp_path / "alone")]
    assert same[0] == same[1]
    assert "--accelerate" not in launched["command"]


# ----- settings ------------------------------------------------------------------------------------------------------


def test_trl_is_told_the_recipe_and_nothing_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trl import SFTConfig

    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    libraries.quiet()
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    for name in DECODERS:
        recipe = recipes.load(recipes.find(name))
        made = sft.settings(recipe, tmp_path)
        config = SFTConfig(**made)  # unknown names are an error
        assert config.packing == (recipe.train.packing != "none")
        rows = config.per_device_train_batch_size * config.gradient_accumulation_steps
        assert rows == recipe.train.batch_size * recipe.train.gradient_accumulation
        if config.packing:
            assert config.per_device_train_batch_size == 1, "on a CPU a batch of packed rows only needs more memory"
    flash = recipes.load(recipes.find("qwen3/qwen3-1.7b-ft"), ["model.attention=flash_attention_2"])
    with monkeypatch.context() as gpu:
        gpu.setattr("torch.cuda.is_available", lambda: True)
        assert sft.settings(flash, tmp_path)["per_device_train_batch_size"] == 16
    assert sft.weights_dtype(flash, gpu=True) == "bfloat16"
    assert sft.weights_dtype(recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt")), gpu=True) == "float32"
    for capabilities, able in (({"avx512_bf16": True}, True), ({"amx_tile": True}, True), ({"avx512_f": True}, False)):
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda found=capabilities: found)
        assert sft.settings(flash, tmp_path)["bf16"] is able, "bfloat16 is for CPUs that compute in it"
    assert trainer_settings.tracker(recipes.load(recipes.find("qwen3/qwen3-1.7b-ft"), ["report_to=wandb"])) == "wandb"
    monkeypatch.setattr(trainer_settings, "find_spec", lambda name: None)
    assert trainer_settings.tracker(flash) == "none"


def test_logits_of_prompts_are_left_out_and_the_loss_stays(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer import utils

    from ita_med.borrowed.trl_inside import only_labelled_positions

    ids = torch.arange(2, 62).reshape(2, 30)
    labels = ids.clone()
    labels[:, :22] = -100
    seen = {}
    apply, own = utils._ChunkedLogProbFunction.apply, utils._use_triton
    for name, scored in (("all", nullcontext), ("labels", only_labelled_positions)):
        model = AutoModelForCausalLM.from_pretrained(tiny("qwen3"))
        utils.add_fused_lm_head(model)
        rows: list[int] = []
        monkeypatch.setattr(
            utils._ChunkedLogProbFunction,
            "apply",
            lambda hidden, *a, rows=rows: rows.append(len(hidden)) or apply(hidden, *a),
        )
        with scored():
            loss = model(input_ids=ids, labels=labels, fused_lm_head=True).loss
        assert utils._use_triton is own, "TRL's own is put back"
        loss.backward()
        seen[name] = rows, loss, [p.grad for p in model.parameters() if p.grad is not None]
    assert seen["all"][0] == [58]
    assert seen["labels"][0] == [16]
    torch.testing.assert_close(seen["labels"][1:], seen["all"][1:], rtol=1e-4, atol=1e-6)


def test_tokens_are_summed_over_resumptions() -> None:
    assert sft.sum_of_legs([10, 20, 30]) == 30
    assert sft.sum_of_legs([10, 20, 5, 15, 3]) == 38
    assert sft.sum_of_legs([]) == 0
