"""IMB-MCQA: both layouts and spellings, the fixed split, the gold as a text, and what bad files get."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build
from ita_med.dataset_builders.datasets import imb_mcqa
from ita_med.errors import DataError
from ita_med.schema import ChoiceExample

PATH = "IMB/IMB-MCQA.json"
SAMPLE = build.folder("imb_mcqa") / "sample"

Splits = dict[str, list[ChoiceExample]]


def upstream() -> dict[str, list[dict[str, Any]]]:
    return json.loads((SAMPLE / PATH).read_text("utf-8"))


def rows() -> list[tuple[str, dict[str, Any]]]:
    """(category, question with the keys as on the Hub's card) of the sample, in file order."""
    names = {f"Answer{letter}": f"Answer {letter}" for letter in "ABCDE"}
    flat = [(category, record) for category, records in upstream().items() for record in records]
    return [(category, {names.get(key, key): value for key, value in record.items()}) for category, record in flat]


def read(mirror: str | Path = "embedded") -> tuple[Splits, BuildReport]:
    report = BuildReport()
    files = build.open_files("imb_mcqa", str(mirror))
    found: Any = {split: group for _, split, group in build.examples("imb_mcqa", files=files, report=report)}
    return found, report


def mirror_with(tmp_path: Path, content: Any, path: str = PATH) -> Path:
    file = tmp_path / "mirror" / "imb_mcqa" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return tmp_path / "mirror"


def test_question_options_and_gold_are_upstreams() -> None:
    found, _ = read()
    by_id = {example.id: example for group in found.values() for example in group}
    asked = {f"{n:05}": row for n, row in enumerate(rows(), 1) if row[1]["Correct Answer"]}
    assert set(by_id) == set(asked)
    for number, (category, row) in asked.items():
        example = by_id[number]
        options = [(row.get(f"Answer {letter}") or "").strip() for letter in "ABCDE"]
        assert example.options == [text for text in options if text]
        assert example.options[example.answer] == row["Correct Answer"].strip()
        assert (example.question, example.topic) == (row["Question"].strip(), category)
        assert example.meta == {"id": row["ID"], "percentage_correct": row["Percentage Correct"]}
    assert {len(example.options) for example in by_id.values()} == {4, 5}
    assert len({example.answer for example in by_id.values()}) == 5


def test_the_sample_holds_both_spellings_and_stray_white_space() -> None:
    records = [record for group in upstream().values() for record in group]
    assert {"AnswerA", "Answer A"} <= {key for record in records for key in record}
    padded = sum(any(v != v.strip() for k, v in r.items() if k.startswith("Answer")) for r in records)
    assert read()[1].warnings["white_space_around_an_option"] == padded > 0


def split_by_hand(question: str) -> str:
    bucket = int(hashlib.sha256(" ".join(question.lower().split()).encode()).hexdigest(), 16) % 100
    return ["test", "validation", *["train"] * 8][bucket // 10]


def test_the_split_is_a_hash_of_the_question() -> None:
    for split, group in read()[0].items():
        assert {split_by_hand(example.question) for example in group} == {split}
    questions = [f"Quesito numero {n}: quale nervo?" for n in range(2000)]
    assert [imb_mcqa.split_of(text) for text in questions] == [split_by_hand(text) for text in questions]


def test_the_split_takes_about_a_tenth_each_and_ignores_white_space_and_capitals() -> None:
    found = [imb_mcqa.split_of(f"Quesito numero {n}: quale nervo?") for n in range(5000)]
    assert abs(found.count("test") / 5000 - 0.1) < 0.02
    assert abs(found.count("validation") / 5000 - 0.1) < 0.02
    for n in range(50):
        same = imb_mcqa.split_of(f"  QUESITO  numero {n}:\nquale nervo? ")
        assert same == imb_mcqa.split_of(f"Quesito numero {n}: quale nervo?")


def test_repetitions_are_kept_counted_and_in_one_split() -> None:
    found, report = read()
    questions = [(example.question, split) for split, group in found.items() for example in group]
    repeated = {pair for pair in questions if questions.count(pair) > 1}
    assert len(repeated) == report.warnings["repeated_question"] == 1
    assert len({question for question, _ in questions}) == len(set(questions))


def test_a_question_without_gold_is_dropped_and_counted() -> None:
    _, report = read()
    hidden = [row for _, row in rows() if not row["Correct Answer"]]
    assert sum(counts.dropped["no_gold"] for counts in report.splits.values()) == len(hidden) == 1


def test_one_list_with_categories_reads_the_same(tmp_path: Path) -> None:
    flat = [record | {"Category": category} for category, record in rows()]
    assert read(mirror_with(tmp_path, flat))[0] == read()[0]


@pytest.mark.parametrize("path", ["IMB/IMD-MCQA.json", "IMB/IMD-MCQA_cleaned.json"])
def test_the_owners_own_file_names_are_read(tmp_path: Path, path: str) -> None:
    assert read(mirror_with(tmp_path, upstream(), path))[0] == read()[0]


def test_the_file_of_the_hub_comes_first(tmp_path: Path) -> None:
    mirror_with(tmp_path, {"Altro": []}, "IMB/IMD-MCQA.json")
    assert read(mirror_with(tmp_path, upstream()))[0] == read()[0]


QUESTION = {
    "Question": "Quale osso è un sesamoide?",
    **{f"Answer {letter}": text for letter, text in zip("ABCD", ("Rotula", "Ulna", "Omero", "Femore"), strict=True)},
    "Correct Answer": "Rotula",
}


def one(**changes: Any) -> dict[str, Any]:
    """A file of one good question and one that is changed."""
    odd = {key: value for key, value in (QUESTION | changes).items() if value != "REMOVE"}
    return {"Anatomia": [QUESTION, odd]}


SECOND = [PATH, "'Anatomia', record 2"]
BAD: dict[str, tuple[Any, list[str]]] = {
    "not JSON": (b'{"Anatomia": [', [PATH, "not JSON"]),
    "not UTF-8": (b'{"Anatomia \xe8": []}', [PATH, "not UTF-8"]),
    "NaN": (b'{"Anatomia": NaN}', [PATH, "NaN"]),
    "a category twice": (b'{"Anatomia": [], "Anatomia": []}', [PATH, "Anatomia", "twice"]),
    "a number": (7, [PATH, "int", "expected an object"]),
    "no questions": ({"Anatomia": []}, [PATH, "no questions"]),
    "category is no list": ({"Anatomia": QUESTION}, [PATH, "'Anatomia'", "dict", "list"]),
    "question is no object": ({"Anatomia": [QUESTION, "x"]}, [*SECOND, "str"]),
    "unknown key": (one(Note="x"), [*SECOND, "'Note'", "'CorrectAnswer'"]),
    "missing key": (one(**{"Answer D": "REMOVE"}), [*SECOND, "'Answer C'", "'AnswerD'"]),
    "one key in both spellings": (one(AnswerA="Rotula"), [*SECOND, "'Answer A', 'Answer B'", "'AnswerA'"]),
    "gold is a letter": (one(**{"Correct Answer": "A"}), [*SECOND, '"A"', "is 0 of", "'Rotula'"]),
    "gold matches twice": (one(**{"Answer B": " Rotula "}), [*SECOND, '"Rotula"', "is 2 of"]),
    "gold is a number": (one(**{"Correct Answer": 1}), [*SECOND, '"CorrectAnswer" is 1']),
    "option is null": (one(**{"Answer B": None}), [*SECOND, '"AnswerB" is null']),
    "option is empty": (one(**{"Answer B": " "}), [*SECOND, "option B is empty"]),
    "fifth option is a number": (one(**{"Answer E": 5}), [*SECOND, '"AnswerE" is 5']),
    "question is empty": (one(Question=" "), [*SECOND, '"Question" is empty']),
    "half a character": (one(Question="\ud83d"), [*SECOND, '"Question"']),
    "percentage is a list": (one(**{"Percentage Correct": [1]}), [*SECOND, '"PercentageCorrect" is [1]']),
    "id too large": (one(ID=10**40), [*SECOND, '"ID"']),
    "another category": (one(Category="Fisica"), [*SECOND, "'Fisica'", "'Anatomia'"]),
    "list without categories": ([QUESTION], [PATH, "record 1", "'Category'"]),
}


@pytest.mark.slow
@pytest.mark.parametrize(("content", "named"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_line(tmp_path: Path, command: Any, content: Any, named: list[str]) -> None:
    mirror = mirror_with(tmp_path, content)
    ran = command("data", "build", "imb_mcqa", "--mirror", mirror, "--out", tmp_path / "out")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1), ran.err
    assert ran.err.startswith("ita-med: imb_mcqa: ")
    assert [word for word in named if word not in ran.err] == [], ran.err
    assert not (tmp_path / "out").exists()


def test_the_same_file_unharmed_builds(tmp_path: Path) -> None:
    """Without this the refusals above would prove nothing."""
    found, report = read(mirror_with(tmp_path, one(**{"Answer E": " ", "Percentage Correct": 71.5, "ID": 3})))
    assert sum(map(len, found.values())) == 2
    assert report.warnings["repeated_question"] == 1


def test_a_split_without_gold_is_left_out_and_counted(tmp_path: Path) -> None:
    """The report names no split that was not written: plain `datasets` would look for its file."""
    there = imb_mcqa.split_of(str(QUESTION["Question"]))
    odd = next(text for n in range(99) if imb_mcqa.split_of(text := f"Quesito annullato {n}?") != there)
    found, report = read(mirror_with(tmp_path, one(**{"Question": odd, "Correct Answer": None})))
    assert set(found) == {split for _, split in report.splits} == {there}
    assert report.warnings[f"{imb_mcqa.split_of(odd)}_without_gold"] == 1


def test_a_missing_file_says_that_access_is_gated(tmp_path: Path, command: Any) -> None:
    shutil.copytree(SAMPLE, tmp_path / "mirror" / "imb_mcqa")
    (tmp_path / "mirror" / "imb_mcqa" / PATH).unlink()
    ran = command("data", "build", "imb_mcqa", "--mirror", tmp_path / "mirror", "--out", tmp_path / "out")
    assert ran.code == 1
    assert PATH in ran.err
    assert "ask for access" in ran.err


def test_a_bad_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^imb_mcqa: IMB/IMB-MCQA\.json, 'Anatomia', record 2: the right answer"):
        build.build("imb_mcqa", tmp_path / "out", str(mirror_with(tmp_path, one(**{"Correct Answer": "Tibia"}))))
