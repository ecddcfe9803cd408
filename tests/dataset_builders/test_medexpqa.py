"""MedExpQA: questions, gold and explanations against a plain reading of the sample, and what bad files get."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build
from ita_med.schema import ChoiceExample

FOLDER = "MedExpQA/data/it"
NAMES = {"train": "train", "validation": "dev", "test": "test"}
SAMPLE = build.folder("medexpqa") / "sample"
TEST = f"{FOLDER}/test.it.casimedicos.rag.jsonl"

Record = dict[str, Any]


def upstream(split: str, root: Path = SAMPLE) -> list[Record]:
    text = (root / FOLDER / f"{NAMES[split]}.it.casimedicos.rag.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def read() -> tuple[dict[str, list[ChoiceExample]], BuildReport]:
    report = BuildReport()
    files = build.open_files("medexpqa", "embedded")
    found: Any = {split: group for _, split, group in build.examples("medexpqa", files=files, report=report)}
    return found, report


@pytest.mark.parametrize("split", NAMES)
def test_question_options_and_gold_are_upstreams(split: str) -> None:
    rows = [row for row in upstream(split) if row["correct_option"] is not None]
    for example, row in zip(read()[0][split], rows, strict=True):
        assert (example.id, example.question, example.topic) == (str(row["id"]), row["full_question"], row["type"])
        assert example.options == [text for text in row["options"].values() if isinstance(text, str)]
        assert example.options[example.answer] == row["options"][str(row["correct_option"])]
        assert example.meta["explanations"] == row["explanations"]
        for key in ("id", "year", "question_id_specific", "full_answer", "full_answer_no_ref"):
            assert example.meta[key] == row[key]
        assert "rag" not in example.meta


def test_a_null_or_nan_fifth_option_is_no_option() -> None:
    found, report = read()
    lengths = {len(example.options) for group in found.values() for example in group}
    assert lengths == {4, 5}
    raw = "".join((SAMPLE / FOLDER / f"{name}.it.casimedicos.rag.jsonl").read_text("utf-8") for name in NAMES.values())
    assert raw.count('"5": NaN') == report.warnings["option_5_is_nan"] == 1
    assert raw.count('"5": null') > 0


def test_every_gold_position_occurs() -> None:
    assert {example.answer for example in read()[0]["test"]} == {0, 1, 2, 3, 4}


def test_a_question_without_gold_is_dropped_and_counted() -> None:
    found, report = read()
    hidden = [row["id"] for row in upstream("train") if row["correct_option"] is None]
    assert report.split("questions", "train").dropped == {"no_gold": len(hidden)} == {"no_gold": 1}
    assert str(hidden[0]) not in {example.id for example in found["train"]}
    assert not report.split("questions", "test").dropped


def test_a_repeated_question_is_kept_and_counted() -> None:
    found, report = read()
    texts = [example.question for group in found.values() for example in group]
    assert len(texts) - len(set(texts)) == report.warnings["repeated_question"] == 1


def test_ranges_that_do_not_read_as_their_text_are_counted() -> None:
    found, report = read()
    odd = [
        explanation
        for group in found.values()
        for example in group
        for explanation in example.meta["explanations"].values()
        if " ".join(example.meta["full_answer"][s:e] for s, e in explanation["char_ranges"]) != explanation["text"]
    ]
    assert len(odd) == report.warnings["explanation_ranges_differ_from_text"] == 1


def change(number: int, edit: Callable[[Record], object], path: str = TEST) -> Callable[[Path], None]:
    """Edit the record of one line."""

    def damage(root: Path) -> None:
        lines = (root / path).read_text("utf-8").splitlines()
        record = json.loads(lines[number - 1])
        edit(record)
        lines[number - 1] = json.dumps(record)
        (root / path).write_text("\n".join(lines), "utf-8")

    return damage


def put(**values: Any) -> Callable[[Record], object]:
    return lambda record: record.update(values)


def half(root: Path) -> None:
    content = (root / TEST).read_bytes()
    (root / TEST).write_bytes(content[: len(content) // 2])


LINE_3 = [TEST, "line 3"]
BAD: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "truncated file": (half, [TEST, "line", "not JSON"]),
    "empty file": (lambda root: (root / TEST).write_bytes(b""), ["questions/test", TEST]),
    "unknown key": (change(3, put(notes="x")), [*LINE_3, '"notes"', "correct_option"]),
    "missing key": (change(3, lambda r: r.pop("rag")), [*LINE_3, '"rag" is missing']),
    "gold 0": (change(3, put(correct_option=0)), [*LINE_3, "correct_option is 0", "1 to 5"]),
    "gold 6": (change(3, put(correct_option=6)), [*LINE_3, "correct_option is 6"]),
    "gold is true": (change(3, put(correct_option=True)), [*LINE_3, "True"]),
    "gold is a letter": (change(3, put(correct_option="B")), [*LINE_3, "'B'"]),
    "gold is the null option": (
        change(3, lambda r: r.update(correct_option=5, options=r["options"] | {"5": None})),
        [*LINE_3, "correct_option is 5", "1 to 4"],
    ),
    "third option is null": (change(3, lambda r: r["options"].update({"3": None})), [*LINE_3, '"3" is null']),
    "third option is NaN": (change(3, lambda r: r["options"].update({"3": float("nan")})), [*LINE_3, "NaN"]),
    "options lettered": (change(3, put(options={"A": "sì", "B": "no"})), [*LINE_3, "['A', 'B']", "'5'"]),
    "options a list": (change(3, put(options=["sì", "no"])), [*LINE_3, "list", "'5'"]),
    "another language": (change(3, put(lang="es")), [*LINE_3, '"es"', '"it"']),
    "id twice": (change(3, put(id=9014)), ["questions/test", "id 9014 appears twice"]),
    "id is null": (change(3, put(id=None)), [*LINE_3, '"id" is None']),
    "id too large": (change(3, put(year=10**30)), [*LINE_3, '"year"', "1000"]),
    "question is no text": (change(3, put(full_question=7)), [*LINE_3, '"full_question" is 7']),
    "question is empty": (change(3, put(full_question=" ")), [*LINE_3, "empty"]),
    "half a character": (change(3, put(type="\ud83d")), [*LINE_3, '"type"']),
    "explanation without text": (
        change(3, lambda r: r["explanations"]["1"].pop("text")),
        [*LINE_3, "explanation 1", "['char_ranges']", "'text'"],
    ),
    "ranges are no pairs": (
        change(3, lambda r: r["explanations"]["2"].update(char_ranges=[[1]])),
        [*LINE_3, "explanation 2", "[[1]]", "[start, end]"],
    ),
    "range runs backwards": (
        change(3, lambda r: r["explanations"]["2"].update(char_ranges=[[9, 3]])),
        [*LINE_3, "explanation 2", "[[9, 3]]"],
    ),
    "six explanations": (
        change(3, lambda r: r["explanations"].update({"6": {"text": "", "char_ranges": []}})),
        [*LINE_3, "explanations", "'6'"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "named"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any, damage: Callable[[Path], None], named: list[str]
) -> None:
    monkeypatch.setenv("ITA_MED_UNPINNED", "1")
    shutil.copytree(SAMPLE, tmp_path / "mirror" / "medexpqa")
    damage(tmp_path / "mirror" / "medexpqa")
    ran = command("data", "build", "medexpqa", "--mirror", tmp_path / "mirror", "--out", tmp_path / "out")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1), ran.err
    assert ran.err.startswith("ita-med: medexpqa: ")
    assert [word for word in named if word not in ran.err] == [], ran.err
    assert not (tmp_path / "out").exists()


def test_a_missing_split_names_its_file_and_where_to_get_it(tmp_path: Path, command: Any) -> None:
    shutil.copytree(SAMPLE, tmp_path / "mirror" / "medexpqa")
    (tmp_path / "mirror" / "medexpqa" / TEST).unlink()
    ran = command("data", "build", "medexpqa", "--mirror", tmp_path / "mirror", "--out", tmp_path / "out")
    assert ran.code == 1
    assert TEST in ran.err
    assert "https://huggingface.co/datasets/HiTZ/MedExpQA" in ran.err
