"""Documents that do not fit are asked in windows: nothing is lost, nothing is asked that does not fit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar

import lm_eval.models  # noqa: F401  before a model of our own: it is filled only while it is empty
import pytest
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from ita_med import catalogue
from ita_med.schema import ChoiceExample, FormExample, SpanExample
from ita_med.tasks.benchmark import windows
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.evaluation import prompt_requests
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.evaluate import evaluate
from ita_med.tasks.scoring import matching

READY = [task.id for task in catalogue.tasks(ready=True)]
LONG = "ita_med_arg_casimedicos", "ita_med_crf_dyspnea", "ita_med_crf_e3c", "ita_med_crf_ecream"


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("name", READY)
def test_windows_hold_every_word_once_in_order_and_no_gold(name: str, embedded: dict[str, TaskData]) -> None:
    data, cut = embedded[name], 0
    for example in data.examples:
        ways = list(windows.cuts(data, example))
        if isinstance(example, ChoiceExample):
            assert not ways
            continue
        for way in ways:
            cut += 1
            assert [word for window in way for word in words(window.text)] == words(example.text)
            assert len(way) > 1
            assert not any(any(data.gold(window).values()) for window in way)
            for window in way:
                offset = window.meta["offset"]
                assert example.text[offset : offset + len(window.text)] == window.text
        assert [len(way) for way in ways[1:]] == sorted(len(way) for way in ways[1:])
    assert cut or name not in LONG


def test_where_gold_mentions_lie_does_not_move_a_window(embedded: dict[str, TaskData]) -> None:
    data = embedded["ita_med_arg_casimedicos"]
    for example in data.examples:
        assert isinstance(example, SpanExample)
        bare = dataclasses.replace(example, spans=[])
        texts = [[window.text for window in way] for way in windows.cuts(data, example)]
        assert texts == [[window.text for window in way] for way in windows.cuts(data, bare)]


@pytest.mark.slow
def test_mentions_of_windows_keep_their_places(embedded: dict[str, TaskData]) -> None:
    """The right answers of the windows are the right answer of the document, if no mention crosses their borders."""
    data, whole = embedded["ita_med_arg_casimedicos"], 0
    for example in data.examples:
        assert isinstance(example, SpanExample)
        for way in windows.cuts(data, example):
            texts = []
            for window in way:
                start = window.meta["offset"]
                inside = [s for s in example.spans if start <= s.start and s.end <= start + len(window.text)]
                answer = {"entities": [{"text": s.text, "label": s.label} for s in inside]}
                texts.append((window, data.render(answer)))
            answer = data.parse(windows.merge(data, texts), example)
            assert answer is not None
            if len(answer["entities"]) == len(example.spans):
                whole += 1
                row = data.score({e.id: (answer if e is example else data.gold(e)) for e in data.examples})
                assert row.metrics["score"] == row.metrics["f1_offset"] == 1
    assert whole


def test_repeated_mentions_of_different_windows_are_all_counted(embedded: dict[str, TaskData]) -> None:
    data = embedded["ita_med_arg_casimedicos"]
    label = data.setting.labels[0]
    example = SpanExample("x", "x", "La febbre sale. Poi la febbre scende.", [])
    [way, *_] = windows.cuts(data, example)
    said = data.render({"entities": [{"text": "febbre", "label": label}, {"text": "mai detto", "label": label}]})
    merged = json.loads(windows.merge(data, [(window, said) for window in way]))
    placed = [(e["start"], e["end"]) for e in merged["entities"] if "start" in e]
    assert placed == [(3, 9), (23, 29)]
    assert [e["text"] for e in merged["entities"]] == ["febbre", "mai detto"] * 2


def test_a_form_takes_the_first_known_value_in_reading_order(embedded: dict[str, TaskData]) -> None:
    data = embedded["ita_med_crf_dyspnea"]
    example = data.examples[0]
    assert isinstance(example, FormExample)
    first, second, third = (item.name for item in example.items[:3])
    parts = [{first: "unknown"}, {first: "y", second: "94%"}, None, {first: "n", third: "1"}]
    texts = ["non so" if items is None else data.render({"items": items}) for items in parts]
    way = [example] * len(texts)
    answer = data.parse(windows.merge(data, list(zip(way, texts, strict=True))), example)
    assert answer == {"items": {first: "y", second: "94%", third: "1"}}


def test_relations_are_put_together_and_silence_is_a_failure(embedded: dict[str, TaskData]) -> None:
    data = embedded["ita_med_re_clinkart"]
    example = next(e for e in data.examples if data.gold(e)["relations"])
    said = data.target(example)
    merged = data.parse(windows.merge(data, [(example, said), (example, "?"), (example, said)]), example)
    assert merged == {"relations": data.gold(example)["relations"] * 2}
    assert windows.merge(data, [(example, "?"), (example, "")]) == ""


class Reader(LM):
    """Takes prompts of up to `room` words; answers with what the right answer of each text in the prompt says."""

    room = 0
    data: ClassVar[TaskData]
    prompts: ClassVar[list[str]] = []
    max_length = 0

    def __init__(self, **_: Any) -> None:
        super().__init__()

    def loglikelihood(self, requests: Any) -> Any:
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood

    def tok_encode(self, text: str) -> list[str]:
        return text.split()

    def generate_until(self, asked: list[Any]) -> list[str]:
        texts = []
        for request in asked:
            prompt = request.args[0]
            Reader.prompts.append(prompt)
            assert len(words(prompt)) <= self.room, "a prompt that does not fit was asked"
            texts.append(self.answer(prompt))
        return texts

    def answer(self, prompt: str) -> str:
        text = matching.fold(prompt.rpartition("Testo: ")[2].rpartition("Risposta:")[0])
        for example in self.data.examples:
            assert isinstance(example, SpanExample)
            if text in matching.fold(example.text):
                inside = [{"text": s.text, "label": s.label} for s in example.spans if matching.fold(s.text) in text]
                return self.data.render({"entities": inside})
        raise AssertionError(f"no document holds {text!r}")


register_model("reader")(Reader)


@pytest.fixture
def room(embedded: dict[str, TaskData], monkeypatch: pytest.MonkeyPatch) -> int:
    """Words that all but the three longest prompts of the task have, and room for them."""
    data = embedded["ita_med_arg_casimedicos"]
    lengths = sorted(len(words(r.prompt)) for r in prompt_requests.build(data))
    monkeypatch.setattr(Reader, "data", data, raising=False)
    monkeypatch.setattr(Reader, "prompts", [])
    monkeypatch.setattr(Reader, "room", lengths[-4])
    monkeypatch.setattr(Reader, "max_length", lengths[-4] + 1536)
    return int(lengths[-4])


def test_only_what_does_not_fit_is_asked_in_windows(
    room: int, embedded: dict[str, TaskData], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = embedded["ita_med_arg_casimedicos"]
    results = evaluate(Run("reader"), ["arg_casimedicos"], tmp_path / "run", "embedded")
    long = [r for r in prompt_requests.build(data) if len(words(r.prompt)) > room]
    speed = results["speed"]["ita_med_arg_casimedicos"]
    assert (speed["windowed"], speed["too_long"]) == (len(long), 0)
    assert speed["windows"] >= 2 * len(long) > 0
    assert speed["requests"] == len(data.examples) - len(long) + speed["windows"]
    fitting = {r.prompt for r in prompt_requests.build(data)} - {r.prompt for r in long}
    assert fitting < set(Reader.prompts), "a document that fits was asked otherwise than before"
    assert f"{len(long)} of {len(data.examples)} prompts do not fit" in capsys.readouterr().err
    lines = (tmp_path / "run" / "predictions" / "ita_med_arg_casimedicos.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [e.id for e in data.examples]
    scores = results["tasks"]["ita_med_arg_casimedicos"]
    assert scores["parse_failure"] == 0
    assert scores["score"] > 0.8


def test_what_fits_in_no_way_is_not_asked(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "max_length", 1536 + 5)
    results = evaluate(Run("reader"), ["arg_casimedicos"], tmp_path / "run", "embedded")
    speed = results["speed"]["ita_med_arg_casimedicos"]
    assert (speed["windowed"], speed["windows"], speed["requests"]) == (0, 0, 0)
    assert speed["too_long"] == speed["documents"]
    assert results["tasks"]["ita_med_arg_casimedicos"]["parse_failure"] == 1
