"""Nine sets of multiple-choice questions: what the examples say, against a plain reading of the samples; bad input."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build
from ita_med.schema import ChoiceExample

Row = dict[str, Any]
Damage = Callable[[Path], object]
Command = Callable[..., Any]

ITAMED = "Dataset/IT/json/ITAMed_2018.json"
ITAMED_FOLDER = "Dataset/IT/json"
MEDICINA = "data/questions/medical_school_questions.jsonl"
GLOBAL = "Global-MMLU-Lite/it/{}-00000-of-00001.jsonl"
PROX = "MMLU-ProX/it/{}-00000-of-00001.jsonl"
INCLUDE = "include-base-44/Italian/{}-00000-of-00001.jsonl"
BIOMEDICAL = "biomedical-mmlu-ita/data/{}-00000-of-00001.jsonl"
ADMISSION = "admission_test/{}.jsonl"
EUROPE = "data/ssm_questions_text_only.json"
MMMED = "MMMED/MMMED_Italian.csv"


def sample(name: str) -> Path:
    return build.folder(name) / "sample"


def built(name: str, mirror: str = "embedded") -> tuple[dict[str, list[ChoiceExample]], BuildReport]:
    report = BuildReport()
    found = build.examples(name, files=build.open_files(name, mirror), report=report)
    groups: dict[str, list[Any]] = {split: group for _, split, group in found}
    return groups, report


def parsed(path: Path) -> list[Row]:
    text = path.read_text("utf-8")
    rows: list[Row] = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    return rows


def shown(example: ChoiceExample) -> tuple[str, list[str], str]:
    return example.question, example.options, example.options[example.answer]


def parity(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[-1] % 2


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Copy a dataset's sample into a mirror of its own; `tmp_path / "mirror"` is that mirror."""
    monkeypatch.setenv("ITA_MED_UNPINNED", "1")

    def fill(name: str) -> Path:
        return shutil.copytree(sample(name), tmp_path / "mirror" / name)

    return fill


# ----- plain sets: options in upstream's order ---------------------------------------------------------------


def letters_of(row: Row, question: str, keys: list[str], gold: str) -> tuple[str, list[str], str]:
    options = [row[key] for key in keys if row[key] not in (None, "", "N/A")]
    return row[question], options, row[keys["ABCDEFGHIJ".index(row[gold])]]


def global_row(row: Row) -> tuple[str, list[str], str]:
    return letters_of(row, "question", [f"option_{x}" for x in "abcd"], "answer")


def prox_row(row: Row) -> tuple[str, list[str], str]:
    return letters_of(row, "question", [f"option_{n}" for n in range(10)], "answer")


def biomedical_row(row: Row) -> tuple[str, list[str], str]:
    return letters_of(row, "instruction", [f"option_{x}" for x in "abcd"], "answer")


def admission_row(row: Row) -> tuple[str, list[str], str]:
    return letters_of(row, "Question", list("ABCDE"), "Correct")


def include_row(row: Row) -> tuple[str, list[str], str]:
    return row["question"], row["choices"], row["choices"][row["answer"]]


def medicina_row(row: Row) -> tuple[str, list[str], str]:
    return row["text"], row["answers"], row["answers"][row["label"]]


def medical(row: Row) -> bool:
    return row["subject_category"] == "Medical" and row["answer"] is not None


def answered(row: Row) -> bool:
    return bool(row["answer"])


def health(row: Row) -> bool:
    return row["category"] == "health"


def health_domain(row: Row) -> bool:
    return row["domain"].lower().replace("-", " ") == "health oriented education" and row["answer"] is not None


@pytest.mark.parametrize(
    ("name", "split", "path", "kept", "expected"),
    [
        ("test_medicina", "test", MEDICINA, lambda row: True, medicina_row),
        ("global_mmlu", "validation", GLOBAL.format("dev"), medical, global_row),
        ("global_mmlu", "test", GLOBAL.format("test"), medical, global_row),
        ("mmlu_prox", "validation", PROX.format("validation"), health, prox_row),
        ("mmlu_prox", "test", PROX.format("test"), health, prox_row),
        ("include", "validation", INCLUDE.format("validation"), health_domain, include_row),
        ("include", "test", INCLUDE.format("test"), health_domain, include_row),
        ("biomedical_mmlu_ita", "train", BIOMEDICAL.format("train"), answered, biomedical_row),
        (
            "biomedical_mmlu_ita",
            "validation",
            BIOMEDICAL.format("val"),
            answered,
            biomedical_row,
        ),
        ("biomedical_mmlu_ita", "test", BIOMEDICAL.format("test"), answered, biomedical_row),
        ("admission_test", "validation", ADMISSION.format("dev"), lambda row: bool(row["Correct"]), admission_row),
        ("admission_test", "test", ADMISSION.format("test"), lambda row: bool(row["Correct"]), admission_row),
    ],
)
def test_plain_sets_keep_question_options_and_gold(
    name: str, split: str, path: str, kept: Callable[[Row], bool], expected: Callable[[Row], Any]
) -> None:
    rows = parsed(sample(name) / path)
    groups, report = built(name)
    assert [shown(example) for example in groups[split]] == [expected(row) for row in rows if kept(row)]
    dropped = sum(report.split(name, split).dropped.values())
    assert len(groups[split]) + dropped == len(rows)


@pytest.mark.parametrize(
    ("name", "split", "dropped"),
    [
        ("itamed", "test", {"no_gold": 1, "options_only_in_image": 1}),
        ("global_mmlu", "test", {"no_gold": 1, "not_medical": 2}),
        ("mmlu_prox", "test", {"not_health": 1}),
        ("include", "test", {"no_gold": 1, "not_health": 1}),
        ("biomedical_mmlu_ita", "test", {"no_gold": 1}),
        ("admission_test", "test", {"no_gold": 1}),
        ("europemedqa", "test", {"no_gold": 1}),
    ],
)
def test_what_is_left_out_is_named(name: str, split: str, dropped: dict[str, int]) -> None:
    assert dict(built(name)[1].split(name, split).dropped) == dropped


@pytest.mark.parametrize(
    "name",
    [
        "itamed", "test_medicina", "global_mmlu", "mmlu_prox", "include", "biomedical_mmlu_ita", "admission_test",
        "europemedqa", "mmmed",
    ],
)  # fmt: skip
def test_a_repeated_question_is_kept_and_counted(name: str) -> None:
    groups, report = built(name)
    examples = [example for group in groups.values() for example in group]
    contents = {(e.context, e.question.strip(), e.meta.get("image_url"), *sorted(e.options)) for e in examples}
    assert len(contents) == len(examples) - 1
    assert report.warnings["repeated_question"] == 1


def test_mmlu_prox_leaves_out_unused_options_and_keeps_the_reasoning() -> None:
    groups, _ = built("mmlu_prox")
    assert [len(example.options) for example in groups["test"]] == [10] * 8 + [6] * 5 + [10]
    assert all("La risposta è" in example.meta["cot_content"] for example in groups["validation"])
    assert not any("cot_content" in example.meta for example in groups["test"])


def test_mmlu_prox_without_the_source_id(mirror: Callable[[str], Path], tmp_path: Path) -> None:
    root = mirror("mmlu_prox")
    for split in ("validation", "test"):
        rows = parsed(root / PROX.format(split))
        for row in rows:
            del row["question_id_src"]
        write(root / PROX.format(split), rows)
    groups, _ = built("mmlu_prox", str(tmp_path / "mirror"))
    assert [shown(e) for e in groups["test"]] == [shown(e) for e in built("mmlu_prox")[0]["test"]]


def test_global_mmlu_keeps_the_annotations_of_culture() -> None:
    rows = [row for row in parsed(sample("global_mmlu") / GLOBAL.format("test")) if medical(row)]
    for example, row in zip(built("global_mmlu")[0]["test"], rows, strict=True):
        assert example.id == row["sample_id"]
        assert {key: row[key] for key in example.meta} == example.meta
        assert {"cultural_sensitivity_label", "region", "is_annotated"} < set(example.meta)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("global_mmlu", GLOBAL.format("test")),
        ("mmlu_prox", PROX.format("test")),
        ("include", INCLUDE.format("test")),
        ("biomedical_mmlu_ita", BIOMEDICAL.format("test")),
        ("admission_test", ADMISSION.format("test")),
    ],
)
def test_parquet_gives_the_same_examples(mirror: Callable[[str], Path], tmp_path: Path, name: str, path: str) -> None:
    file = mirror(name) / path
    pq.write_table(pa.Table.from_pylist(parsed(file)), file.with_suffix(".parquet"))
    file.unlink()
    assert built(name, str(tmp_path / "mirror"))[0]["test"] == built(name)[0]["test"]


def test_include_without_a_validation_split(mirror: Callable[[str], Path], tmp_path: Path) -> None:
    (mirror("include") / INCLUDE.format("validation")).unlink()
    assert set(built("include", str(tmp_path / "mirror"))[0]) == {"test"}


def test_admission_test_in_a_data_folder(mirror: Callable[[str], Path], tmp_path: Path) -> None:
    root = mirror("admission_test") / "admission_test"
    (root / "data").mkdir()
    for split in ("dev", "test"):
        (root / f"{split}.jsonl").rename(root / "data" / f"{split}-00000-of-00001.jsonl")
    assert built("admission_test", str(tmp_path / "mirror"))[0] == built("admission_test")[0]


# ----- sets whose options are shuffled -----------------------------------------------------------------------


def itamed_rows() -> dict[str, Row]:
    files = sorted((sample("itamed") / ITAMED_FOLDER).iterdir())
    return {f"ssm-{row['year']}-{row['question_number']:03}": row for path in files for row in parsed(path)}


def by_hash(year: int, number: int, letters: str) -> str:
    """Upstream's letters in the order of their sha256."""
    return "".join(sorted(letters, key=lambda letter: hashlib.sha256(f"{year}-{number}-{letter}".encode()).hexdigest()))


def test_itamed_shuffles_by_hash_and_keeps_the_gold() -> None:
    rows = itamed_rows()
    groups, report = built("itamed")
    examples = [example for group in groups.values() for example in group]
    for example in examples:
        row = rows.pop(example.id)
        letters = "".join(letter for letter in "ABCDE" if row[f"answer_{letter.lower()}"])
        assert example.meta["order"] == by_hash(row["year"], row["question_number"], letters)
        assert example.options == [row[f"answer_{letter.lower()}"] for letter in example.meta["order"]]
        assert example.options[example.answer] == row["answer_a"]
        assert (example.question, example.topic) == (row["question"], row["category"])
    assert {row["question_number"] for row in rows.values()} == {4, 5}
    assert len({example.answer for example in examples}) >= 4
    assert report.warnings["fewer_than_five_options"] == 1


def test_itamed_splits_whole_exams() -> None:
    groups, _ = built("itamed")
    years = {split: {int(e.id.split("-")[1]) for e in group} for split, group in groups.items()}
    assert years == {"train": {2021, 2023}, "test": {2018, 2020}}
    assert all(parity(f"ssm-{year}") == (split == "train") for split in years for year in years[split])


def test_itamed_marks_questions_with_an_image() -> None:
    rows = itamed_rows()
    for group in built("itamed")[0].values():
        for example in group:
            for key in ("has_image", "image_category", "image_path", "question_code"):
                assert example.meta[key] == rows[example.id][key]
    assert sum(row["has_image"] for row in rows.values()) == 5


def test_itamed_does_not_read_the_joined_files(mirror: Callable[[str], Path], tmp_path: Path) -> None:
    root = mirror("itamed")
    for name in ("ITAMed_complete.json", "ITAMed_complete_shuffled.json"):
        (root / ITAMED_FOLDER / name).write_text("[{}]")
    assert built("itamed", str(tmp_path / "mirror"))[0] == built("itamed")[0]


def test_itamed_in_the_folder_of_a_hub_repository(mirror: Callable[[str], Path], tmp_path: Path) -> None:
    root = mirror("itamed")
    (root / "ITAMed").mkdir()
    (root / "Dataset").rename(root / "ITAMed" / "Dataset")
    assert built("itamed", str(tmp_path / "mirror"))[0] == built("itamed")[0]


def test_europemedqa_shuffles_and_takes_the_case_apart() -> None:
    rows = {row["id"]: row for row in parsed(sample("europemedqa") / EUROPE)}
    groups, report = built("europemedqa")
    for split, group in groups.items():
        for example in group:
            row = rows[example.id]
            texts = {option["letter"]: option["text"] for option in row["options"] if option["text"] is not None}
            year, number = row["metadata"]["test_year"], row["metadata"]["number_in_test"]
            assert example.meta["order"] == by_hash(year, number, "".join(texts))
            assert example.options == [texts[letter] for letter in example.meta["order"]]
            assert example.options[example.answer] == texts["A"]
            assert parity(f"ssm-{year}") == (split == "train")
            assert example.meta["nullified"] == row["metadata"]["nullified"]
            assert example.meta["has_image"] == row["has_image"]
            bracket = row["question"].startswith("[")
            assert bool(example.context) == bracket
            assert example.context in row["question"]
            assert row["question"].endswith(example.question)
            assert not bracket or "[" not in example.context + example.question
    cases = [example.context for example in groups["train"] if example.context]
    assert cases == ["Un uomo di 61 anni giunge in ambulatorio per un controllo."] * 2 + [
        "Una donna di 34 anni riferisce astenia da due mesi"
    ]
    assert report.warnings["nullified_question"] == report.warnings["fewer_than_five_options"] == 1


def test_mmmed_reads_quoted_cells_and_splits_by_image() -> None:
    with (sample("mmmed") / MMMED).open(encoding="utf-8", newline="") as file:
        rows = {f"mir-{number:04}": row for number, row in enumerate(csv.DictReader(file), 1)}
    groups, report = built("mmmed")
    images: dict[str, set[str]] = {}
    for split, group in groups.items():
        images[split] = {example.meta["image_url"] for example in group} - {""}
        for example in group:
            row = rows.pop(example.id)
            options = [row[f"Answer {letter}"] for letter in "ABCDE" if row[f"Answer {letter}"]]
            assert shown(example) == (row["Question"], options, row[f"Answer {row['Correct Answer']}"])
            assert example.meta == {"has_image": bool(row["Image URL"]), "image_url": row["Image URL"]}
            assert parity(row["Image URL"] or row["Question"]) == (split == "train")
    assert [row["Correct Answer"] for row in rows.values()] == [""]
    assert not images["train"] & images["test"]
    assert any("\n" in example.question for group in groups.values() for example in group)
    assert report.warnings["question_without_image"] == 1


# ----- bad input -----------------------------------------------------------------------------------------------


def write(path: Path, rows: list[Row]) -> None:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows), "utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def third(path: str, drop: str = "", **values: Any) -> Damage:
    """Change the third record: remove one key, set others."""

    def damage(root: Path) -> None:
        rows = parsed(root / path)
        rows[2].update(values)
        rows[2].pop(drop, None)
        write(root / path, rows)

    return damage


def swap(path: str, old: str, new: str) -> Damage:
    """Replace the first occurrence of some text, which must be there."""

    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        assert old.encode() in content
        (root / path).write_bytes(content.replace(old.encode(), new.encode(), 1))

    return damage


def cut(path: str) -> Damage:
    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: len(content) * 2 // 3])

    return damage


def not_utf8(path: str) -> Damage:
    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[:50] + b"\xe8" + content[50:])

    return damage


def remove(path: str) -> Damage:
    return lambda root: (root / path).unlink()


def no_parquet(path: str) -> Damage:
    def damage(root: Path) -> None:
        (root / path).rename((root / path).with_suffix(".parquet"))

    return damage


FIVE = ["a", "b", "c", "d", "e"]
CASES: dict[str, list[tuple[Damage, list[str]]]] = {
    "itamed": [
        (third(ITAMED, colour="red"), [ITAMED, "record 3", "colour"]),
        (third(ITAMED, drop="answer_c"), [ITAMED, "record 3", "answer_c"]),
        (third(ITAMED, correct_answer="F"), [ITAMED, "record 3", "'F'", "'E'"]),
        (third(ITAMED, correct_answer=["A"]), [ITAMED, "record 3", "correct_answer"]),
        (third(ITAMED, year=2019), [ITAMED, "record 3", "2019"]),
        (third(ITAMED, year="2018"), [ITAMED, "record 3", "year"]),
        (third(ITAMED, question_number=0), [ITAMED, "record 3", "question_number"]),
        (third(ITAMED, question_number=1), ["ssm-2018-001", "twice"]),
        (third(ITAMED, has_image="no"), [ITAMED, "record 3", "has_image"]),
        (third(ITAMED, question=None), [ITAMED, "record 3", "question"]),
        (third(ITAMED, question=" "), [ITAMED, "record 3", "question"]),
        (third(ITAMED, answer_a=""), [ITAMED, "record 3", "correct_answer"]),
        (cut(ITAMED), [ITAMED]),
        (not_utf8(ITAMED), [ITAMED, "UTF-8"]),
        (swap(ITAMED, "[", '{"a": ['), [ITAMED]),
    ],
    "test_medicina": [
        (third(MEDICINA, colour="red"), [MEDICINA, "line 3", "colour"]),
        (third(MEDICINA, drop="label"), [MEDICINA, "line 3", "label"]),
        (third(MEDICINA, label=5), [MEDICINA, "line 3", "5", "0 to 4"]),
        (third(MEDICINA, label="A"), [MEDICINA, "line 3", "label"]),
        (third(MEDICINA, label=True), [MEDICINA, "line 3", "label"]),
        (third(MEDICINA, answers=FIVE[:4]), [MEDICINA, "line 3", "4", "5"]),
        (third(MEDICINA, answers=[*FIVE[:4], 7]), [MEDICINA, "line 3", "answers"]),
        (third(MEDICINA, topic="storia"), [MEDICINA, "line 3", "storia", "biologia"]),
        (third(MEDICINA, id=1), ["test-00001", "twice"]),
        (third(MEDICINA, id="tre"), [MEDICINA, "line 3", "id"]),
        (third(MEDICINA, text=""), [MEDICINA, "line 3", "text"]),
        (remove(MEDICINA), [MEDICINA]),
    ],
    "global_mmlu": [
        (third(GLOBAL.format("test"), drop="subject_category"), ["test-00000", "line 3", "subject_category"]),
        (third(GLOBAL.format("test"), answer="E"), ["test-00000", "line 3", "'E'", "'D'"]),
        (third(GLOBAL.format("test"), option_b=None), ["test-00000", "line 3", "option_b"]),
        (third(GLOBAL.format("test"), option_b=""), ["test-00000", "line 3", "option_b"]),
        (third(GLOBAL.format("test"), sample_id="anatomy/test/0"), ["anatomy/test/0", "twice"]),
        (remove(GLOBAL.format("dev")), ["Global-MMLU-Lite/it/dev"]),
        (no_parquet(GLOBAL.format("test")), ["test-00000-of-00001.parquet", "Parquet"]),
        (swap(GLOBAL.format("test"), '"answer"', '"gold"'), ["test-00000", "line 1", "gold"]),
    ],
    "mmlu_prox": [
        (third(PROX.format("validation"), answer="K"), ["validation-00000", "line 3", "'K'", "'J'"]),
        (third(PROX.format("validation"), answer_index=11), ["validation-00000", "line 3", "11"]),
        (third(PROX.format("validation"), option_4=None), ["validation-00000", "line 3", "option_4"]),
        (third(PROX.format("validation"), option_4=""), ["validation-00000", "line 3", "gap"]),
        (third(PROX.format("validation"), question_id="x"), ["validation-00000", "line 3", "question_id"]),
        (third(PROX.format("validation"), cot_content=3), ["validation-00000", "line 3", "cot_content"]),
        (third(PROX.format("validation"), drop="category"), ["validation-00000", "line 3", "category"]),
        (third(PROX.format("validation"), colour="red"), ["validation-00000", "line 3", "colour"]),
        (cut(PROX.format("test")), ["test-00000", "line"]),
    ],
    "include": [
        (third(INCLUDE.format("test"), language="Spanish", domain="Health"), ["test-00000", "line 3", "Spanish"]),
        (third(INCLUDE.format("validation"), drop="level"), ["validation-00000", "line 3", "level"]),
        (swap(INCLUDE.format("test"), '"answer": ', '"answer": 4'), ["test-00000", "line 1", "0 to 3"]),
        (swap(INCLUDE.format("test"), '"choices": [', '"choices": [3, '), ["test-00000", "line 1", "choices"]),
        (swap(INCLUDE.format("test"), '"choices": [', '"choices": "no", "other": ['), ["line 1", "other"]),
        (swap(INCLUDE.format("test"), '"question": "', '"question": "", "domain": "'), ["line 1", "domain"]),
        (remove(INCLUDE.format("test")), ["include-base-44/Italian/test"]),
    ],
    "biomedical_mmlu_ita": [
        (third(BIOMEDICAL.format("train"), answer="a"), ["train-00000", "line 3", "'a'", "'D'"]),
        (third(BIOMEDICAL.format("train"), answer=1), ["train-00000", "line 3", "1", "'D'"]),
        (third(BIOMEDICAL.format("train"), drop="subject"), ["train-00000", "line 3", "subject"]),
        (third(BIOMEDICAL.format("train"), option_d=""), ["train-00000", "line 3", "option_d"]),
        (third(BIOMEDICAL.format("train"), id="0"), ["train-0", "twice"]),
        (not_utf8(BIOMEDICAL.format("val")), ["val-00000", "UTF-8"]),
        (remove(BIOMEDICAL.format("test")), ["biomedical-mmlu-ita/data/test"]),
    ],
    "admission_test": [
        (third(ADMISSION.format("test"), Correct="F"), ["test.jsonl", "line 3", "'F'", "'E'"]),
        (third(ADMISSION.format("test"), Correct=0), ["test.jsonl", "line 3", "Correct"]),
        (third(ADMISSION.format("test"), E=None), ["test.jsonl", "line 3", '"E"']),
        (third(ADMISSION.format("test"), Question=""), ["test.jsonl", "line 3", "Question"]),
        (third(ADMISSION.format("test"), answer="A"), ["test.jsonl", "line 3", "answer"]),
        (third(ADMISSION.format("dev"), drop="B"), ["dev.jsonl", "line 3", '"B"']),
        (remove(ADMISSION.format("dev")), ["admission_test/dev"]),
    ],
    "europemedqa": [
        (third(EUROPE, correct_answer="F"), [EUROPE, "record 3", "'F'"]),
        (third(EUROPE, correct_answer={"letter": "A", "index": 1}), [EUROPE, "record 3", "index 1", "0"]),
        (third(EUROPE, correct_answer={"letter": "A"}), [EUROPE, "record 3", "letter"]),
        (third(EUROPE, options=["a", "b"]), [EUROPE, "record 3", "'a'"]),
        (third(EUROPE, options="ab"), [EUROPE, "record 3", "options"]),
        (third(EUROPE, options=[{"letter": "B", "text": "b"}]), [EUROPE, "record 3", "'B'"]),
        (third(EUROPE, options=[{"letter": "A", "text": 3}]), [EUROPE, "record 3", "options"]),
        (third(EUROPE, metadata={"test_year": 2017}), [EUROPE, "record 3", "metadata", "nullified"]),
        (third(EUROPE, id="IT0001"), [EUROPE, "record 3", "IT0001", "twice"]),
        (third(EUROPE, id="ES0001"), [EUROPE, "record 3", "ES0001"]),
        (third(EUROPE, has_image=None), [EUROPE, "record 3", "has_image"]),
        (third(EUROPE, drop="specialty"), [EUROPE, "record 3", "specialty"]),
        (cut(EUROPE), [EUROPE]),
    ],
    "mmmed": [
        (swap(MMMED, "Image URL", "Image"), [MMMED, "'Image'", "Image URL"]),
        (swap(MMMED, "Category,", "Category,Category,"), [MMMED, "Category"]),
        (swap(MMMED, ",https://example.org/mir/1-dom.jpg", ""), [MMMED, "line 2", "8", "9"]),
        (swap(MMMED, ",A\r\n", ",F\r\n"), [MMMED, "line", '"F"', "'D'"]),
        (swap(MMMED, ",,A\r\n", ",,E\r\n"), [MMMED, "line", '"E"']),
        (cut(MMMED), [MMMED, "line"]),
        (not_utf8(MMMED), [MMMED, "UTF-8"]),
        (remove(MMMED), [MMMED]),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "damage", "named"),
    [
        pytest.param(name, damage, named, id=f"{name}-{number}")
        for name, cases in CASES.items()
        for number, (damage, named) in enumerate(cases)
    ],
)
def test_bad_input_gets_one_line_and_leaves_nothing(
    mirror: Callable[[str], Path], command: Command, tmp_path: Path, name: str, damage: Damage, named: list[str]
) -> None:
    damage(mirror(name))
    out = tmp_path / "out"
    ran = command("data", "build", name, "--mirror", tmp_path / "mirror", "--out", out)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert "Traceback" not in ran.err
    assert [part for part in [name, *named] if part not in ran.err] == []
    assert not out.exists()
