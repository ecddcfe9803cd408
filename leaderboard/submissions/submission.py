"""What is uploaded: read with limits, checked line by line, never trusted.

A submission is the folder of `ita-med eval` (manifest.json, predictions/TASK.jsonl; results.json is ignored), or what
`lm_eval --log_samples` writes (results_*.json, samples_TASK_*.jsonl), as a folder or as a zip of it. Nothing is ever
unpacked to disk, and scores that a submission states are not read.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ita_med import catalogue
from ita_med.dataset_builders.formats.json_lines import loads
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark.model_facts import MODEL_TYPES
from ita_med.text import CONTROL, short_line
from ita_med.version import BENCHMARK_VERSION

MAX_UPLOAD_BYTES = 64 * 2**20
MAX_FILES = 64
MAX_ENTRIES = 1000
"""Of a zip's directory: files, folders, and what operating systems add."""
MAX_FILE_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 256 * 2**20
MAX_RATIO = 200
"""Unpacked to packed: predictions compress ten- to twentyfold, zip bombs a thousandfold."""
MAX_MANIFEST_BYTES = 2**20
MAX_TEXT = 200
MAX_PROBLEMS = 50
SAMPLES = re.compile(r"samples_(ita_med_[a-z0-9_]+?)_\d{4}-\d{2}-\d{2}T[\d.:-]+\.jsonl")
RESULTS = re.compile(r"results_\d{4}-\d{2}-\d{2}T[\d.:-]+\.json")


@dataclass
class Claim:
    """What the submitter says of a run; the board shows it as declared and does not check it.

    Attributes:
        model: Name of the model, as on the Hub.
        method: As "zero-shot" or "4-shot + CD".
        revision: Commit of the model.
        adapter: Name and commit of an adapter, "" for none.
        licence: Of the model.
        open_weights: Whether anybody can get the weights.
        model_type: One of `MODEL_TYPES`.
        parameters: Of the whole model, in millions; 0 if not stated.
        trained_on: Ids of the tasks whose train split was used.
        seconds: Wall-clock time of the run; 0 if not stated.
        tokens_per_second: Generated tokens; 0 if not stated.
    """

    model: str
    method: str
    revision: str = ""
    adapter: str = ""
    licence: str = ""
    open_weights: bool = False
    model_type: str = "other"
    parameters: float = 0.0
    trained_on: list[str] = field(default_factory=list)
    seconds: float = 0.0
    tokens_per_second: float = 0.0


@dataclass
class Submission:
    """A submission as it was uploaded; nothing in it has been checked against the gold data.

    Attributes:
        claim: What is said of the run.
        manifest: The manifest as uploaded.
        predictions: JSON Lines by task; where a task has several files, the newest.
    """

    claim: Claim
    manifest: dict[str, Any]
    predictions: dict[str, bytes]

    @property
    def predictions_sha256(self) -> str:
        """SHA-256 over the predictions of all tasks."""
        digest = hashlib.sha256()
        for task, content in sorted(self.predictions.items()):
            digest.update(f"{task} {hashlib.sha256(content).hexdigest()}\n".encode())
        return digest.hexdigest()

    @property
    def key(self) -> str:
        """Equal keys are one submission: model, revision, adapter, method, prompts, benchmark version, predictions."""
        prompts = self.manifest.get("prompts_sha256")
        stated = prompts if isinstance(prompts, dict) else {}
        parts = [self.claim.model, self.claim.revision, self.claim.adapter, self.claim.method]
        parts += [f"{task}={stated.get(task, '')}" for task in sorted(self.predictions)]
        parts += [BENCHMARK_VERSION, self.predictions_sha256]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def read_folder(path: Path) -> dict[str, bytes]:
    """The files of a folder or a zip, by their path inside it.

    Raises:
        ItaMedError: There is no such folder or zip, or a limit is broken; the message says which.
    """
    if path.is_dir():
        return _limited((p.relative_to(path).as_posix(), p.stat().st_size, p.read_bytes) for p in _plain_files(path))
    if not path.is_file():
        raise ItaMedError(f"{path}: no such folder or zip file")
    if path.stat().st_size > MAX_UPLOAD_BYTES:
        raise ItaMedError(f"{path} has {path.stat().st_size:,} bytes, more than {MAX_UPLOAD_BYTES:,}")
    return read_zip(path.read_bytes())


def _plain_files(folder: Path) -> list[Path]:
    """All files below a folder, but for hidden ones and links, which belong to no submission."""
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


def read_zip(content: bytes) -> dict[str, bytes]:
    """The files of a zip by their path, without the single top folder that a zip may have.

    Sizes are checked before anything is unpacked, and again while it is; nothing is written to disk.

    Raises:
        ItaMedError: It is no zip, holds a path that leads out of it, or breaks a limit.
    """
    if len(content) > MAX_UPLOAD_BYTES:
        raise ItaMedError(f"the upload has {len(content):,} bytes, more than {MAX_UPLOAD_BYTES:,}")
    if content.count(b"PK\x01\x02") > MAX_ENTRIES:  # before Python makes an object of each
        raise ItaMedError(f"the zip holds more than {MAX_ENTRIES} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            members = [m for m in opened.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
            for member in members:
                _check_member(member)
            files = _limited((m.filename, m.file_size, lambda m=m: _read_member(opened, m)) for m in members)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise ItaMedError(f"the upload is no readable zip file ({error})") from error
    tops = {name.partition("/")[0] for name in files if "/" in name}
    if len(tops) == 1 and not any("/" not in name for name in files) and tops != {"predictions"}:
        return {name.partition("/")[2]: value for name, value in files.items()}
    return files


def _check_member(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
        raise ItaMedError(f'the zip holds the path "{short_line(member.filename)}", which leads out of it')
    if (member.external_attr >> 28) == 0xA:
        raise ItaMedError(f'the zip holds a link, "{short_line(member.filename)}"')
    if member.flag_bits & 1:
        raise ItaMedError(f'"{short_line(member.filename)}" is encrypted')
    if member.file_size > MAX_RATIO * max(member.compress_size, 1024):
        raise ItaMedError(f'"{short_line(member.filename)}" would unpack to {member.file_size:,} bytes: refused')


def _read_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with opened.open(member) as stream:
        content = stream.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise ItaMedError(f'"{short_line(member.filename)}" is not as long as the zip says')
    return content


def _limited(found: Iterator[tuple[str, int, Any]]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for name, size, read in found:
        total += size
        if len(files) >= MAX_FILES:
            raise ItaMedError(f"more than {MAX_FILES} files; a submission is a manifest and one file per task")
        if size > MAX_FILE_BYTES or total > MAX_TOTAL_BYTES:
            raise ItaMedError(
                f'"{short_line(name)}": more than {MAX_FILE_BYTES:,} bytes, or {MAX_TOTAL_BYTES:,} in all'
            )
        if name in files:
            raise ItaMedError(f'the zip holds "{short_line(name)}" twice')
        files[name] = read()
    return files


def parse(files: dict[str, bytes]) -> Submission:
    """Read the files of a submission.

    Raises:
        ItaMedError: Something is missing or malformed; the message names it.
    """
    predictions = _predictions(files)
    if "manifest.json" in files:
        manifest = _json_object("manifest.json", files["manifest.json"])
        claim = _claim(manifest)
    else:
        results = sorted(name for name in files if RESULTS.fullmatch(PurePosixPath(name).name))
        if not results:
            raise ItaMedError("manifest.json is missing: submit the whole folder that ita-med eval wrote")
        manifest = _json_object(results[-1], files[results[-1]])
        claim = _lm_eval_claim(manifest, results[-1])
    if not predictions:
        raise ItaMedError("no predictions/TASK.jsonl and no samples_TASK_….jsonl in the submission")
    return Submission(claim, manifest, predictions)


def _predictions(files: dict[str, bytes]) -> dict[str, bytes]:
    known = {task.id for task in catalogue.tasks(ready=True)}
    found: dict[str, bytes] = {}
    for name in sorted(files):
        path = PurePosixPath(name)
        sample = SAMPLES.fullmatch(path.name)
        if sample:
            task = sample[1]
        elif path.parent.name == "predictions" and path.suffix == ".jsonl":
            task = path.stem
        elif name in ("manifest.json", "results.json", "report.html") or RESULTS.fullmatch(path.name):
            continue
        else:
            raise ItaMedError(f'"{short_line(name)}" does not belong into a submission')
        if task not in known:
            raise ItaMedError(f'"{short_line(name)}": {short_line(task)} is no task of benchmark {BENCHMARK_VERSION}')
        found[task] = files[name]
    return found


def _json_object(name: str, content: bytes) -> dict[str, Any]:
    limit = MAX_MANIFEST_BYTES if name == "manifest.json" else MAX_FILE_BYTES
    if len(content) > limit:
        raise ItaMedError(f"{name} has {len(content):,} bytes, more than {limit:,}")
    try:
        value = loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ItaMedError(f"{name} is not JSON ({short_line(str(error))})") from error
    if not isinstance(value, dict):
        raise ItaMedError(f"{name} holds no JSON object")
    return value


def _claim(manifest: dict[str, Any]) -> Claim:
    version = manifest.get("benchmark_version")
    if version != BENCHMARK_VERSION:
        raise ItaMedError(
            f"manifest.json: benchmark_version is {short_line(repr(version))}, this board is for {BENCHMARK_VERSION}"
        )
    run = manifest.get("run")
    if isinstance(run, dict) and run.get("limit") is not None:
        raise ItaMedError("manifest.json: the run had a --limit, so documents are missing; run it without")
    declared = manifest.get("declared", {})
    if not isinstance(declared, dict):
        raise ItaMedError('manifest.json: "declared" is no object')
    claim = Claim(
        model=_text(manifest, "model", required=True),
        method=_text(manifest, "method", required=True),
        revision=_text(manifest, "revision"),
        adapter=_adapter(manifest),
        licence=_text(declared, "licence"),
        model_type=_text(declared, "model_type") or "other",
        open_weights=declared.get("open_weights") is True,
        parameters=_number(declared, "parameters"),
        seconds=_number(manifest, "seconds"),
        tokens_per_second=_number(manifest, "tokens_per_second"),
    )
    if claim.model_type not in MODEL_TYPES:
        raise ItaMedError(f"manifest.json: model_type is one of {', '.join(MODEL_TYPES)}")
    trained = declared.get("trained_on", [])
    tasks = {task.id for task in catalogue.tasks()}
    if not isinstance(trained, list) or not all(isinstance(task, str) and task in tasks for task in trained):
        raise ItaMedError('manifest.json: "trained_on" is a list of task ids')
    claim.trained_on = sorted(set(trained))
    return claim


def _lm_eval_claim(results: dict[str, Any], name: str) -> Claim:
    config = results.get("config")
    if not isinstance(config, dict) or config.get("limit") is not None:
        raise ItaMedError(f"{name}: no config, or a run with --limit; run it without")
    shots = results.get("n-shot")
    counts = set(shots.values()) if isinstance(shots, dict) else set()
    if len(counts) != 1 or not all(type(n) is int for n in counts):
        raise ItaMedError(f"{name}: the tasks have different numbers of shots; submit one method at a time")
    n = counts.pop()
    return Claim(
        model=_text(results, "model_name", required=True),
        method=f"{n}-shot" if n else "zero-shot",
        revision=_text(config, "model_sha") or _text(config, "model_revision"),
    )


def _adapter(manifest: dict[str, Any]) -> str:
    """ "ORG/NAME@COMMIT", or with the digest of a local folder: ita-med eval writes an object."""
    stated = manifest.get("adapter")
    if not isinstance(stated, dict):
        return _text(manifest, "adapter")
    pinned = _text(stated, "revision") or _text(stated, "weights_sha256")
    return "@".join(part for part in (_text(stated, "name"), pinned) if part)[:MAX_TEXT]


def _text(values: dict[str, Any], key: str, *, required: bool = False) -> str:
    value = values.get(key) or ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise ItaMedError(f'"{key}" is missing or no text')
    if len(value) > MAX_TEXT or CONTROL.search(value):
        raise ItaMedError(f'"{key}" is longer than {MAX_TEXT} characters, or holds control characters')
    return value.strip()


def _number(values: dict[str, Any], key: str) -> float:
    value = values.get(key)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ItaMedError(f'"{key}" is no number from 0 on')
    return float(value)
