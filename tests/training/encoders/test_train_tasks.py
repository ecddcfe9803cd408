"""Encoders that are trained: loss falls, a tiny set is known by heart after reload, runs resume, answers count."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

for module in ("torch", "transformers", "trl", "peft", "accelerate"):
    pytest.importorskip(module)

import ita_med  # noqa: E402
from ita_med import cli, sources  # noqa: E402
from ita_med.errors import ItaMedError  # noqa: E402
from ita_med.leaderboard.submissions import check, submission  # noqa: E402
from ita_med.schema import FormExample  # noqa: E402
from ita_med.tasks.benchmark.task_data import TaskData, load  # noqa: E402
from ita_med.training import recipe as recipes  # noqa: E402
from ita_med.training import train  # noqa: E402
from ita_med.training.data import corpora  # noqa: E402
from ita_med.training.encoders import heads, masked_lm, parts, predict, tagging, train_part  # noqa: E402
from ita_med.training.models import scratch  # noqa: E402
from ita_med.training.record import run_folder  # noqa: E402

pytestmark = pytest.mark.torch

Tiny = Callable[[str], Path]
KIND = {"xlm-roberta-base": "xlm-roberta", "mmbert-base": "modernbert"}
RECIPES = [name for name in recipes.names() if name.startswith("encoders/")]
SMALL = [
    "train.learning_rate=3.0e-3", "train.logging_steps=1", "train.warmup=0.1", "train.batch_size=8", "report_to=none",
    "data.max_length=128", "data.overlap=32", "model.dtype=float32",
]  # fmt: skip


def small(name: str, place: Path, *more: str) -> recipes.Recipe:
    return recipes.load(recipes.find(name), [*SMALL, f"model.path={place}", *more])


def losses(part: dict[str, Any]) -> tuple[float, float]:
    log = [loss for _, loss in part["loss"]["log"]]
    return sum(log[:3]), sum(log[-3:])


# ----- every recipe --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_of_encoders_trains(name: str, tiny_encoders: Tiny, corpus: Path, tmp_path: Path) -> None:
    place = tiny_encoders(KIND.get(name.partition("/")[2], "bert"))
    if name.endswith("-mlm"):
        recipe = small(name, place, f"data.corpora=[{corpus}]", "train.max_steps=12", "train.learning_rate=1.0e-2")
        made = train.train(recipe, tmp_path / "run")
        first, last = losses(made)
        assert made["corpora"] == ["corpus"]
        assert {"model.safetensors", "config.json", "tokenizer.json"} <= {p.name for p in (tmp_path / "run").iterdir()}
    else:
        recipe = small(name, place, "data.tasks=[ner_drugtemist]", "train.max_steps=12")
        made = train.train(recipe, tmp_path / "run", "embedded")
        facts = made["parts"]["ita_med_ner_drugtemist"]["tagger"]
        first, last = losses(facts)
        assert facts["expressed"] <= facts["gold"] if "gold" in facts else True
        assert made["tasks"] == ["ita_med_ner_drugtemist"]
        loaded = train_part.load(tmp_path / "run" / "ita_med_ner_drugtemist" / "tagger")
        assert [tagging.tag(loaded, [""])[0]] == [[]]
    assert last < 0.9 * first
    assert made["method"] == recipe.method
    assert made["base"]["model"] == recipe.model.id
    for path in (tmp_path / "run").rglob("*.json"):
        assert str(place.parent) not in path.read_text(), f"a path of this machine in {path.name}"
        assert str(tmp_path) not in path.read_text()


# ----- by heart ------------------------------------------------------------------------------------------------------

BY_HEART = {
    "ner_e3c_all": ["train.max_steps=120"],
    "re_clinkart": ["train.max_steps=120"],
    "crf_e3c": ["train.max_steps=150", "data.max_length=256"],
    "qa_medexpqa": ["train.max_steps=120"],
    "arg_casimedicos": ["train.max_steps=260"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_HEART)
def test_a_tiny_set_is_answered_right_after_reload(name: str, tiny_encoders: Tiny, tmp_path: Path) -> None:
    """Labels, offsets and answers agree from end to end: what was learned by heart comes back through the files."""
    data = few(load(name, sources.EMBEDDED))
    recipe = small("encoders/bert-base-italian", tiny_encoders("bert"), *BY_HEART[name])
    tokenizer = train._tokenizer(recipe)
    folder = tmp_path / data.task.id
    folder.mkdir()
    for part in parts.of(recipe, data, tokenizer):
        train_part.train(recipe, part, tokenizer, folder / part.name, tmp_path / "work" / part.name)
    loaded = {path.name: train_part.load(path) for path in folder.iterdir()}
    for part_name, of_part in loaded.items():
        first, last = losses(of_part.facts)
        assert last < 0.3 * first, part_name
    answers = parts.answers(loaded, data)
    scores = data.score(answers)
    assert not scores.missing
    assert scores.metrics["score"] > 0.9, scores.metrics


def few(data: TaskData) -> TaskData:
    """Some examples to learn and to answer, with something to find in them."""
    filled = [example for example in data.train if any(data.gold(example).values())]
    taken: list[Any] = filled[:: max(len(filled) // 5, 1)][:5]
    if isinstance(taken[0], FormExample):
        taken = [replace(e, items=[i for n, i in enumerate(e.items) if n % 3 == 0]) for e in taken[:3]]
    return replace(data, train=taken, examples=taken)


# ----- a finished run ------------------------------------------------------------------------------------------------

TASKS = "data.tasks=[ner_drugtemist, re_clinkart, crf_dyspnea, arg_abstrct]"


@pytest.fixture(scope="module")
def finished(
    tiny_encoders: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> tuple[recipes.Recipe, Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("runs") / "run"
    changes = (TASKS, "train.max_steps=4", "data.examples=6", "data.negatives=1")
    recipe = small("encoders/bert-base-italian", tiny_encoders("bert"), *changes)
    return recipe, out, train.train(recipe, out, "embedded")


def test_the_manifest_of_encoders_tells_what_was_trained(finished: tuple[recipes.Recipe, Path, dict[str, Any]]) -> None:
    recipe, out, made = finished
    assert set(made["parts"]["ita_med_re_clinkart"]) == {"tagger", "pairs"}
    assert set(made["parts"]["ita_med_crf_dyspnea"]) == {"options", "values"}
    assert made["steps"] == sum(f["steps"] for of_task in made["parts"].values() for f in of_task.values()) == 24
    for name, counts in made["data"].items():
        assert counts["taken"] == counts["drawn"] == 6, name
        assert counts["rows"] == sum(part["rows"] for part in counts["parts"].values())
    assert made["synthetic"]
    assert {entry["dataset"] for entry in made["licences"]} == {"multicardioner", "e3c", "dyspnea_crf", "abstrct"}
    assert not (out / "checkpoints").exists()
    assert train.train(recipe, out, "embedded") == made, "a finished run is not repeated"
    with pytest.raises(ItaMedError, match="finished run with another recipe"):
        train.train(replace(recipe, train=replace(recipe.train, seed=3)), out, "embedded")


def test_answers_are_a_submission_that_the_board_accepts(
    finished: tuple[recipes.Recipe, Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, out, made = finished
    results = predict.predict(out, tmp_path / "answers", ["ita_med"], "embedded")
    answered = {*made["tasks"], "ita_med_ner_cardioccc", "ita_med_re_e3c_projected", "ita_med_crf_ecream",
                "ita_med_arg_abstrct_glaucoma", "ita_med_arg_abstrct_mixed"}  # fmt: skip
    assert set(results["tasks"]) == answered - {"ita_med_arg_casimedicos"} | {"ita_med_arg_casimedicos"}
    checked = check.check(submission.read_folder(tmp_path / "answers"), sources.EMBEDDED)
    assert checked.problems == []
    assert checked.submission is not None
    assert checked.submission.claim.model_type == "encoder"
    assert checked.submission.claim.method == "encoder"
    assert checked.submission.claim.trained_on == made["tasks"]
    assert checked.submission.claim.parameters > 0
    assert {s.task: s.metrics["score"] for s in checked.scores} == {
        name: scores["score"] for name, scores in results["tasks"].items()
    }
    written = json.loads((tmp_path / "answers" / "manifest.json").read_text())
    assert written["encoders"]["ita_med_ner_cardioccc"] == "ita_med_ner_drugtemist"
    assert "no encoder of the run" in written["left_out"]["ita_med_qa_imb"]
    assert {path.name for path in tmp_path.iterdir()} == {"answers"}
    lines = (tmp_path / "answers" / "predictions" / "ita_med_re_clinkart.jsonl").read_text().splitlines()
    said = [relation for line in lines for relation in json.loads(line)["answer"]["relations"]]
    assert all(not isinstance(relation["head"], str) for relation in said), "E3C's text may not be passed on"
    for path in (tmp_path / "answers").rglob("*"):
        assert not path.is_file() or str(out.parent) not in path.read_text(), path.name


def test_a_part_of_a_task_is_answered_and_marked(finished: tuple[recipes.Recipe, Path, Any], tmp_path: Path) -> None:
    stated = {"licence": "MIT", "open_weights": True}
    results = predict.predict(finished[1], tmp_path / "a", ["arg_abstrct"], "embedded", limit=3, declare=stated)
    written = json.loads((tmp_path / "a" / "manifest.json").read_text())["declared"]
    assert (written["licence"], written["open_weights"], written["model_type"]) == ("MIT", True, "encoder")
    assert results["limited"]
    assert results["tasks"]["ita_med_arg_abstrct"]["n"] == 3
    checked = check.check(submission.read_folder(tmp_path / "a"), sources.EMBEDDED)
    assert "--limit" in checked.problems[0]


def test_mistakes_are_one_line_and_leave_nothing(
    finished: tuple[recipes.Recipe, Path, Any], tiny_encoders: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = finished[1]
    full, other, broken, unfinished = (tmp_path / name for name in ("full", "other", "broken", "unfinished"))
    for folder in (full, other, broken, unfinished):
        folder.mkdir()
    (full / "thesis.tex").write_text("…")
    (other / "manifest.json").write_text('{"method": "ft"}')
    (broken / "manifest.json").write_text('{"method')
    (unfinished / "run.json").write_text("{}")
    before = sorted(path.name for path in tmp_path.iterdir())
    cases = (
        ([out, "--out", full], "is not empty"),
        ([out, "--out", tmp_path / "x", "--tasks", "qa_imb"], "no encoder of the run"),
        ([out, "--out", tmp_path / "x", "--tasks", "mmlu"], "no task is called"),
        ([out, "--out", tmp_path / "x", "--mirror", tmp_path / "nowhere"], "nowhere"),
        ([other, "--out", tmp_path / "x"], 'is a run of the method "ft"'),
        ([broken, "--out", tmp_path / "x"], "is damaged"),
        ([unfinished, "--out", tmp_path / "x"], "it is not finished"),
        ([tmp_path, "--out", tmp_path / "x"], "holds no run"),
    )
    for given, message in cases:
        more = [] if "--mirror" in given else ["--mirror", "embedded"]
        monkeypatch.setattr(sys, "argv", ["ita-med", "predict", *map(str, [*given, *more])])
        with pytest.raises(SystemExit) as end:
            cli.main()
        err = capsys.readouterr().err
        assert end.value.code == 1
        assert message in err
        assert err.startswith("ita-med: ")
        assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    damaged = tmp_path / "part"
    damaged.mkdir()
    (damaged / "part.json").write_text("{}")
    with pytest.raises(ItaMedError, match="holds no trained part"):
        train_part.load(damaged)


@pytest.mark.parametrize(("kind", "longest"), [("bert", 600), ("xlm-roberta", 598)])
def test_a_sequence_is_no_longer_than_the_model_reads(kind: str, longest: int, tiny_encoders: Tiny) -> None:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(tiny_encoders(kind))
    train_part.check_length(small(RECIPES[0], tiny_encoders(kind), f"data.max_length={longest}"), config)
    with pytest.raises(ItaMedError, match=rf"data\.max_length={longest + 1} is more than the {longest} tokens"):
        train_part.check_length(small(RECIPES[0], tiny_encoders(kind), f"data.max_length={longest + 1}"), config)


def test_a_decoder_is_no_encoder(tiny: Tiny, tmp_path: Path) -> None:
    recipe = small("encoders/bert-base-italian", tiny("qwen3"), "data.tasks=[ner_drugtemist]")
    with pytest.raises(ItaMedError, match="is no encoder"):
        train.train(recipe, tmp_path / "x", "embedded")
    with pytest.raises(ItaMedError, match="no masked language model"):
        masked_lm.dataset(small("scratch/encoder-small", tiny("qwen3"), "model.scratch=null"), None, _Nothing())  # type: ignore[arg-type]


class _Nothing:
    mask_token_id = cls_token_id = sep_token_id = None


# ----- stopped and gone on with --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_run_of_encoders_ends_bit_for_bit_as_an_uninterrupted_one(tiny_encoders: Tiny, tmp_path: Path) -> None:
    """Killed once while a part is being trained, with another one done."""
    changes = [*SMALL, "data.tasks=[ner_drugtemist, arg_abstrct]", "train.max_steps=12", "train.save_steps=2",
               "train.batch_size=4", f"model.path={tiny_encoders('bert')}"]  # fmt: skip
    name = "encoders/bert-base-italian"
    train.train(recipes.load(recipes.find(name), changes), tmp_path / "whole", "embedded")
    out = tmp_path / "out"
    arguments = [name, *(part for change in changes for part in ("--set", change)), "--mirror", "embedded"]
    beside = str(Path(str(ita_med.__file__)).parents[1])
    environment = os.environ | {"PYTHONPATH": beside, "OMP_NUM_THREADS": "1"}

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ita_med.cli", "train", *arguments, "--out", str(out)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    process, deadline = start(), time.monotonic() + 240
    last = out / "checkpoints" / "ita_med_ner_drugtemist" / "tagger"
    while process.poll() is None and run_folder.last_checkpoint(last, 1) is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
    assert (out / "ita_med_arg_abstrct" / "tagger" / "part.json").is_file()
    assert not (out / "manifest.json").exists()
    with pytest.raises(ItaMedError, match="it is not finished"):
        predict.predict(out, tmp_path / "answers", ["ita_med"], "embedded")
    process = start()
    _, err = process.communicate()
    assert process.returncode == 0, err.decode()[-2000:]
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file() and path.name not in ("manifest.json", "part.json"):
            assert path.read_bytes() == (out / path.relative_to(tmp_path / "whole")).read_bytes(), path
    killed, whole = (json.loads((folder / "manifest.json").read_text()) for folder in (out, tmp_path / "whole"))
    assert killed["resumed_from"] >= 2
    assert {k: killed[k] for k in ("loss", "steps", "tokens", "data")} == {
        k: whole[k] for k in ("loss", "steps", "tokens", "data")
    }


class Stop(Exception):
    pass


def test_masked_language_training_resumes_bit_for_bit(
    tiny_encoders: Tiny, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = (f"data.corpora=[{corpus}]", "train.epochs=2", "train.save_steps=3", "data.max_length=96")
    recipe = small("encoders/bert-base-italian-mlm", tiny_encoders("bert"), *changes)
    whole = train.train(recipe, tmp_path / "whole")
    per_pass = whole["steps"] // 2
    masked, number = masked_lm.Masks.__call__, 0

    def stopping(self: masked_lm.Masks, batch: Any) -> Any:
        nonlocal number
        number += 1
        if number == per_pass + 4:  # in the second pass, with other masks
            raise Stop
        return masked(self, batch)

    monkeypatch.setattr(masked_lm.Masks, "__call__", stopping)
    with pytest.raises(Stop):
        train.train(recipe, tmp_path / "stopped")
    number = -1000
    again = train.train(recipe, tmp_path / "stopped")
    assert again["resumed_from"]
    assert again["loss"] == whole["loss"]
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


# ----- masked language models and models from scratch ----------------------------------------------------------------


def test_sequences_keep_every_token_and_masks_follow_from_seed_and_pass(tiny_encoders: Tiny, corpus: Path) -> None:
    import numpy as np

    recipe = small("encoders/bert-base-italian-mlm", tiny_encoders("bert"), f"data.corpora=[{corpus}]")
    tokenizer = train._tokenizer(recipe)
    found = corpora.prepare(recipe)
    sequences = masked_lm.dataset(recipe, found, tokenizer)["input_ids"]
    assert max(map(len, sequences)) == recipe.data.max_length
    expected = [
        t for text in corpora.texts(found) for t in (*tokenizer(text, add_special_tokens=False)["input_ids"], 3)
    ]
    assert [token for sequence in sequences for token in sequence[1:-1]] == expected[:-1]
    masks = masked_lm.Masks(tokenizer, 0.15, 0)
    whole = np.array(sequences[0])
    read, labels = masks.masked(whole)
    asked = labels != masked_lm.IGNORED
    assert 0.1 < asked.mean() < 0.2
    assert (labels[asked] == whole[asked]).all()
    assert (read[~asked] == whole[~asked]).all()
    assert 0.6 < (read[asked] == tokenizer.mask_token_id).mean() <= 1
    assert not asked[np.isin(whole, tokenizer.all_special_ids)].any()
    assert (masks.masked(whole)[0] == read).all()
    masks.epoch = 1
    assert (masks.masked(whole)[0] != read).any()
    assert (masked_lm.Masks(tokenizer, 0.15, 1).masked(whole)[0] != read).any()
    alone = masked_lm.Masks(tokenizer, 0.01, 0).masked(np.array([2, 100, 3]))
    assert (alone[1] != masked_lm.IGNORED).sum() == 1, "one token at least"


SIZES = "{architecture: %s, layers: 2, hidden: 32, heads: 2, intermediate: 64, vocabulary: 600}"


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_an_encoder_from_scratch_is_trained_and_then_used(architecture: str, corpus: Path, tmp_path: Path) -> None:
    changes = [*SMALL, f"data.corpora=[{corpus}]", f"model.scratch={SIZES % architecture}", "train.max_steps=16"]
    recipe = recipes.load(recipes.find("scratch/encoder-small"), [*changes, "train.learning_rate=1.0e-2"])
    made = train.train(recipe, tmp_path / "small")
    first, last = losses(made)
    assert last < 0.95 * first
    assert made["base"] == {"model": "encoder-small", "revision": "", "from_scratch": True}
    assert not (tmp_path / "small" / "scratch").exists()
    more = [f"model.after={tmp_path / 'small'}", "data.tasks=[ner_drugtemist]", "train.max_steps=3"]
    tasks = train.train(
        recipes.load(recipes.find("encoders/encoder-small-tasks"), [*SMALL, *more]), tmp_path / "tasks", "embedded"
    )
    assert tasks["base"]["model"] == "small"
    assert tasks["base"]["made_by"]["method"] == "mlm"
    assert tasks["base"]["made_by"]["corpora"] == ["corpus"]
    assert tasks["base"]["made_by"]["base"]["from_scratch"]
    from safetensors.numpy import load_file

    before = load_file(tmp_path / "small" / "model.safetensors")
    after = load_file(tmp_path / "tasks" / "ita_med_ner_drugtemist" / "tagger" / "model.safetensors")
    shared = [name for name in after if name in before]
    assert len(shared) > 10, "the task's encoder does not start from the pre-trained one"


def test_a_decoder_from_scratch_is_trained(corpus: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    changes = [f"data.corpora=[{corpus}]", f"model.scratch={SIZES % 'llama'}", "train.max_steps=12",
               "train.batch_size=2", "data.max_length=64", "train.logging_steps=1", "report_to=none",
               "train.learning_rate=1.0e-2"]  # fmt: skip
    made = train.train(recipes.load(recipes.find("scratch/decoder-small"), changes), tmp_path / "small")
    first, last = losses(made)
    assert last < 0.95 * first
    assert made["base"]["from_scratch"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "small")
    ids = tokenizer("Il paziente è àéìòù", return_tensors="pt")
    assert tokenizer.decode(ids["input_ids"][0]) == "Il paziente è àéìòù"
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "small")(**ids).logits.shape[-1] == len(tokenizer)
    assert str(tmp_path) not in (tmp_path / "small" / "config.json").read_text()


@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_the_same_corpus_and_seed_make_the_same_model(architecture: str, corpus: Path, tmp_path: Path) -> None:
    name = "scratch/decoder-small" if architecture == "llama" else "scratch/encoder-small"
    recipe = recipes.load(recipes.find(name), [f"model.scratch={SIZES % architecture}", f"data.corpora=[{corpus}]"])
    texts = list(corpora.texts(corpora.prepare(recipe)))
    for folder in ("a", "b"):
        scratch.make(recipe, texts, tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_dry_run_of_encoders_says_what_can_be_expressed_and_writes_nothing(
    tiny_encoders: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    places = (f"model.path={tiny_encoders('bert')}", "model.id=ORG/encoder-large")
    capsys.readouterr()  # what making the model says
    for place in places:
        given = ["--set", place, "--set", "data.tasks=[ner_e3c_disorder]", "--mirror", "embedded", "--out", "run"]
        monkeypatch.setattr(sys, "argv", ["ita-med", "train", "encoders/bert-base-italian", "--dry-run", *given])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        assert (end.value.code or 0, err) == (0, "")
        assert ("gold answers can be expressed" in out) == place.startswith("model.path")
        assert ("340,000,000" in out) == place.startswith("model.id")
        for expected in ("an encoder per task", "TASK/PART/", "SYNTHETIC", "CC BY-NC"):
            assert expected in out
    assert not any(tmp_path.iterdir())


def test_losses_of_the_heads_are_those_of_a_plain_loop() -> None:
    from types import SimpleNamespace

    import numpy as np
    import torch

    torch.manual_seed(0)
    cross = torch.nn.functional.cross_entropy
    logits = torch.randn(2, 3, 6)
    labels = torch.tensor([[[0, 2], [1, 0], [-100, -100]], [[2, 2], [-100, -100], [0, 1]]])
    each = [
        cross(logits[b, t, 3 * k : 3 * k + 3][None], labels[b, t, k][None])
        for b in range(2)
        for t in range(3)
        for k in range(2)
        if labels[b, t, k] >= 0
    ]  # fmt: skip
    found = heads.loss("tokens", SimpleNamespace(logits=logits), {"labels": labels})
    assert found == pytest.approx(float(torch.stack(each).mean()), rel=1e-6)
    scores = torch.randn(5, 1)
    targets = {"labels": torch.tensor([[1], [0]]), "sizes": torch.tensor([1, 2, 1, 1]), "options": torch.tensor([2, 2])}
    first = torch.stack([scores[0, 0], scores[1:3, 0].max()])
    wanted = (cross(first[None], torch.tensor([1])) + cross(scores[3:, 0][None], torch.tensor([0]))) / 2
    assert heads.loss("classes", SimpleNamespace(logits=scores), targets) == pytest.approx(float(wanted), rel=1e-6)
    classes = torch.randn(2, 3)
    allowed = torch.from_numpy(np.array([[True, True, False], [True, True, True]]))
    targets = {"labels": torch.tensor([[1], [2]]), "sizes": torch.tensor([1, 1]), "allowed": allowed,
               "options": torch.tensor([1, 1])}  # fmt: skip
    wanted = (cross(classes[0, :2][None], torch.tensor([1])) + cross(classes[1][None], torch.tensor([2]))) / 2
    assert heads.loss("classes", SimpleNamespace(logits=classes), targets) == pytest.approx(float(wanted), rel=1e-6)


def test_nothing_is_left_of_an_interrupted_prediction(
    finished: tuple[recipes.Recipe, Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise Stop

    monkeypatch.setattr(predict, "write", fail)
    with pytest.raises(Stop):
        predict.predict(finished[1], tmp_path / "a", ["arg_abstrct"], "embedded")
    assert not any(tmp_path.iterdir())
    assert run_folder.FINISHED in {path.name for path in finished[1].iterdir()}
