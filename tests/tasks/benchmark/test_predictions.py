"""Reading predictions files, and `ita-med score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ita_med.cli import make_app
from ita_med.errors import DataError, ItaMedError
from ita_med.tasks.benchmark import predictions
from ita_med.tasks.benchmark.task_data import TaskData, load

runner = CliRunner()


@pytest.fixture(scope="module")
def clinkart() -> TaskData:
    return load("re_clinkart", "embedded")


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def gold_rows(data: TaskData) -> list[dict[str, Any]]:
    return [{"id": example.id, "answer": data.gold(example)} for example in data.examples]


def test_gold_answers_score_one_strictly(clinkart: TaskData, tmp_path: Path) -> None:
    scores = predictions.score(write(tmp_path / "p.jsonl", gold_rows(clinkart)), clinkart, strict=True)
    assert scores.metrics["score"] == 1
    assert scores.n == len(clinkart.examples)


def test_raw_texts_answers_and_samples_of_lm_eval_score_alike(clinkart: TaskData, tmp_path: Path) -> None:
    texts = {e.id: clinkart.target(e) if n % 2 else '{"relazioni": []}' for n, e in enumerate(clinkart.examples)}
    raw = [{"id": i, "raw": text} for i, text in texts.items()]
    answers = [{"id": i, "answer": clinkart.parse(text, clinkart.by_id[i])} for i, text in texts.items()]
    samples = [{"doc_id": 0, "doc": {"id": i}, "resps": [[text]], "filter": "none"} for i, text in texts.items()]
    scored = [predictions.score(write(tmp_path / "p", rows), clinkart).metrics for rows in (raw, answers, samples)]
    assert scored[0] == scored[1] == scored[2]
    assert 0 < scored[0]["score"] < 1


def test_missing_examples_count_as_wrong(clinkart: TaskData, tmp_path: Path) -> None:
    rows = gold_rows(clinkart)
    with_relations = next(n for n, row in enumerate(rows) if row["answer"]["relations"])
    left_out = rows.pop(with_relations)
    scores = predictions.score(write(tmp_path / "p.jsonl", rows), clinkart)
    assert scores.missing == [left_out["id"]]
    assert scores.metrics["score"] < 1


@pytest.mark.parametrize("kind", ["missing", "unknown", "duplicate"])
def test_strict_names_the_first_bad_id(clinkart: TaskData, tmp_path: Path, kind: str) -> None:
    rows = gold_rows(clinkart)
    bad = rows[3]["id"]
    if kind == "missing":
        del rows[3]
    elif kind == "duplicate":
        rows.append(rows[3])
    else:
        bad = "NOWHERE-1"
        rows.append({"id": bad, "answer": {"relations": []}})
    path = write(tmp_path / "p.jsonl", rows)
    assert getattr(predictions.score(path, clinkart), kind) == [bad]
    with pytest.raises(DataError, match=f'{kind} id "{bad}"'):
        predictions.score(path, clinkart, strict=True)


@pytest.mark.parametrize(
    "line",
    ["not json", "[]", '{"id": 3, "raw": ""}', '{"id": "a"}', '{"id": "a", "raw": 1}', '{"id": "a", "raw": NaN}',
     '{"id": "a", "id": "b", "raw": ""}', '{"doc": {}, "resps": []}', "[" * 100_000, '{"id": "a", "raw": "", "x": 1}'],
)  # fmt: skip
def test_a_bad_line_is_named(clinkart: TaskData, tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "IT900013-s000", "raw": ""}\n' + line + "\n", "utf-8")
    with pytest.raises(DataError, match=r"p\.jsonl, line 2"):
        predictions.read(path, clinkart)


def test_an_answer_of_another_family_is_a_parse_failure(clinkart: TaskData, tmp_path: Path) -> None:
    rows = [{"id": example.id, "answer": {"choice": "A"}} for example in clinkart.examples]
    scores = predictions.score(write(tmp_path / "p.jsonl", rows), clinkart)
    assert scores.metrics["parse_failure"] == 1


def test_an_absent_file_is_one_line() -> None:
    with pytest.raises(ItaMedError, match="no such predictions file"):
        predictions.read(Path("nowhere.jsonl"), load("re_clinkart", "embedded"))


def test_the_command_prints_the_pinned_json(clinkart: TaskData, tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", gold_rows(clinkart)[1:])
    result = runner.invoke(
        make_app(), ["score", "--task", "re_clinkart", "--predictions", str(path), "--mirror", "embedded", "--json"]
    )
    assert result.exit_code == 0
    scores = json.loads(result.stdout)
    pinned = {"task", "benchmark_version", "score", "metrics", "stderr", "n", "missing", "unknown", "duplicate"}
    assert pinned | {"parse_failure"} <= set(scores)
    assert scores["missing"] == [clinkart.examples[0].id]
    assert clinkart.examples[0].id in result.stderr


def samples(data: TaskData) -> list[dict[str, Any]]:
    """Rows as lm-eval logs them."""
    return [{"doc_id": n, "doc": {"id": e.id}, "resps": [[data.target(e)]]} for n, e in enumerate(data.examples)]


def test_a_folder_of_lm_eval_samples(clinkart: TaskData, tmp_path: Path) -> None:
    questions = load("qa_med_ita", "embedded")
    model = tmp_path / "out" / "org__model"
    model.mkdir(parents=True)
    write(model / "samples_ita_med_re_clinkart_2026-01-01T10-00-00.1.jsonl", samples(clinkart)[:2])
    write(
        model / "samples_ita_med_re_clinkart_2026-02-01T10-00-00.1.jsonl",
        [*samples(clinkart)[1:], *samples(clinkart)[1:2]],
    )
    write(model / "samples_ita_med::ita_med_qa_med_ita_2026-02-01T10-00-00.1.jsonl", samples(questions))
    write(model / "samples_hellaswag_2026-02-01T10-00-00.1.jsonl", [{"doc": {}}])
    result = runner.invoke(make_app(), ["score", str(tmp_path / "out"), "--mirror", "embedded", "--json"])
    assert result.exit_code == 0, result.exception
    found = json.loads(result.stdout)
    assert found["synthetic"]
    assert set(found["tasks"]) == {clinkart.task.id, questions.task.id}
    assert found["tasks"][questions.task.id]["score"] == 1
    assert found["tasks"][clinkart.task.id]["missing"] == [clinkart.examples[0].id]
    assert found["tasks"][clinkart.task.id]["duplicate"] == [clinkart.examples[1].id]
    for word in ("2026-01-01", "missing", "duplicate"):
        assert word in result.stderr
    (tmp_path / "out" / "other").mkdir()
    write(tmp_path / "out" / "other" / "samples_ita_med_crf_e3c_2026-03-01T10-00-00.1.jsonl", [])
    with pytest.raises(ItaMedError, match="more than one model"):
        predictions.files(tmp_path / "out")


def test_a_folder_of_prediction_files(clinkart: TaskData, tmp_path: Path) -> None:
    write(tmp_path / "ita_med_re_clinkart.jsonl", gold_rows(clinkart))
    result = runner.invoke(make_app(), ["score", str(tmp_path), "--mirror", "embedded", "--strict"])
    assert result.exit_code == 0, result.exception
    assert "100.00" in result.stdout
    (tmp_path / "empty").mkdir()
    for name, message in (("empty", "holds neither"), ("nowhere", "no such folder")):
        with pytest.raises(ItaMedError, match=message):
            predictions.files(tmp_path / name)


@pytest.mark.real_data
def test_the_official_form_scores_of_the_development_gold(real_mirror: str) -> None:
    from ita_med import catalogue
    from ita_med.dataset_builders import build

    files = build.open_files("dyspnea_crf", real_mirror)
    [(_, _, examples)] = build.examples("dyspnea_crf", ["gold"], files=files)
    data = TaskData(catalogue.task("crf_dyspnea"), examples, [], "mirror")
    unknown = data.score({example.id: {"items": {}} for example in examples})
    assert unknown.metrics["score"] == pytest.approx(0.4137, abs=5e-5)
    assert unknown.metrics["f1_known"] == 0
    gold = data.score({example.id: data.gold(example) for example in examples})
    assert gold.metrics["score"] == gold.metrics["f1_known"] == 1
