"""The floors answer every task, from the training examples alone."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache

import pytest

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.schema import (
    UNKNOWN,
    ChoiceExample,
    Example,
    FormExample,
    Item,
    Relation,
    RelationExample,
    Span,
    SpanExample,
)
from ita_med.tasks.baselines import KINDS, gazetteer, knn_forms, lines
from ita_med.tasks.baselines.predict import FLOORS, Answers, predict
from ita_med.tasks.benchmark import lm_eval_files
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.families.registry import FAMILIES

TASKS = [task.id for task in catalogue.tasks(ready=True)]
every_task = pytest.mark.parametrize("task", TASKS)
every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def data_of(task: str) -> TaskData:
    return load(task, "embedded")


@cache
def answers_of(kind: str, task: str) -> Answers:
    return predict(kind, data_of(task))


@every_task
@every_kind
def test_answers_every_example_in_canonical_form(kind: str, task: str) -> None:
    data, answers = data_of(task), answers_of(kind, task)
    assert set(answers) == set(data.by_id)
    for example in data.examples:
        answer = answers[example.id]
        assert data.is_answer(answer)
        assert data.parse(data.render(answer), example) is not None


@every_task
@every_kind
def test_predicts_what_its_text_holds(kind: str, task: str) -> None:
    data = data_of(task)
    for example in data.examples:
        answer = answers_of(kind, task)[example.id]
        for entity in answer.get("entities", []):
            assert isinstance(example, SpanExample)
            assert example.text[entity["start"] : entity["end"]] == entity["text"] != ""
            assert entity["label"] in data.setting.labels
        for relation in answer.get("relations", []):
            assert isinstance(example, RelationExample)
            assert relation["head"] in example.text
            assert relation["tail"] in example.text
            assert relation["label"] in data.setting.labels
        for name, value in answer.get("items", {}).items():
            assert isinstance(example, FormExample)
            item = next(item for item in example.items if item.name == name)
            assert value in item.options or not item.options
        if "choice" in answer:
            assert isinstance(example, ChoiceExample)
            assert answer["choice"] in "ABCDEFGHIJ"[: len(example.options)]


@every_task
@every_kind
def test_neither_the_order_nor_the_gold_of_the_examples_matters(kind: str, task: str) -> None:
    data = data_of(task)
    other = replace(data, examples=[spoil(example) for example in reversed(data.examples)])
    assert all(data.gold(example) != data.gold(spoil(example)) for example in data.examples)
    assert predict(kind, other) == answers_of(kind, task)


@every_task
def test_blank_examples_hold_no_gold(task: str) -> None:
    data = data_of(task)
    for example in data.examples:
        assert data.family.blank(example) == data.family.blank(spoil(example))
        assert not data.family.blank(example).meta


def spoil(example: Example) -> Example:
    """The example with another gold, in the same schema."""
    meta = {"spoilt": True}
    match example:
        case SpanExample():
            return replace(example, spans=[Span(0, 1, "SPOILT", example.text[0])], meta=meta)
        case RelationExample():
            spans = [Span(0, 1, "SPOILT", example.text[0])]
            return replace(example, spans=spans, relations=[Relation(0, 0, "SPOILT")], meta=meta)
        case FormExample():
            items = [
                replace(item, value=next(x for x in [*item.options, "1"] if x != item.value)) for item in example.items
            ]
            return replace(example, items=items, meta=meta)
        case ChoiceExample():
            return replace(example, answer=(example.answer + 1) % len(example.options), meta=meta)
    raise TypeError(type(example))


@every_task
@every_kind
@pytest.mark.parametrize("train", ["nothing", "examples without gold"])
def test_nothing_to_learn_still_gives_an_answer(train: str, kind: str, task: str) -> None:
    data = data_of(task)
    data = replace(data, train=[] if train == "nothing" else [data.family.blank(example) for example in data.train])
    answers = predict(kind, data)
    assert all(data.is_answer(answers[example.id]) for example in data.examples)


@every_task
def test_random_depends_on_the_seed_and_on_nothing_else(task: str) -> None:
    data = data_of(task)
    assert predict("random", data, seed=0) == answers_of("random", task)
    assert predict("random", data, seed=1) != answers_of("random", task)
    half = replace(data, examples=data.examples[::2])
    expected = {example.id: answers_of("random", task)[example.id] for example in half.examples}
    assert predict("random", half) == expected


def test_memory_beats_chance() -> None:
    mean = {kind: sum(data_of(t).score(dict(answers_of(kind, t))).metrics["score"] for t in TASKS) for kind in KINDS}
    assert mean["knn"] > max(mean["random"], mean["majority"])


def test_every_family_has_its_floors() -> None:
    assert FLOORS.keys() == FAMILIES.keys()


def test_unknown_kind_is_a_sentence() -> None:
    with pytest.raises(ItaMedError, match='no baseline is called "best"; there are random, majority and knn'):
        predict("best", data_of(TASKS[0]))


# The parts


def spans(text: str, *mentions: tuple[str, str]) -> SpanExample:
    """An example with the first occurrence of each (label, mention)."""
    found = [Span(text.index(m), text.index(m) + len(m), label, m) for label, m in mentions]
    return SpanExample(id=text, doc_id="", text=text, spans=found)


def test_gazetteer_keeps_what_is_annotated_in_half_of_its_places() -> None:
    train = [spans("Febbre alta e tosse", ("D", "Febbre alta"), ("D", "tosse")), spans("tosse, tosse e tossendo")]
    learned = gazetteer.learn([(e.text, gazetteer.located(e)) for e in train])["D"]
    assert learned == {"febbre": [("febbre", "alta")]}


def test_gazetteer_finds_whole_words_longest_first_without_case() -> None:
    entries = gazetteer.of([("febbre",), ("febbre", "alta"), ("alta", "quota")])
    text = "FEBBRE  alta quota; febbre; febbreo"
    assert [text[a:b] for a, b in gazetteer.find(text, entries)] == ["FEBBRE  alta", "febbre"]


def test_shapes_abstract_digits() -> None:
    entries = gazetteer.of([gazetteer.key("37,9 °C", gazetteer.shapes)])
    assert gazetteer.find("TC 38,55 °C", entries, gazetteer.shapes) == [(3, 11)]
    assert gazetteer.find("TC 38 °C", entries, gazetteer.shapes) == []


def test_lines_take_the_label_of_most_of_their_characters() -> None:
    text = "1- Capsula.\n\n2- Biopsia epatica.\r\nDonna, 20 anni."
    train: list[Example] = [spans(text, ("Claim", "Capsula."), ("Claim", "Biopsia epatica."), ("Premise", "Donna"))]
    labelled = lines.labelled(train, ["Claim", "Premise"])
    assert [(line.text, line.label) for line in labelled] == [
        ("1- Capsula.", "Claim"),
        ("2- Biopsia epatica.", "Claim"),
        ("Donna, 20 anni.", None),
    ]
    trim = lines.learn_trim(train)
    assert trim == lines.Trim(list_mark=True, full_stop=False)
    assert [text[slice(*lines.component(line, trim))] for line in labelled] == [
        "Capsula.",
        "Biopsia epatica.",
        "Donna, 20 anni.",
    ]


def test_trim_learns_the_final_stop() -> None:
    train: list[Example] = [spans("Febbre alta. Tosse.", ("Claim", "Febbre alta. Tosse"))]
    (line,) = lines.split("3- Tosse.")
    assert lines.learn_trim(train) == lines.Trim(list_mark=False, full_stop=True)
    assert lines.component(line, lines.learn_trim(train)) == (0, 8)


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("Donna di 47 anni, fuma da 30 anni", "18-64 anni"),
        ("Marco, di anni 85,", "65 anni e oltre"),
        ("Uomo 51 aa con cirrosi", "18-64 anni"),
        ("M., 7 anni, e il fratello di 80 anni", "2-17 anni"),
        ("bambino di 18 mesi", "meno di 2 anni"),
        ("da 4 mesi tosse, fuma da 20 anni", ""),
        ("paracetamolo di 50 mg a un uomo di 70 anni", "65 anni e oltre"),
    ],
)
def test_age_band(text: str, band: str) -> None:
    assert knn_forms.age_band(text) == band


def test_form_items_are_read_near_their_name() -> None:
    def form(name: str, text: str, **items: str) -> FormExample:
        kinds = {"esame: Hb": ("text", []), "presenza di: febbre": ("categorical", ["sì", "no"])}
        keys = dict(zip(kinds, items.values(), strict=True))
        return FormExample(name, "", text, [Item(k, *kinds[k], value) for k, value in keys.items()])

    train = [form("t", "febbre, Hb 9,8 g/dl", hb="9,8 g/dl", febbre="sì")]
    asked = [
        form("a", "Hb pari a 12,1 g/dl, nega febbre", hb=UNKNOWN, febbre=UNKNOWN),
        form("b", "Febbre. Hb normale", hb=UNKNOWN, febbre=UNKNOWN),
        form("c", "tosse", hb=UNKNOWN, febbre=UNKNOWN),
    ]
    assert knn_forms.by_name(train, asked) == {
        "a": {"items": {"esame: Hb": "12,1 g/dl", "presenza di: febbre": "no"}},
        "b": {"items": {"presenza di: febbre": "sì"}},
        "c": {"items": {}},
    }


def test_values_of_a_similar_note_are_taken_only_where_they_are_offered() -> None:
    def note(name: str, *items: tuple[str, str]) -> FormExample:
        known = [Item(item, "categorical", ["y", "n"] if value == UNKNOWN else [value], value) for item, value in items]
        return FormExample(name, "", "tosse e febbre", known)

    train = [note("t", ("tosse", "y"), ("febbre", "alta"), ("ECG", "n"))]
    asked = [note("a", ("tosse", UNKNOWN), ("febbre", UNKNOWN))]
    assert knn_forms.by_note(train, asked) == {"a": {"items": {"tosse": "y"}}}


# In lm-eval


def evaluate(tasks: list[str], model_args: str) -> dict[str, float]:
    """task -> score, by lm-eval's own run of the registered model."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from ita_med.tasks.baselines import lm  # noqa: F401  (registers the model)

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    found = simple_evaluate(
        model="baseline",
        model_args=model_args,
        tasks=tasks,
        task_manager=TaskManager(include_path=str(lm_eval_files.FOLDER), include_defaults=False),
        bootstrap_iters=0,
        log_samples=False,
    )
    return {task: found["results"][task]["score,none"] for task in tasks}


def test_lm_eval_gives_the_same_scores() -> None:
    expected = {task: data_of(task).score(dict(answers_of("knn", task))).metrics["score"] for task in TASKS}
    assert evaluate(TASKS, "kind=knn") == pytest.approx(expected)


def test_lm_eval_passes_kind_and_seed() -> None:
    task = "ita_med_qa_med_ita"
    scores = [data_of(task).score(dict(predict("random", data_of(task), seed=n))).metrics["score"] for n in range(3)]
    assert len(set(scores)) == 3
    assert evaluate([task], "kind=random,seed=1")[task] == scores[1]


def test_lm_refuses_what_it_cannot_do() -> None:
    from ita_med.tasks.baselines.lm import Baseline

    with pytest.raises(ItaMedError, match="random, majority and knn"):
        Baseline.create_from_arg_string("kind=best")
    with pytest.raises(ItaMedError, match='takes kind and seed, not "sed"'):
        Baseline.create_from_arg_string("kind=knn,sed=3")
    model = Baseline.create_from_arg_string("", {"batch_size": 1, "device": None})
    with pytest.raises(NotImplementedError, match="generate_until"):
        model.loglikelihood([])
    with pytest.raises(NotImplementedError, match="generate_until"):
        model.loglikelihood_rolling([])
    with pytest.raises(ItaMedError, match="tasks of ita_med only"):
        model.answer({"question": "?"})
