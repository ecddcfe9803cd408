"""Results for a model card: submission folders that belong to the published model, its base or the floors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.tasks.evaluation.model_identity import folder_sha256
from ita_med.tasks.report import rows as reports
from ita_med.tasks.report.compare import compare

OWN, BASE, FLOOR = "own", "base", "floor"


@dataclass
class CardResult:
    """One submission folder. kind: OWN, BASE (the base without the training) or FLOOR; scores: task -> points;
    intervals: task -> (low, high), 95 %, where the gold data are at hand; else errors has standard errors."""

    label: str
    kind: str
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    errors: dict[str, float]
    documents: dict[str, int]
    version: str
    date: str


def read(
    folders: list[Path], run: Path, repo: str, manifest: dict[str, Any], mirror: str | None, *, synthetic: bool
) -> list[CardResult]:
    """Score the folders again and say whose they are; results of another model or of part of the documents are errors.

    synthetic: whether the run was trained on the synthetic sample; then results on it are taken too.
    """
    if not folders:
        return []
    rows = reports.read_runs(folders)
    manifests = [orjson.loads((folder / "manifest.json").read_bytes()) for folder in folders]
    kinds = [_kind(folder, m, run, repo, manifest) for folder, m in zip(folders, manifests, strict=True)]
    for row in rows:
        if row.limited:
            raise ItaMedError(f"{row.folder} answered only some documents (--limit); evaluate it whole")
        if row.synthetic and not synthetic:
            raise ItaMedError(f"{row.folder} was evaluated on the synthetic sample; evaluate the model on real data")
    reports.check_comparable(rows)
    found = compare(rows, 0, mirror)
    if found.changed:
        raise ItaMedError(found.changed[0])
    return [
        CardResult(
            row.method if kind == OWN else row.label,
            kind,
            row.scores,
            {task: found.intervals[n, task] for task in row.scores if (n, task) in found.intervals},
            row.errors,
            row.documents,
            row.version,
            str(m.get("started", "")),
        )
        for n, (row, kind, m) in enumerate(zip(rows, kinds, manifests, strict=True))
    ]


def _kind(folder: Path, m: dict[str, Any], run: Path, repo: str, manifest: dict[str, Any]) -> str:
    if m.get("method") == "floor":
        return FLOOR
    adapter = m.get("adapter") or {}
    if manifest["method"] == "encoder":
        from ita_med.training.encoders.predict import weights_sha256

        digests = {weights_sha256(run, manifest)}
    else:
        digests = {folder_sha256(place) for place in (run, run / "merged") if place.is_dir()}
    if {adapter.get("weights_sha256"), m.get("weights_sha256")} & digests or repo in (adapter.get("name"), m["model"]):
        return OWN
    names = {manifest["base"]["model"], Path(manifest["base"]["model"]).name}
    if not adapter and m["model"] in names:
        return BASE
    raise ItaMedError(f"{folder} holds results of {m['model']} with other weights, not of {run}")


def tasks(results: list[CardResult]) -> list[str]:
    """All tasks that have a score, in benchmark order."""
    return [task.id for task in catalogue.tasks() if any(task.id in result.scores for result in results)]


def entries(results: list[CardResult], benchmark: str) -> bytes:
    """The model's own results as the Hub reads them from .eval_results; empty if there are none."""
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    found = []
    for result in results:
        if result.kind != OWN:
            continue
        for task in (name for name in tasks(results) if name in result.scores):
            notes = f"{result.label}; {catalogue.task(task).headline}; {result.documents[task]:,} documents; "
            notes += f"benchmark version {result.version}"
            if task in result.intervals:
                low, high = result.intervals[task]
                notes += f"; 95% interval {low:.1f} to {high:.1f}"
            found.append(
                EvalResultEntry(
                    dataset_id=benchmark,
                    task_id=task,
                    value=round(result.scores[task], 2),
                    date=result.date or None,
                    notes=notes,
                )
            )
    listed = eval_result_entries_to_yaml(found)
    return yaml.safe_dump(listed, allow_unicode=True, sort_keys=False).encode() if listed else b""
