"""Read and write predictions: JSON Lines with an id and an answer, or the text as generated."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from ita_med import catalogue
from ita_med.dataset_builders.formats.json_lines import loads
from ita_med.errors import DataError, ItaMedError
from ita_med.files import write_whole
from ita_med.tasks.benchmark.task_data import Scores, TaskData, load
from ita_med.tasks.families.family import Answer
from ita_med.text import encodable

MAX_LINE_BYTES = 20_000_000


def read(path: Path, data: TaskData) -> tuple[dict[str, Answer | None], list[str]]:
    """Answers by example id, and the ids that come more than once (their first line counts).

    A line is {"id", "answer"} (with texts, or with places as `Family.redact` writes them), {"id", "raw"}, or a row of
    lm-eval's samples_*.jsonl. An answer that is not in the task's form, or a raw text that does not parse, is None:
    wrong, and counted as a parse failure.
    """
    if not path.is_file():
        raise ItaMedError(f"{path}: no such predictions file")
    answers: dict[str, Answer | None] = {}
    duplicate = []
    with path.open("rb") as lines:
        for number, content in enumerate(lines, 1):
            if not content.strip():
                continue
            key, answer = parse_line(content, f"{path}, line {number}", data)
            if key in answers:
                duplicate.append(key)
            else:
                answers[key] = answer
    return answers, duplicate


def files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Predictions by task of a folder, and the names of older files that are left aside.

    predictions/TASK.jsonl of a submission folder, TASK.jsonl, or lm-eval's samples_TASK_TIME.jsonl, which lie in a
    sub-folder per model; of several runs of lm-eval the newest counts.
    """
    if not folder.is_dir():
        raise ItaMedError(f"{folder}: no such folder")
    tasks = {task.id for task in catalogue.tasks()}
    for place in (folder / "predictions", folder):
        named = {path.stem: path for path in sorted(place.glob("*.jsonl")) if path.stem in tasks}
        if named:
            return named, []
    found: dict[str, Path] = {}
    older = []
    for path in sorted(folder.rglob("samples_*.jsonl"), key=lambda path: path.name):
        task = _sampled_task(path, tasks)
        if task in found:
            older.append(found[task].name)
        if task:
            found[task] = path
    if len({path.parent for path in found.values()}) > 1:
        raise ItaMedError(f"{folder} holds the samples of more than one model; name one of its sub-folders")
    if not found:
        raise ItaMedError(f"{folder} holds neither predictions/TASK.jsonl nor lm-eval's samples_TASK_….jsonl")
    return found, older


def _sampled_task(path: Path, tasks: set[str]) -> str:
    """samples_TASK_2026-02-19T10-00-00.123.jsonl, in later versions of lm-eval with GROUP:: before the task."""
    task = path.stem.removeprefix("samples_").rpartition("::")[2].rpartition("_")[0]
    return task if task in tasks else ""


def parse_line(content: bytes, where: str, data: TaskData) -> tuple[str, Answer | None]:
    """(example id, answer) of one line; a DataError says what is wrong with it."""
    if len(content) > MAX_LINE_BYTES:
        raise DataError(f"{where} has {len(content):,} bytes, more than {MAX_LINE_BYTES:,}")
    try:
        row = loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error})") from error
    if isinstance(row, dict) and {"doc", "resps"} <= set(row):
        row = _sample(row, where)
    if not isinstance(row, dict) or set(row) not in ({"id", "answer"}, {"id", "raw"}) or not isinstance(row["id"], str):
        raise DataError(f'{where}: expected {{"id": …, "answer": …}} or {{"id": …, "raw": "…"}}')
    example = data.by_id.get(row["id"])
    if "answer" in row:
        answer = data.family.restore(example, row["answer"]) if example else row["answer"]
        return row["id"], answer if data.is_answer(answer) else None
    if not isinstance(row["raw"], str):
        raise DataError(f'{where}: "raw" is no text')
    return row["id"], data.parse(row["raw"], example) if example else None


def _sample(row: dict[str, Any], where: str) -> dict[str, Any]:
    """A row of lm-eval's samples as a prediction line."""
    try:
        return {"id": row["doc"]["id"], "raw": row["resps"][0][0]}
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(f"{where}: a sample of another task (no doc.id or resps[0][0])") from error


def score(path: Path, data: TaskData, *, strict: bool = False) -> Scores:
    """Score a predictions file; `strict` makes a missing, unknown or duplicate id an error."""
    answers, duplicate = read(path, data)
    scores = data.score(answers)
    scores.duplicate = duplicate
    if strict:
        for kind in ("missing", "unknown", "duplicate"):
            ids = getattr(scores, kind)
            if ids:
                raise DataError(f'{path}: {kind} id "{ids[0]}" ({len(ids)} in all) for {data.task.id}')
    return scores


def score_files(paths: dict[str, Path], mirror: str | None = None, *, strict: bool = False) -> dict[str, Any]:
    """Scores (as `Scores.as_dict`) of predictions files by task."""
    return {task: score(path, load(task, mirror), strict=strict).as_dict() for task, path in paths.items()}


def write(path: Path, data: TaskData, rows: Iterable[tuple[str, str]], *, texts: bool | None = None) -> None:
    """Write (id, text as generated) pairs; without any text where the data may not be passed on, or as `texts` says."""
    if texts is None:
        texts = not data.texts_withheld
    lines = []
    for i, raw in rows:
        example = data.by_id[i]
        row = {"raw": encodable(raw)} if texts else {"answer": data.redact(example, data.parse(raw, example))}
        lines.append(orjson.dumps({"id": i} | row) + b"\n")
    write_whole(path, b"".join(lines))
