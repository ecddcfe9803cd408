"""Recipes: those of the package are sound, a mistake is one line that names its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from ita_med.errors import ItaMedError
from ita_med.training import recipe as recipes
from ita_med.training.record.outcome import TrainingOutcome


@pytest.mark.parametrize("name", recipes.names())
def test_recipes_of_the_package_load(name: str) -> None:
    recipe = recipes.load(recipes.find(name))
    assert recipe.name == Path(name).name
    assert recipe.origin
    assert (recipe.lora is None) == (recipe.method != "ft")
    if recipe.method in ("ft", "encoder"):
        assert len(recipes.tasks(recipe)) >= 11
        assert all(task.distribution == "id" for task in recipes.tasks(recipe))


def test_every_model_of_the_study_has_a_recipe_for_both_methods() -> None:
    found = {
        (recipes.load(recipes.find(name)).model.id, recipes.load(recipes.find(name)).method) for name in recipes.names()
    }
    for model in (
        "Qwen/Qwen3-1.7B", "Qwen/Qwen3-1.7B-Base", "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B-Instruct",
        "google/gemma-3-1b-pt", "google/gemma-3-1b-it",
    ):  # fmt: skip
        assert {(model, "ft"), (model, "cpt")} <= found


def test_set_changes_a_value() -> None:
    path = recipes.find("smollm2/smollm2-135m-instruct-ft")
    recipe = recipes.load(path, ["train.epochs=5", "model.id=/models/m", "lora.targets=[q_proj, v_proj]", "lora.r=8"])
    assert (recipe.train.epochs, recipe.model.id) == (5.0, "/models/m")
    assert recipe.lora is not None
    assert (recipe.lora.targets, recipe.lora.r) == (["q_proj", "v_proj"], 8)
    assert recipes.load(path, ["lora=null"]).lora is None


MISTAKES = {
    "train.learning_rat=1": 'unknown key "learning_rat"',
    "trian.epochs=1": 'unknown key "trian"',
    "train.learning_rate=1e-3": "write 1.0e-3",
    "train.batch_size=2.5": "expected int",
    "train.packing=ffd": "train.packing is",
    "method=dpo": "method is one of",
    "data.tasks=[]": "needs data.tasks",
    "data.examples=0": "expected at least 1, or null",
    "data.tasks=3": "expected a list of texts",
    "lora.r=many": "expected int",
    "model=Qwen": "expected keys and values",
    "model.id=null": "expected str",
    "train": "expected KEY=VALUE",
    "method.x=1": "holds no keys",
}


@pytest.mark.parametrize(("change", "message"), MISTAKES.items())
def test_a_mistake_names_its_key(change: str, message: str) -> None:
    with pytest.raises(ItaMedError, match=message):
        recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"), [change])


SCRATCH = "{architecture: bert, layers: 1, hidden: 8, heads: 1, intermediate: 8, vocabulary: 99}"
ENCODER_MISTAKES = {
    "lora={r: 8}": "without lora, packing and streaming",
    "train.packing=bfd": "without lora, packing and streaming",
    "data.overlap=-1": "data.overlap at least 0",
    "data.max_length=8": "at least 16",
    "data.tasks=[]": "needs data.tasks",
    f"model.scratch={SCRATCH}": "from scratch",
}


@pytest.mark.parametrize(("change", "message"), ENCODER_MISTAKES.items())
def test_a_mistake_in_a_recipe_of_encoders_names_its_key(change: str, message: str) -> None:
    with pytest.raises(ItaMedError, match=message):
        recipes.load(recipes.find("encoders/bert-base-italian"), [change])


def test_what_cannot_be_trained_from_scratch_is_told() -> None:
    for name, architecture in (("encoder-small", "llama"), ("decoder-small", "bert"), ("decoder-small", "gpt5")):
        with pytest.raises(ItaMedError, match="from scratch one trains bert, modernbert by mlm or llama by cpt"):
            recipes.load(recipes.find(f"scratch/{name}"), [f"model.scratch.architecture={architecture}"])
    for change in ("heads=3", "layers=0", "vocabulary=200"):
        with pytest.raises(ItaMedError, match=r"model\.scratch: sizes are at least 1"):
            recipes.load(recipes.find("scratch/encoder-small"), [f"model.scratch.{change}"])
    with pytest.raises(ItaMedError, match=r"train\.mask is 1\.5"):
        recipes.load(recipes.find("scratch/encoder-small"), ["train.mask=1.5"])


@pytest.mark.parametrize("text", ["- a\n", "a: [", "name: x\nmethod: ft\n", "\x00"])
def test_a_file_that_is_no_recipe_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ItaMedError, match=r"x\.yaml"):
        recipes.load(tmp_path / "x.yaml")


def test_nothing_out_of_distribution_can_be_trained_on() -> None:
    path = recipes.find("smollm2/smollm2-135m-instruct-ft")
    with pytest.raises(ItaMedError, match="out of distribution"):
        recipes.tasks(recipes.load(path, ["data.tasks=[ita_med_qa_med_ita]"]))
    assert {task.family for task in recipes.tasks(recipes.load(path, ["data.tasks=[ner]"]))} == {"ner"}
    with pytest.raises(ItaMedError, match="no task is called"):
        recipes.tasks(recipes.load(path, ["data.tasks=[mmlu]"]))


def test_an_unknown_recipe_names_those_that_there_are() -> None:
    with pytest.raises(ItaMedError, match="smollm2/smollm2-135m-instruct-ft"):
        recipes.find("smollm3")
    with pytest.raises(ItaMedError, match="no such recipe file"):
        recipes.find("/nowhere/x.yaml")


def test_a_folder_in_place_of_a_download_never_changes_the_public_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "model").mkdir(parents=True)
    path = recipes.find("smollm2/smollm2-135m-instruct-ft")
    assert recipes.load(path, ["model.id=org/model", "model.path=org/model"]).model.public_name == "org/model"
    assert recipes.load(path, ["model.id=org/model"]).model.public_name == "model"
    assert recipes.load(path, ["model.id=org/other"]).model.public_name == "org/other"


def test_losses_are_written_with_four_places() -> None:
    loss = TrainingOutcome(2, 1, 20, 100, [(10, 0.4257659435272217), (20, 0.0709465742111206)]).as_dict()["loss"]
    assert loss == {"first": 0.4258, "last": 0.0709, "log": [[10, 0.4258], [20, 0.0709]]}
    assert TrainingOutcome(2, 1, 1, 100).as_dict()["loss"] == {"first": None, "last": None, "log": []}
