"""What a run says of its model: read off it, never guessed; the board reads it back."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark.model_facts import declared, stated
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.evaluate import evaluate
from ita_med.tasks.evaluation.manifest import tokens_per_second

NOBODY = SimpleNamespace()


def said(given: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return declared(NOBODY, given, **({"chat": False, "floor": False, "by_hand": {}} | changes))


def test_what_nobody_can_know_is_null_until_it_is_said() -> None:
    assert said({"pretrained": "ORG/NAME"}) == {
        "parameters": None,
        "model_type": "decoder",
        "licence": None,
        "open_weights": None,
        "trained_on": [],
    }
    assert said({}, chat=True)["model_type"] == "chat"
    assert said({}, chat=True, by_hand={"model_type": "encoder"})["model_type"] == "encoder"


@pytest.mark.parametrize("place", ["adapter", "merged", "link"])
def test_training_tasks_come_from_the_run_and_those_before_it(place: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "merged").mkdir(parents=True)
    before = {"tasks": ["ita_med_arg_abstrct", "no_task"], "base": {"made_by": {"tasks": None, "base": {}}}}
    made = {"tasks": ["ita_med_ner_e3c_disorder"], "base": {"model": "x", "made_by": before}}
    (run / "manifest.json").write_text(json.dumps(made))
    (tmp_path / "link").symlink_to(run / "merged")
    folder = {"adapter": run, "merged": run / "merged", "link": tmp_path / "link"}[place]
    given = {"peft" if place == "adapter" else "pretrained": str(folder)}
    assert said(given)["trained_on"] == ["ita_med_arg_abstrct", "ita_med_ner_e3c_disorder"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"tasks": 3}', '{"tasks": [1], "base": "x"}', "\udc80"])
def test_another_manifest_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert said({"pretrained": str(tmp_path)})["trained_on"] == []


def test_pairs_are_read_and_refused_in_one_line() -> None:
    pairs = ["licence=apache-2.0", "open_weights=true", "parameters=134.5", "model_type=chat"]
    assert stated([*pairs, "trained_on=ner_e3c_disorder, arg_abstrct"]) == {
        "licence": "apache-2.0",
        "open_weights": True,
        "parameters": 134.5,
        "model_type": "chat",
        "trained_on": ["ita_med_arg_abstrct", "ita_med_ner_e3c_disorder"],
    }
    for pair, message in [
        ("license=mit", "expected one of licence="),
        ("licence", "expected one of licence="),
        ("licence=", "no value"),
        ("parameters=many", "could not convert"),
        ("parameters=nan", "expected millions"),
        ("open_weights=yes", "expected true or false"),
        ("model_type=llm", "expected one of decoder"),
        ("trained_on=ner_x", "ner_x"),
    ]:
        with pytest.raises(ItaMedError, match=message) as caught:
            stated([pair])
        assert "\n" not in str(caught.value)


def test_the_manifest_says_it_and_the_board_reads_it(tmp_path: Path) -> None:
    from ita_med.leaderboard.submissions.submission import parse, read_folder

    out, by_hand = tmp_path / "run", stated(["licence=mit", "open_weights=true", "parameters=0.5"])
    evaluate(Run("baseline", "kind=majority"), ["qa_med_ita"], out, "embedded", declare=by_hand)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["declared"]["model_type"] == "other"
    claim = parse(read_folder(out)).claim
    assert (claim.licence, claim.open_weights, claim.parameters, claim.model_type) == ("mit", True, 0.5, "other")
    assert claim.tokens_per_second == (manifest["tokens_per_second"] or 0)


def test_tokens_per_second_are_those_of_all_tasks() -> None:
    speed = {"a": {"generated_tokens": 30, "seconds": 2.0}, "b": {"generated_tokens": 10, "seconds": 2.0}}
    assert tokens_per_second(speed) == 10
    assert tokens_per_second(speed | {"c": {"generated_tokens": None, "seconds": 1.0}}) is None
    assert tokens_per_second({}) is None
