"""The translations of MedMCQA and MedQA: rows, gold and formats against a plain reading; what bad files get."""

from __future__ import annotations

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

ITA = "medmcqa-ita/data/{}-00000-of-00001.jsonl"
FBK = {"medqa_it": "medqa-it", "medmcqa_it": "medmcqa-it"}
FBK_FILE = "train/train-00000-of-00001.jsonl"
FILES = {"medmcqa_ita": ITA.format("validation")} | {name: f"{repo}/{FBK_FILE}" for name, repo in FBK.items()}

Row = dict[str, Any]
Damage = Callable[[Path], None]

every_dataset = pytest.mark.parametrize("name", FILES)
fbk = pytest.mark.parametrize("name", FBK)


def rows(name: str, path: str) -> list[Row]:
    return [json.loads(line) for line in (build.folder(name) / "sample" / path).read_text("utf-8").splitlines()]


def read(name: str, mirror: str | Path = "embedded") -> tuple[dict[str, list[ChoiceExample]], BuildReport]:
    report = BuildReport()
    files = build.open_files(name, str(mirror))
    found: Any = {split: group for _, split, group in build.examples(name, files=files, report=report)}
    return found, report


def index(cop: int | str) -> int:
    return "abcd".index(cop) if isinstance(cop, str) else cop


# ----- medmcqa-ita -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "validation"])
def test_medmcqa_ita_is_upstreams(split: str) -> None:
    answered = [row for row in rows("medmcqa_ita", ITA.format(split)) if row["cop"] != -1]
    group = read("medmcqa_ita")[0][split]
    for example, row in zip(group, answered, strict=True):
        assert (example.id, example.question, example.topic) == (row["id"], row["question"], row["subject_name"])
        assert example.options == [row["opa"], row["opb"], row["opc"], row["opd"]]
        assert example.options[example.answer] == row[f"op{'abcd'[index(row['cop'])]}"]
        known = {key: row[key] for key in ("choice_type", "exp", "topic_name") if row[key] is not None}
        assert example.meta == known
    assert {example.answer for example in group} == {0, 1, 2, 3}


def test_medmcqa_ita_reads_the_label_as_number_and_as_name() -> None:
    kinds = {type(row["cop"]) for row in rows("medmcqa_ita", ITA.format("validation"))}
    assert kinds == {int, str}


def test_medmcqa_ita_leaves_out_a_test_split_without_gold() -> None:
    found, report = read("medmcqa_ita")
    hidden = rows("medmcqa_ita", ITA.format("test"))
    assert {row["cop"] for row in hidden} == {-1}
    assert set(found) == {"train", "validation"}
    assert report.warnings["test_without_gold"] == len(hidden) > 0
    assert ("questions", "test") not in report.splits
    assert report.split("questions", "train").dropped == {"no_gold": 1}


def test_medmcqa_ita_keeps_a_test_split_with_some_gold(tmp_path: Path) -> None:
    mirror = filled(tmp_path, "medmcqa_ita", change(ITA.format("test"), 2, cop=3))
    found, report = read("medmcqa_ita", mirror)
    hidden = len(rows("medmcqa_ita", ITA.format("test"))) - 1
    assert [example.answer for example in found["test"]] == [3]
    assert report.split("questions", "test").dropped == {"no_gold": hidden}


def test_medmcqa_ita_files_may_lie_at_the_top(tmp_path: Path) -> None:
    mirror = filled(tmp_path, "medmcqa_ita")
    repo = mirror / "medmcqa_ita" / "medmcqa-ita"
    for path in (repo / "data").iterdir():
        path.rename(repo / path.name)
    (repo / "data").rmdir()
    assert read("medmcqa_ita", mirror)[0] == read("medmcqa_ita")[0]


# ----- medqa-it and medmcqa-it ---------------------------------------------------------------------------------


@fbk
def test_fbk_questions_are_upstreams(name: str) -> None:
    found, report = read(name)
    asked = [(n, row) for n, row in enumerate(rows(name, FILES[name]), 1) if row["cop"] != -1]
    assert set(found) == {"train"}
    for example, (number, row) in zip(found["train"], asked, strict=True):
        options = [row[f"translated_answer_op{letter}"] for letter in "abcd"]
        assert (example.id, example.question) == (f"train-{number:06}", row["full_question"])
        assert (example.options, example.answer) == (options, row["cop"])
    assert {example.answer for example in found["train"]} == {0, 1, 2, 3}
    assert report.split("questions", "train").dropped == {"no_gold": 1}


@fbk
def test_fbk_other_splits_are_read_where_they_are_there(tmp_path: Path, name: str) -> None:
    mirror = filled(tmp_path, name)
    repo = mirror / name / FBK[name]
    shutil.copytree(repo / "train", repo / "test")
    found, report = read(name, mirror)
    assert set(found) == {"train", "test"}
    assert [e.question for e in found["test"]] == [e.question for e in found["train"]]
    assert report.warnings["repeated_question"] == len(found["test"]) + 1


# ----- all three -----------------------------------------------------------------------------------------------


@every_dataset
def test_repetitions_are_kept_and_counted(name: str) -> None:
    found, report = read(name)
    keys = [(example.question, *example.options) for group in found.values() for example in group]
    assert len(keys) - len(set(keys)) == report.warnings["repeated_question"] == 1


@every_dataset
@pytest.mark.parametrize("suffix", ["parquet", "json"])
def test_parquet_and_a_json_list_read_the_same(tmp_path: Path, name: str, suffix: str) -> None:
    mirror = filled(tmp_path, name)
    for path in (mirror / name).rglob("*.jsonl"):
        content = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        if suffix == "json":
            path.with_suffix(".json").write_text(json.dumps(content), "utf-8")
        else:
            content = [row | {"cop": index(row["cop"])} for row in content]
            pq.write_table(pa.Table.from_pylist(content), path.with_suffix(".parquet"))
        path.unlink()
    assert read(name, mirror)[0] == read(name)[0]


def filled(tmp_path: Path, name: str, damage: Damage | None = None) -> Path:
    folder = shutil.copytree(build.folder(name) / "sample", tmp_path / "mirror" / name)
    if damage:
        damage(Path(folder))
    return tmp_path / "mirror"


def change(path: str, number: int, remove: str = "", **values: Any) -> Damage:
    """Change the record of one line."""

    def damage(root: Path) -> None:
        lines = (root / path).read_text("utf-8").splitlines()
        row = json.loads(lines[number - 1]) | values
        row.pop(remove, None)
        lines[number - 1] = json.dumps(row)
        (root / path).write_text("\n".join(lines), "utf-8")

    return damage


def every_line(path: str, **values: Any) -> Damage:
    def damage(root: Path) -> None:
        content = [json.loads(line) | values for line in (root / path).read_text("utf-8").splitlines()]
        (root / path).write_text("\n".join(map(json.dumps, content)), "utf-8")

    return damage


def half(path: str) -> Damage:
    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: len(content) // 2])

    return damage


def bad_parquet(path: str, content: bytes | Row) -> Damage:
    """In the place of the file, one that is no Parquet, or one with a single row."""

    def damage(root: Path) -> None:
        (root / path).unlink()
        target = (root / path).with_suffix(".parquet")
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            pq.write_table(pa.Table.from_pylist([content]), target)

    return damage


def cases(name: str) -> dict[str, tuple[Damage, list[str]]]:
    path = FILES[name]
    question, option = ("question", "opb") if name == "medmcqa_ita" else ("full_question", "translated_answer_opb")
    third = [path, "line 3"]
    parquet = path.replace(".jsonl", ".parquet")
    split = "validation" if name == "medmcqa_ita" else "train"
    return {
        "truncated": (half(path), [path, "not JSON"]),
        "empty": (lambda root: (root / path).write_bytes(b""), ["holds no rows", path]),
        "unknown column": (change(path, 3, lingua="it"), [*third, '"lingua"', option]),
        "missing column": (change(path, 3, remove="cop"), [*third, '"cop" is missing']),
        "gold 4": (change(path, 3, cop=4), [*third, '"cop" is 4', "0 to 3"]),
        "gold -2": (change(path, 3, cop=-2), [*third, '"cop" is -2']),
        "gold true": (change(path, 3, cop=True), [*third, '"cop" is True']),
        "gold 1.0": (change(path, 3, cop=1.0), [*third, '"cop" is 1.0']),
        "gold e": (change(path, 3, cop="e"), [*third, "'e'"]),
        "option null": (change(path, 3, **{option: None}), [*third, f'"{option}" is null']),
        "question number": (change(path, 3, **{question: 5}), [*third, f'"{question}" is 5']),
        "question empty": (change(path, 3, **{question: " "}), [*third, f'"{question}" is empty']),
        "half a character": (change(path, 3, **{question: "\ud83d"}), [*third, f'"{question}"']),
        "no gold at all": (every_line(path, cop=-1), [path, f"rows of {split}", "none of the"]),
        "no Parquet": (bad_parquet(path, b"PAR1 and no more"), [parquet, "no Parquet"]),
        "Parquet with other columns": (bad_parquet(path, {"domanda": "?"}), [parquet, "domanda", option]),
    }


BAD = [pytest.param(name, *case, id=f"{name}: {title}") for name in FILES for title, case in cases(name).items()]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "damage", "named"), BAD)
def test_a_bad_file_is_one_line(tmp_path: Path, command: Any, name: str, damage: Damage, named: list[str]) -> None:
    mirror = filled(tmp_path, name, damage)
    ran = command("data", "build", name, "--mirror", mirror, "--out", tmp_path / "out")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1), ran.err
    assert ran.err.startswith(f"ita-med: {name}: ")
    assert [word for word in named if word not in ran.err] == [], ran.err
    assert not (tmp_path / "out").exists()


def test_medmcqa_ita_an_id_twice_is_refused(tmp_path: Path, command: Any) -> None:
    path = FILES["medmcqa_ita"]
    first = rows("medmcqa_ita", path)[0]["id"]
    mirror = filled(tmp_path, "medmcqa_ita", change(path, 3, id=first))
    ran = command("data", "build", "medmcqa_ita", "--mirror", mirror, "--out", tmp_path / "out")
    assert (ran.code, f"id {first} appears twice" in ran.err) == (1, True)


@every_dataset
def test_a_missing_file_says_where_to_get_it(tmp_path: Path, command: Any, name: str) -> None:
    mirror = filled(tmp_path, name, lambda root: (root / FILES[name]).unlink())
    ran = command("data", "build", name, "--mirror", mirror, "--out", tmp_path / "out")
    assert ran.code == 1
    assert "https://huggingface.co/datasets/" in ran.err
