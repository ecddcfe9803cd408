"""The example schemas: what is valid, what is refused, and the way through Arrow and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ita_med.build_report import count_words
from ita_med.errors import DataError
from ita_med.schema import (
    LETTERS,
    SCHEMAS,
    UNKNOWN_VALUES,
    ChoiceExample,
    Example,
    FormExample,
    Item,
    Relation,
    RelationExample,
    Span,
    SpanExample,
    TextExample,
    arrow_schema,
    check_span,
    features,
    from_row,
    to_row,
    to_table,
    validate,
)

# ----- valid examples of every schema ------------------------------------------------------------------------

LINES = st.text(min_size=1, max_size=40)
INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
META = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | INTEGERS | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


@st.composite
def spans(draw: st.DrawFn, text: str) -> list[Span]:
    """Mentions anywhere in the text: nested, equal and overlapping ones too."""
    found = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        found.append(Span(start, end, draw(LINES), text[start:end]))
    return found


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    form = []
    for name in draw(st.lists(LINES, max_size=4, unique=True)):
        options = draw(st.lists(LINES, max_size=4))
        if options:
            value = draw(st.sampled_from([*options, *sorted(UNKNOWN_VALUES)]))
            form.append(Item(name, "categorical", options, value))
        else:
            form.append(Item(name, "text", [], draw(st.text(max_size=10))))
    return form


@st.composite
def examples(draw: st.DrawFn, schema: str) -> Example:
    end: dict[str, Any] = {"split": draw(st.sampled_from(["train", "validation", "test"])), "meta": draw(META)}
    text = draw(LINES)
    match schema:
        case "spans":
            return SpanExample(draw(LINES), draw(st.text(max_size=5)), text, draw(spans(text)), **end)
        case "relations":
            mentions = draw(spans(text))
            places = st.integers(0, len(mentions) - 1)
            links = st.builds(Relation, places, places, st.text(max_size=8)) if mentions else st.nothing()
            relations = draw(st.lists(links, max_size=4)) if mentions else []
            return RelationExample(draw(LINES), draw(st.text(max_size=5)), text, mentions, relations, **end)
        case "form":
            return FormExample(draw(LINES), draw(st.text(max_size=5)), draw(st.text()), draw(items()), **end)
        case "choice":
            options = draw(st.lists(st.text(max_size=10), min_size=2, max_size=len(LETTERS)))
            answer = draw(st.integers(0, len(options) - 1))
            context, topic = draw(st.text(max_size=10)), draw(st.text(max_size=10))
            return ChoiceExample(draw(LINES), text, options, answer, context, topic, **end)
        case _:
            source, licence, url = draw(st.text()), draw(st.text()), draw(st.text())
            return TextExample(draw(LINES), text, source, licence, url, **end)


ANY = st.sampled_from(sorted(SCHEMAS)).flatmap(lambda schema: st.tuples(st.just(schema), examples(schema)))


@settings(deadline=None, database=None)
@given(ANY)
def test_row_round_trip(drawn: tuple[str, Example]) -> None:
    schema, example = drawn
    validate(example)
    assert from_row(to_row(example), schema) == example
    assert list(to_row(example)) == list(type(example).__slots__)


@settings(deadline=None, database=None)
@given(st.sampled_from(sorted(SCHEMAS)).flatmap(lambda s: st.tuples(st.just(s), st.lists(examples(s), max_size=4))))
def test_arrow_round_trip(drawn: tuple[str, list[Example]]) -> None:
    schema, group = drawn
    table = to_table(group, schema)
    assert table.schema.equals(arrow_schema(schema))
    assert [from_row(row, schema) for row in table.to_pylist()] == group


@settings(deadline=None, database=None)
@given(ANY, st.text(max_size=5))
def test_extra_columns_are_ignored(drawn: tuple[str, Example], value: str) -> None:
    schema, example = drawn
    assert from_row(to_row(example) | {"colour": value}, schema) == example


@pytest.mark.parametrize("schema", sorted(SCHEMAS))
def test_features_are_the_arrow_schema(schema: str) -> None:
    assert features(schema).arrow_schema.remove_metadata().equals(arrow_schema(schema))


@pytest.mark.parametrize("schema", sorted(SCHEMAS))
def test_columns_are_the_fields_of_the_record(schema: str) -> None:
    assert set(arrow_schema(schema).names) == set(SCHEMAS[schema].__slots__)


def test_meta_has_one_spelling() -> None:
    one = SpanExample("a", "", "febbre", [], meta={"b": 1, "a": 2})
    two = SpanExample("a", "", "febbre", [], meta={"a": 2, "b": 1})
    assert to_row(one)["meta"] == to_row(two)["meta"] == '{"a":2,"b":1}'


# ----- what is refused -----------------------------------------------------------------------------------------

TEXT = "Febbre da tre giorni"
FEVER, TIME = Span(0, 6, "CLINENTITY", "Febbre"), Span(10, 20, "TIMEX3", "tre giorni")
MENTIONS = SpanExample("n1", "d1", TEXT, [FEVER, TIME])
LINKED = RelationExample("n1", "d1", TEXT, [FEVER, TIME], [Relation(0, 1, "OVERLAP")])
FORM = FormExample("n1", "d1", TEXT, [Item("febbre", "categorical", ["sì", "no"], "sì"), Item("Hb", "text", [], "12")])
QUESTION = ChoiceExample("n1", "Quale?", ["uno", "due"], 1)
CORPUS = TextExample("n1", TEXT, "AIFA", "CC BY")


@pytest.mark.parametrize("example", [MENTIONS, LINKED, FORM, QUESTION, CORPUS])
def test_good_examples_pass(example: Example) -> None:
    validate(example)


@pytest.mark.parametrize("value", sorted(UNKNOWN_VALUES))
def test_an_item_may_be_unknown_without_such_an_option(value: str) -> None:
    validate(replace(FORM, items=[Item("febbre", "categorical", ["sì", "no"], value)]))


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (replace(MENTIONS, id=""), "empty id"),
        (replace(MENTIONS, spans=[replace(FEVER, label="")]), "no label"),
        (replace(MENTIONS, spans=[replace(FEVER, text="febbre")]), 'reads "Febbre", expected "febbre"'),
        (replace(MENTIONS, spans=[replace(FEVER, start=1)]), 'reads "ebbre"'),
        (replace(MENTIONS, spans=[replace(TIME, end=21)]), "outside the text of 20 characters"),
        (replace(MENTIONS, spans=[replace(FEVER, start=-20, text="Febbre")]), "outside"),
        (replace(MENTIONS, spans=[Span(3, 3, "X", "")]), "outside"),
        (replace(MENTIONS, spans=[Span(6, 0, "X", "")]), "outside"),
        (replace(LINKED, spans=[replace(FEVER, text="x")], relations=[]), "expected"),
        (replace(LINKED, relations=[Relation(0, 2, "OVERLAP")]), "OVERLAP"),
        (replace(LINKED, relations=[Relation(-1, 0, "OVERLAP")]), "OVERLAP"),
        (replace(FORM, items=[FORM.items[0], FORM.items[0]]), '"febbre" appears twice'),
        (replace(FORM, items=[Item("febbre", "boolean", [], "sì")]), 'unknown kind "boolean"'),
        (replace(FORM, items=[Item("febbre", "categorical", ["sì", "no"], "forse")]), '"forse", expected one of'),
        (replace(QUESTION, options=["uno"], answer=0), "1 options"),
        (replace(QUESTION, options=["x"] * (len(LETTERS) + 1)), "11 options"),
        (replace(QUESTION, answer=2), "answer 2 is not an option"),
        (replace(QUESTION, answer=-1), "answer -1 is not an option"),
        (replace(CORPUS, text=""), "empty text"),
    ],
)
def test_bad_examples_are_refused_by_name(example: Example, message: str) -> None:
    with pytest.raises(DataError, match="^" + (example.id or r"\(no id\)") + ": ") as error:
        validate(example)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_error_is_one_line_even_if_the_text_is_not() -> None:
    broken = SpanExample("n1", "", "prima\r\nseconda", [Span(0, 14, "X", "prima\nseconda")])
    with pytest.raises(DataError) as error:
        validate(broken)
    assert len(str(error.value).splitlines()) == 1


def test_characters_outside_the_basic_plane_count_once() -> None:
    text = "🩺 tosse"
    assert check_span(Span(2, 7, "X", "tosse"), text) is None
    assert check_span(Span(3, 8, "X", "tosse"), text) is not None


@given(st.text(alphabet=st.sampled_from("ab \t\r\n\x1c\x85\xa0\u2003\u3000é\U0001f9ea"), max_size=30))
def test_words_are_counted_as_split_does(text: str) -> None:
    words, letters = count_words(text)
    assert words == len(text.split())
    assert letters == len("".join(text.split()).encode("utf-16-le")) // 2
