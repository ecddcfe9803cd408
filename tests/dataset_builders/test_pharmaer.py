"""PharmaER.IT on its sample: tokens found in the text, both sets of labels, silver apart from gold, and bad input."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ita_med.dataset_builders import build
from ita_med.errors import ItaMedError
from ita_med.schema import SpanExample

from .damage import expect_one_line

NAME = "pharmaer"
SAMPLE = build.folder(NAME) / "sample"
DATA = "PharmaER.IT/data"
SPLITS = ("train", "validation", "test", "silver")
ENGLISH = {
    "farmaco": "DRUG",
    "malattia": "DISEASE",
    "sintomo": "SYMPTOM",
    "parte anatomica": "ANATOMICAL_PART",
}


def file(split: str) -> str:
    return f"{DATA}/{split}-00000-of-00001.jsonl"


def rows(split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / file(split)).read_text("utf-8").splitlines()]


def examples(mirror: str = "embedded") -> dict[str, list[SpanExample]]:
    found = build.examples(NAME, ["entities"], files=build.open_files(NAME, mirror))
    return {split: [e for e in group if isinstance(e, SpanExample)] for _, split, group in found}


def tokens_of(row: dict[str, Any]) -> list[tuple[str, str]]:
    """(label, tokens of the mention without white space) from the tags alone."""
    found: list[list[str]] = []
    for token, tag in zip(row["tokens"], row["ner_tags"], strict=True):
        if tag.startswith("B-"):
            found.append([ENGLISH.get(tag[2:], tag[2:]), token])
        elif tag.startswith("I-"):
            found[-1][1] += token
    return [(label, text) for label, text in found]


@pytest.mark.parametrize("split", SPLITS)
def test_every_leaflet_and_mention_is_there(split: str) -> None:
    built = {e.id: e for e in examples()[split]}
    expected = {row["document_id"]: row for row in rows(split) if row["document_id"] != "argento-900"}
    assert {i: e.text for i, e in built.items()} == {i: row["text"] for i, row in expected.items()}
    for i, e in built.items():
        assert [(s.label, "".join(s.text.split())) for s in e.spans] == tokens_of(expected[i])
        assert all(e.text[s.start : s.end] == s.text for s in e.spans)


def test_offsets_of_one_leaflet() -> None:
    first = examples()["train"][0]
    assert first.text.startswith("1. Avvertenze\nInformi il medico se soffre di asma bronchiale o se ha prurito,dolore")
    assert [(s.start, s.end, s.label) for s in first.spans] == [
        (45, 60, "DISEASE"),
        (69, 76, "SYMPTOM"),
        (77, 94, "SYMPTOM"),
        (106, 113, "ANATOMICAL_PART"),
    ]


def test_a_repeated_word_is_found_at_its_own_place() -> None:
    leaflet = next(e for e in examples()["train"] if e.text.startswith("3. "))
    drug = [s for s in leaflet.spans if s.label == "DRUG"]
    assert drug[0].text == drug[1].text
    assert drug[0].start < drug[1].start


def test_labels_of_version_02_become_those_of_03(tmp_path: Path) -> None:
    built = build.build(NAME, tmp_path, "embedded")
    old = sum(tag.startswith("B-") and tag[2:] in ENGLISH for row in rows("silver") for tag in row["ner_tags"])
    assert built.report.warnings == {"synthetic_sample": 1, "label_name_of_version_0.2": old}
    assert {s.label for group in examples().values() for e in group for s in e.spans} == set(ENGLISH.values())


def test_a_silver_leaflet_that_is_also_gold_is_dropped(tmp_path: Path) -> None:
    built = build.build(NAME, tmp_path, "embedded")
    assert built.report.splits["entities", "silver"].dropped == {"leaflet_in_gold": 1}
    assert "argento-900" not in {e.id for e in examples()["silver"]}


def test_a_leaflet_without_mentions_is_kept() -> None:
    assert [e.id for e in examples()["train"] if not e.spans] == ["foglio-007"]


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "mirror" / NAME)
    return tmp_path / "mirror"


def test_parquet_gives_the_same(mirror: Path) -> None:
    for split in SPLITS:
        path = mirror / NAME / file(split)
        pq.write_table(pa.Table.from_pylist(rows(split)), path.with_suffix(".parquet"))
        path.unlink()
    assert examples(str(mirror)) == examples()


def test_without_silver_the_gold_is_built(mirror: Path, tmp_path: Path) -> None:
    (mirror / NAME / file("silver")).unlink()
    built = build.build(NAME, tmp_path / "out", str(mirror))
    assert built.report.warnings == {"silver_missing": 1}
    assert Counter(split for _, split in built.report.splits) == {"train": 2, "validation": 2, "test": 2}


def test_without_gold_the_page_to_ask_at_is_named(mirror: Path, tmp_path: Path) -> None:
    (mirror / NAME / file("test")).unlink()
    with pytest.raises(ItaMedError, match=r"PharmaER.IT/test\* is not in .*; upstream: .*ask for access"):
        build.build(NAME, tmp_path / "out", str(mirror))


Damage = Callable[[Path], object]


def row(split: str, number: int, **values: Any) -> Damage:
    """Change values of one row; a function gets the old value, None removes the column."""

    def damage(root: Path) -> None:
        found = rows(split)
        for name, value in values.items():
            old = found[number - 1].pop(name, None)
            if value is not None:
                found[number - 1][name] = value(old) if callable(value) else value
        lines = (json.dumps(r, ensure_ascii=False) + "\n" for r in found)
        (root / file(split)).write_text("".join(lines), "utf-8")

    return damage


def put(place: int, value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda old: [*old[:place], value, *old[place + 1 :]]


BAD: dict[str, tuple[Damage, list[str]]] = {
    "unknown column": (row("train", 2, colour="x"), ["train-00000-of-00001.jsonl, line 2", '"colour"', "ner_tags"]),
    "missing column": (row("train", 2, ner_tags=None), ["train-00000-of-00001.jsonl, line 2", '"ner_tags" is missing']),
    "token that is not in the text": (row("test", 1, tokens=put(2, "zzz")), ["foglio-040", 'token 2 is "zzz"']),
    "token left out": (
        row("test", 1, tokens=lambda t: t[1:], ner_tags=lambda t: t[1:]),
        ["foglio-040", "token 0"],
    ),
    "last token left out": (
        row("test", 1, tokens=lambda t: t[:-1], ner_tags=lambda t: t[:-1]),
        ["foglio-040", "the tokens end before the text"],
    ),
    "empty token": (row("test", 1, tokens=put(2, "")), ["foglio-040", "token 2"]),
    "tag too few": (row("test", 1, ner_tags=lambda t: t[:-1]), ["line 1, foglio-040", "tokens but"]),
    "unknown label": (row("test", 1, ner_tags=put(0, "B-DOSE")), ["foglio-040", "B-DOSE", "ANATOMICAL_PART"]),
    "tag of another scheme": (row("test", 1, ner_tags=put(0, "S-DRUG")), ["foglio-040", "S-DRUG"]),
    "I- without B-": (row("test", 1, ner_tags=put(0, "I-DRUG")), ["foglio-040", '"I-DRUG" at token "40"']),
    "tags as numbers": (
        row("test", 1, ner_tags=lambda t: [0] * len(t)),
        ["foglio-040", "ner_tags[0]", "expected a text"],
    ),
    "tokens as one text": (row("test", 1, tokens="a b c"), ["foglio-040", '"tokens"', "expected a list"]),
    "id that is a number": (row("validation", 1, document_id=7), ["validation-00000", "line 1", "document_id"]),
    "test leaflet that is also in train": (
        row("test", 1, **{k: (lambda _, v=v: v) for k, v in rows("train")[0].items() if k != "document_id"}),
        ["foglio-040", "train"],
    ),
    "half a file": (
        lambda root: (root / file("silver")).write_bytes((SAMPLE / file("silver")).read_bytes()[:300]),
        ["silver-00000-of-00001.jsonl, line 1"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(mirror: Path, tmp_path: Path, case: str) -> None:
    damage, words = BAD[case]
    damage(mirror / NAME)
    expect_one_line(NAME, mirror, tmp_path / "out", words)
