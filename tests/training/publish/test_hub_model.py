"""`ita-med publish`: a run goes to a Hub on loopback and comes back with from_pretrained; what may not go does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

for module in ("torch", "trl", "peft", "accelerate"):
    pytest.importorskip(module)

from ita_med.errors import ItaMedError  # noqa: E402
from ita_med.tasks.evaluation.chat_template import TEMPLATE_SETTINGS  # noqa: E402
from ita_med.tasks.evaluation.eval_run import Run  # noqa: E402
from ita_med.tasks.evaluation.evaluate import evaluate  # noqa: E402
from ita_med.training import recipe as recipes  # noqa: E402
from ita_med.training import train  # noqa: E402
from ita_med.training.publish import card_results, hub_model  # noqa: E402

from ...hub import Client  # noqa: E402
from ...hub_server import Hub  # noqa: E402

pytestmark = pytest.mark.torch

Tiny = Callable[[str], Path]
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
REPO = "clinica/smollm2-clinico"
TASKS = "data.tasks=[arg_casimedicos, qa_medexpqa, arg_abstrct]"
SMALL = ["train.max_steps=2", "train.batch_size=2", "report_to=none", "train.packing=none", "data.cap_per_task=8"]


@pytest.fixture(scope="module")
def trained(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA run with merged weights; it says that its data are real, as the sample may not be published."""
    out = tmp_path_factory.mktemp("published") / "run"
    changes = [*SMALL, TASKS, f"model.path={tiny('smollm2')}", "train.learning_rate=5.0e-2"]
    train.train(recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"), changes), out, "embedded", merge=True)
    change(out, synthetic=False)
    return out


def change(folder: Path, **values: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


@pytest.fixture
def with_base(hub: Hub, org: str, tiny: Tiny) -> Hub:
    """The Hub with the base model."""
    repo = hub.create("models", BASE)
    files = {p.name: p.read_bytes() for p in tiny("smollm2").iterdir() if p.is_file()}
    hub.write(repo, files | {"README.md": b"---\nlicense: apache-2.0\n---\n"})
    return hub


READ_BACK = """
import json, torch  # noqa: E402
from peft import PeftModel  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
repo, base, sub = {repo!r}, {base!r}, {sub!r}
tokenizer = AutoTokenizer.from_pretrained(repo)
ids = tokenizer("La paziente riferisce", return_tensors="pt")
adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), repo, subfolder=sub)
models = [adapted] + ([AutoModelForCausalLM.from_pretrained(repo)] if sub else [])
local = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), {run!r})
for model in models:
    with torch.no_grad():
        difference = (model(**ids).logits - local(**ids).logits).abs().max().item()
    assert difference < 1e-3, difference
with torch.no_grad(), local.disable_adapter():
    assert (models[0](**ids).logits - local(**ids).logits).abs().max() > 0.01, "the adapter changes nothing"
"""


def titles(hub: Hub) -> list[str]:
    return [commit["title"] for commit in hub.repos["models", REPO].commits][1:]


def read_card(hub: Hub) -> tuple[dict[str, Any], str]:
    _, metadata, text = hub.read("models", REPO)["README.md"].decode().split("---\n", 2)
    return yaml.safe_load(metadata), text


def back(client: Client, run: Path, sub: str) -> None:
    ran = client.run(code=READ_BACK.format(repo=REPO, base=BASE, sub=sub, run=str(run)))
    assert ran.code == 0, ran.err


def test_what_was_trained_comes_back_from_the_hub(
    with_base: Hub, hub_client: Client, trained: Path, tmp_path: Path
) -> None:
    out = hub_client.ok("publish", trained, "--to", REPO)
    assert "commit" in out
    files = with_base.read("models", REPO)
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "manifest.json", "README.md",
            "adapter/adapter_model.safetensors", "adapter/adapter_config.json"} <= set(files)  # fmt: skip
    assert len(titles(with_base)) == 1, "one commit"
    back(hub_client, trained, "adapter")
    metadata, text = read_card(with_base)
    assert metadata["base_model"] == BASE
    assert metadata["base_model_relation"] == "finetune"
    assert (metadata["license"], metadata["license_name"]) == ("other", "non-commercial")
    assert (metadata["language"], metadata["pipeline_tag"]) == ("it", "text-generation")
    assert "ita-med" in metadata["tags"]
    for expected in ("ita_med_arg_casimedicos", "CC BY 4.0", "Out of scope", "non-commercial", "Not evaluated",
                     "apache-2.0", "chosen for a CPU"):  # fmt: skip
        assert expected in text
    assert json.loads(files["adapter/adapter_config.json"])["base_model_name_or_path"] == BASE
    for name, content in files.items():
        if not name.endswith(".safetensors"):
            assert str(trained.parent).encode() not in content, name
            assert str(tmp_path.parent).encode() not in content, name
    assert "up to date" in hub_client.ok("publish", trained, "--to", REPO)
    assert len(titles(with_base)) == 1
    # then the adapter alone: the merged weights go, foreign files stay
    with_base.write(with_base.repos["models", REPO], {"notes.md": b"ours"})
    hub_client.ok("publish", trained, "--to", REPO, "--weights", "adapter")
    files = with_base.read("models", REPO)
    assert {"adapter_model.safetensors", "adapter_config.json", "notes.md"} <= set(files)
    assert not {"model.safetensors", "adapter/adapter_model.safetensors"} & set(files)
    assert read_card(with_base)[0]["base_model_relation"] == "adapter"
    back(hub_client, trained, "")


def test_a_dry_run_says_what_would_go_and_sends_nothing(with_base: Hub, hub_client: Client, trained: Path) -> None:
    before = len(with_base.log)
    out = hub_client.ok("publish", trained, "--to", REPO, "--dry-run")
    assert "+ adapter/adapter_model.safetensors" in out
    assert "## Intended use" in out
    assert all(line.split()[0] in ("GET", "HEAD") for line in with_base.log[before:])
    out = hub_client.ok("publish", trained, "--to", REPO, "--dry-run", HF_TOKEN=None)
    assert "the Hub was not asked" in out
    assert ("models", REPO) not in with_base.repos


def test_what_may_not_be_published_is_refused_before_anything_is_sent(
    with_base: Hub, hub_client: Client, trained: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)

    def refused(*more: str, to: str = REPO) -> str:
        return hub_client.run("publish", copy, "--to", to, *more).refused()

    assert "expected ORG/NAME" in refused(to="nowhere")
    assert "is one of all" in refused("--weights", "some")
    assert "did not start from an earlier run" in refused("--base", "clinica/other")
    change(copy, licences=[{"dataset": "dyspnea_crf", "licence": "", "commercial": False}])
    assert "dyspnea_crf may not be published: no licence is stated" in refused()
    change(copy, licences=[], synthetic=True)
    assert "--allow-synthetic" in refused()
    change(copy, synthetic=False, command=f"ita-med train --out {copy}")
    assert "names a folder of this machine" in refused()
    (copy / "merged" / "config.json").unlink()
    assert "has no merged weights" in refused("--weights", "merged")
    (copy / "manifest.json").rename(copy / "run.json")
    assert "is unfinished" in refused()
    (copy / "run.json").unlink()
    assert "holds no run" in refused()
    (copy / "manifest.json").write_text("[]")
    assert "is no manifest" in refused()
    del with_base.repos["models", BASE]
    assert f"the base {BASE} is not on the Hub" in hub_client.run("publish", trained, "--to", REPO).refused()
    assert ("models", REPO) not in with_base.repos
    assert not [line for line in with_base.log if line.split()[0] == "POST" and "validate" not in line]


def test_a_synthetic_run_says_so_and_a_llama_is_called_one(
    with_base: Hub, hub_client: Client, trained: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    change(copy, synthetic=True)
    hub_client.ok("publish", copy, "--to", REPO, "--allow-synthetic")
    metadata, text = read_card(with_base)
    assert "synthetic" in metadata["tags"]
    assert "Trained on synthetic sample data" in text
    with_base.write(with_base.repos["models", BASE], {"README.md": b"---\nlicense: llama3.2\n---\n"})
    assert 'begins with "Llama"' in hub_client.run("publish", trained, "--to", REPO).refused()
    hub_client.ok("publish", trained, "--to", "clinica/Llama-clinico")
    files = with_base.read("models", "clinica/Llama-clinico")
    assert b"Llama 3.2 Community License" in files["NOTICE"]
    assert b"Built with Llama" in files["README.md"]


# ----- results -------------------------------------------------------------------------------------------------------


def test_results_stand_in_the_card_with_intervals_and_floors(
    with_base: Hub, hub_client: Client, trained: Path, tiny: Tiny, tmp_path: Path
) -> None:
    names = ["ita_med_arg_casimedicos", "ita_med_arg_abstrct"]
    own = f"pretrained={tiny('smollm2')},peft={trained},dtype=float32,max_length=3000"
    evaluate(Run("hf", own, 0, True, device="cpu"), names, tmp_path / "own", "embedded")
    evaluate(Run("baseline", "kind=knn"), names, tmp_path / "knn", "embedded")
    folders = ("--results", str(tmp_path / "own"), "--results", str(tmp_path / "knn"))
    refused = hub_client.run("publish", trained, "--to", REPO, *folders).refused()
    assert "evaluated on the synthetic sample" in refused
    sample = tmp_path / "sample"
    shutil.copytree(trained, sample)
    change(sample, synthetic=True)
    other = hub_client.run("publish", sample, "--to", REPO, "--allow-synthetic", *folders).refused()
    assert "other weights" in other, "manifest.json belongs to the digest of a run"
    manifests = [json.loads((place / "manifest.json").read_text("utf-8")) for place in (tmp_path / "own", trained)]
    assert card_results._kind(tmp_path / "own", manifests[0], trained, REPO, manifests[1]) == card_results.OWN, (
        "by its weights"
    )
    base = manifests[0] | {"adapter": None, "model": BASE}
    assert card_results._kind(tmp_path / "own", base, trained, REPO, manifests[1]) == card_results.BASE
    change(tmp_path / "own", adapter={"name": REPO})
    hub_client.ok("publish", sample, "--to", REPO, "--allow-synthetic", *folders)
    _, text = read_card(with_base)
    row = next(line for line in text.splitlines() if line.startswith("| ita_med_arg_casimedicos | ID | yes |"))
    assert row.count("[") == 2, "two runs with intervals"
    listed = yaml.safe_load(with_base.read("models", REPO)[".eval_results/ita_med.yaml"])
    assert {entry["dataset"]["task_id"] for entry in listed} == set(names)
    assert listed[0]["dataset"]["id"] == hub_model.BENCHMARK
    assert "zero-shot" in listed[0]["notes"]
    scores = json.loads((tmp_path / "own" / "results.json").read_text())["tasks"]
    for entry in listed:
        assert entry["value"] == round(100 * scores[entry["dataset"]["task_id"]]["score"], 2)
    stored = json.loads((tmp_path / "own" / "results.json").read_text())
    stored["tasks"]["ita_med_arg_abstrct"]["score"] = 0.99
    (tmp_path / "own" / "results.json").write_text(json.dumps(stored))
    forged = hub_client.run("publish", sample, "--to", REPO, "--allow-synthetic", *folders).refused()
    assert "results.json says 99.00" in forged


# ----- chains --------------------------------------------------------------------------------------------------------


def test_the_base_of_a_chain_is_published_first_or_merged_weights_are(
    with_base: Hub, hub_client: Client, tiny: Tiny, corpus: Path, tmp_path: Path
) -> None:
    cpt = recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"), [
        "method=cpt", "data.tasks=[]", f"data.corpora=[{corpus}]", "train.packing=bfd_split", "lora=null",
        f"model.path={tiny('smollm2')}", *SMALL[:3], "data.max_length=64",
    ])  # fmt: skip
    train.train(cpt, tmp_path / "cpt")
    changes = [*SMALL, TASKS, f"model.id={tmp_path / 'cpt'}"]
    ft = tmp_path / "ft"
    train.train(recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"), changes), ft, "embedded", merge=True)
    for folder in (ft, tmp_path / "cpt"):
        change(folder, synthetic=False)
    line = hub_client.run("publish", ft, "--to", REPO).refused()
    assert "--base ORG/NAME" in line
    assert "merged weights" in line
    hub_client.ok("publish", ft, "--to", REPO, "--weights", "merged")
    metadata, text = read_card(with_base)
    assert metadata["base_model"] == BASE
    assert "In steps: " in text
    assert "[corpus]" in text or "| corpus |" in text
    assert f"{BASE} is not the run" in hub_client.run("publish", ft, "--to", REPO, "--base", BASE).refused()
    hub_client.ok("publish", tmp_path / "cpt", "--to", "clinica/smollm2-cpt")
    hub_client.ok("publish", ft, "--to", REPO, "--base", "clinica/smollm2-cpt")
    files = with_base.read("models", REPO)
    assert json.loads(files["adapter/adapter_config.json"])["base_model_name_or_path"] == "clinica/smollm2-cpt"
    assert read_card(with_base)[0]["base_model"] == "clinica/smollm2-cpt"
    for name, content in files.items():
        assert str(tmp_path).encode() not in content, name


# ----- encoders ------------------------------------------------------------------------------------------------------


def test_encoders_go_with_their_folders_and_answer_when_they_come_back(
    hub: Hub, org: str, hub_client: Client, tiny_encoders: Tiny, tmp_path: Path
) -> None:
    from ita_med.training.encoders.predict import predict

    recipe = recipes.load(recipes.find("encoders/bert-base-italian"), [
        "data.tasks=[arg_casimedicos]", f"model.path={tiny_encoders('bert')}", "train.max_steps=2", "report_to=none",
        "data.max_length=128", "data.overlap=16", "data.examples=4",
    ])  # fmt: skip
    made = train.train(recipe, tmp_path / "run", "embedded")
    task = "ita_med_arg_casimedicos"
    predict(tmp_path / "run", tmp_path / "answers", [task], "embedded")
    repo = hub.create("models", recipe.model.id)
    hub.write(repo, {"README.md": b"---\nlicense: mit\n---\n"})
    command = ("publish", tmp_path / "run", "--to", REPO, "--allow-synthetic", "--results", tmp_path / "answers")
    hub_client.ok(*command)
    files = hub.read("models", REPO)
    assert {f"{task}/tagger/{name}" for name in ("model.safetensors", "config.json", "part.json")} <= set(files)
    metadata, text = read_card(hub)
    assert metadata["base_model"] == recipe.model.id
    assert "pipeline_tag" not in metadata
    assert f"- `{task}/tagger`" in text
    row = next(line for line in text.splitlines() if line.startswith(f"| {task} | ID |"))
    assert row.count("[") == 1, "its own results, told by their digest"
    for name, content in files.items():
        assert str(tmp_path).encode() not in content, name
    back = tmp_path / "back"
    for name, content in files.items():
        (back / name).parent.mkdir(parents=True, exist_ok=True)
        (back / name).write_bytes(content)
    predict(back, tmp_path / "again", [task], "embedded")
    answers = [(tmp_path / place / "predictions" / f"{task}.jsonl").read_bytes() for place in ("answers", "again")]
    assert answers[0] == answers[1]
    assert made["method"] == "encoder"


def test_a_model_from_scratch_has_no_base(hub: Hub, org: str, hub_client: Client, corpus: Path, tmp_path: Path) -> None:
    scratch = "model.scratch={architecture: llama, layers: 1, hidden: 32, heads: 2, intermediate: 64, vocabulary: 600}"
    changes = [f"data.corpora=[{corpus}]", scratch, "train.max_steps=1", "report_to=none", "data.max_length=64"]
    train.train(recipes.load(recipes.find("scratch/decoder-small"), changes), tmp_path / "run")
    hub_client.ok("publish", tmp_path / "run", "--to", REPO, "--allow-synthetic")
    metadata, text = read_card(hub)
    assert not {"base_model", "base_model_relation"} & set(metadata)
    assert "Trained from scratch" in text
    assert "| corpus | CC0 1.0 | yes |" in text


@pytest.mark.parametrize("family", ["qwen3", "llama3", "gemma3", "smollm2"])
def test_the_published_template_asks_as_in_training_unless_told_otherwise(family: str, tiny: Tiny) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny(family))
    turns = [{"role": "user", "content": "Quali farmaci assume?"}]
    wanted = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **TEMPLATE_SETTINGS)
    original = tokenizer.chat_template
    thinking = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, enable_thinking=True,
                                             date_string="01 Jan 2030")  # fmt: skip
    tokenizer.chat_template = hub_model.pinned(original)
    assert tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) == wanted
    again = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, enable_thinking=True,
                                          date_string="01 Jan 2030")  # fmt: skip
    assert again == thinking
    assert hub_model.pinned(tokenizer.chat_template) == tokenizer.chat_template, "pinned once"
    assert (tokenizer.chat_template == original) == (family in ("gemma3", "smollm2"))


def test_only_our_own_files_are_ever_deleted() -> None:
    others = ["model-00001-of-00002.safetensors", "adapter/adapter_config.json", "notes.md", "onnx/model.safetensors",
              "model.gguf", "vocab.json", ".gitattributes", "adapter/notes.json"]  # fmt: skip
    assert hub_model.stale(others) == ["model-00001-of-00002.safetensors", "adapter/adapter_config.json", "vocab.json"]


def test_a_name_of_the_hub_is_wanted(tmp_path: Path) -> None:
    for bad in ("x", "a/b/c", "../b", "a/", ""):
        with pytest.raises(ItaMedError, match="expected ORG/NAME"):
            hub_model.publish(tmp_path, bad)
