"""Predictions without upstream text: the scores of the folder are exactly those of the texts, and no text is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ita_med.schema import Example, FormExample
from ita_med.tasks.benchmark import predictions
from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.scoring import matching

RESTRICTED = ["ita_med_ner_e3c_all", "ita_med_re_e3c_temporal", "ita_med_crf_e3c", "ita_med_crf_dyspnea"]
RESTRICTED += ["ita_med_re_clinkart", "ita_med_arg_casimedicos"]
ODD = ["", " ", "inventato", "sha256:0123456789abcdef", "\ud800", "non noto", "Unknown", "7,40", "7.40", "  94  % "]


def said(example: Example, data: TaskData) -> st.SearchStrategy[str]:
    """Pieces of the document, right answers, both slightly changed, and inventions."""
    text: str = example.text  # type: ignore[union-attr]
    words = text.split()
    right = [value for value in _strings(data.gold(example)) if value] or ["x"]
    piece = st.tuples(st.integers(0, len(words) - 1), st.integers(1, 3)).map(lambda t: " ".join(words[t[0] : sum(t)]))
    exact = st.one_of(piece, st.sampled_from(right), st.sampled_from(right))
    changed = exact.flatmap(
        lambda s: st.sampled_from([s.upper(), s.replace(" ", "  "), s.replace(".", ","), s[:1] + " " + s[1:], s[1:]])
    )
    return st.one_of(exact, exact, changed, st.sampled_from(ODD))


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in _strings(part)]


def answers(data: TaskData, example: Example) -> st.SearchStrategy[Any]:
    """Answers in canonical form, as parsers make them."""
    texts = said(example, data)
    labels = st.sampled_from([*getattr(data.setting, "labels", ["x"]), "inventata", "altra"])
    size = len(example.text)  # type: ignore[union-attr]
    if data.family.example_schema == "spans":
        places = st.tuples(st.integers(0, size), st.integers(1, 30)).map(lambda t: {"start": t[0], "end": sum(t)})
        kept = texts.filter(str.strip)
        mention = st.fixed_dictionaries({"text": kept, "label": labels})
        placed = st.tuples(mention, places).map(lambda t: t[0] | t[1])
        own = places.map(
            lambda p: p | {"text": example.text[p["start"] : p["end"]] or "x", "label": labels_first(data)}
        )
        some = st.lists(st.one_of(mention, mention, mention, placed, own), max_size=8)
        doubled = st.tuples(some, st.integers(1, 3)).map(lambda t: t[0] * t[1])
        return doubled.map(lambda entities: {"entities": entities})
    if data.family.example_schema == "relations":
        relation = st.fixed_dictionaries({"head": texts, "label": labels, "tail": texts})
        return st.lists(relation, max_size=6).map(lambda relations: {"relations": relations})
    assert isinstance(example, FormExample)
    names = st.sampled_from([*(item.name for item in example.items), "inventata"])
    return st.dictionaries(names, texts.map(lambda s: s or "unknown"), max_size=30).map(lambda items: {"items": items})


def labels_first(data: TaskData) -> str:
    return str(data.setting.labels[0])


@pytest.mark.parametrize("task", RESTRICTED)
def test_counts_are_exactly_those_of_the_texts(task: str, embedded: dict[str, TaskData]) -> None:
    data = embedded[task]

    @given(st.data())
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    def check(draw: st.DataObject) -> None:
        example = draw.draw(st.sampled_from(data.examples))
        answer = draw.draw(answers(data, example))
        assert data.is_answer(answer)
        written = json.loads(json.dumps(data.redact(example, answer)))
        again = data.family.restore(example, written)
        assert data.is_answer(again)
        assert data.count(example, again) == data.count(example, answer)

    check()


@pytest.mark.parametrize("task", RESTRICTED)
def test_no_words_of_the_document_are_written(task: str, embedded: dict[str, TaskData]) -> None:
    data = embedded[task]
    for example in data.examples:
        text: str = example.text  # type: ignore[union-attr]
        words = [w for w in text.split() if len(w) > 6]
        if len(words) < 2:
            continue
        raw = data.render(data.gold(example))
        copied = {"entities": [{"text": text, "label": words[0]}, {"text": words[0], "label": "x"}]}
        hostile = [
            raw,
            text,
            json.dumps({words[0]: [text]}),
            json.dumps(copied),
            f'{{"scheda": {{"{words[0]}": "{words[1]}"}}}}',
        ]
        for output in hostile:
            written = json.dumps(data.redact(example, data.parse(output, example)), ensure_ascii=False)
            names = {item.name for item in example.items} if isinstance(example, FormExample) else set()
            options = {o for item in example.items for o in item.options} if names else set()
            allowed = " ".join(names | options | set(getattr(data.setting, "labels", [])))
            assert not [w for w in words if w in written and w not in allowed]


def test_the_file_scores_as_the_raw_texts_do(embedded: dict[str, TaskData], tmp_path: Path) -> None:
    for data in embedded.values():
        outputs = [data.target(example) for example in data.examples]
        rows = [(e.id, [outputs[n - 1], outputs[n], "{", ""][n % 4]) for n, e in enumerate(data.examples)]
        predictions.write(tmp_path / "texts", data, rows, texts=True)
        predictions.write(tmp_path / "places", data, rows, texts=False)
        with_texts = predictions.score(tmp_path / "texts", data, strict=True).as_dict()
        assert predictions.score(tmp_path / "places", data, strict=True).as_dict() == with_texts
        assert with_texts["parse_failure"] > 0
    assert embedded["ita_med_crf_dyspnea"].texts_withheld, "CC BY-NC"
    assert not embedded["ita_med_qa_med_ita"].texts_withheld, "open and commercial use allowed"


def test_a_mention_said_too_often_has_no_place(embedded: dict[str, TaskData]) -> None:
    data = embedded["ita_med_ner_e3c_all"]
    example = data.examples[0]
    word = next(w for w in example.text.split() if len(w) > 5 and example.text.count(w) == 1)  # type: ignore[union-attr]
    answer = {"entities": [{"text": word, "label": "EVENT"}] * 2 + [{"text": "assente", "label": "EVENT"}]}
    first, second, third = data.redact(example, answer)["entities"]
    assert (set(first), set(second), set(third)) == ({"start", "end", "label"}, {"of", "label"}, {"sha256", "label"})
    assert matching.fold(example.text[first["start"] : first["end"]]) == word  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "entity",
    [{"start": 5, "end": 3, "label": "EVENT"}, {"start": 0, "end": 10**6, "label": "EVENT"},
     {"of": [0], "label": "EVENT"}, {"of": ["a", 2], "label": "EVENT"}, {"sha256": 3, "label": "EVENT"}, 
     {"label": "EVENT"}, 3, None,
     {"start": 0, "end": 3}, {"of": [-5, 2], "label": "EVENT"}],
)  # fmt: skip
def test_a_reference_to_nothing_is_a_parse_failure(entity: Any, embedded: dict[str, TaskData], tmp_path: Path) -> None:
    data = embedded["ita_med_ner_e3c_all"]
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"id": data.examples[0].id, "answer": {"entities": [entity]}}) + "\n")
    answers, _ = predictions.read(path, data)
    assert answers == {data.examples[0].id: None}
