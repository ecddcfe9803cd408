"""Uploads: read with limits, checked line by line, scored as `ita-med score` scores them."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ita_med.errors import ItaMedError
from ita_med.leaderboard.submissions import submission
from ita_med.leaderboard.submissions.check import check, gold
from ita_med.tasks.evaluation.evaluate import score_folder

from ..conftest import TASKS, Files, change_manifest, zipped

FIRST = f"predictions/{TASKS[0]}.jsonl"


def test_a_good_submission_is_accepted_and_scored_by_the_same_scorer(files: Files, run_folder: Path) -> None:
    checked = check(files, "embedded")
    assert checked.problems == []
    expected = score_folder(run_folder, mirror="embedded")["tasks"]
    assert {x.task: x.as_dict() for x in checked.scores} == expected


@pytest.mark.parametrize("top", ["", "my-run/"])
def test_a_zip_is_read_like_its_folder(files: Files, top: str) -> None:
    assert submission.read_zip(zipped(files, top)) == files


def test_stated_scores_are_never_read(files: Files) -> None:
    lying = files | {"results.json": b'{"tasks": {"ita_med_qa_med_ita": {"score": 1.0}}}'}
    assert [x.as_dict() for x in check(lying, "embedded").scores] == [
        x.as_dict() for x in check(files, "embedded").scores
    ]


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Files], Files]:
    return lambda files: files | {FIRST: b"\n".join(change(files[FIRST].splitlines()))}


def manifest(**values: Any) -> Callable[[Files], Files]:
    return lambda files: change_manifest(files, **values)


DAMAGE: dict[str, tuple[Callable[[Files], Files], str]] = {
    "no manifest": (lambda f: {k: v for k, v in f.items() if k != "manifest.json"}, "manifest.json is missing"),
    "manifest is a list": (lambda f: f | {"manifest.json": b"[]"}, "holds no JSON object"),
    "manifest is deep": (lambda f: f | {"manifest.json": b"[" * 100_000}, "is not JSON"),
    "manifest has a key twice": (lambda f: f | {"manifest.json": b'{"model": 1, "model": 2}'}, "appears twice"),
    "manifest has NaN": (lambda f: f | {"manifest.json": b'{"seconds": NaN}'}, "NaN"),
    "manifest has infinity": (lambda f: f | {"manifest.json": b'{"seconds": 1e999}'}, "too large a number"),
    "manifest is huge": (lambda f: f | {"manifest.json": b" " * (2**20 + 1)}, "bytes, more than"),
    "other version": (manifest(benchmark_version="9.9"), "this board is for"),
    "limited run": (manifest(run={"limit": 5}), "--limit"),
    "no model": (manifest(model=""), '"model" is missing'),
    "model is a number": (manifest(model=7), '"model" is missing or no text'),
    "right-to-left model name": (manifest(model="gpt\u202egnp.exe"), "control characters"),
    "adapter is a list": (manifest(adapter=["a"]), '"adapter" is missing or no text'),
    "long model name": (manifest(model="x" * 201), "longer than 200"),
    "unknown model type": (manifest(declared={"model_type": "oracle"}), "model_type is one of"),
    "negative parameters": (manifest(declared={"parameters": -1}), '"parameters" is no number'),
    "trained on nothing known": (manifest(declared={"trained_on": ["mmlu"]}), "list of task ids"),
    "other data": (manifest(data={TASKS[0]: "mirror:000000000000"}), "evaluate on the pinned files"),
    "no predictions": (lambda f: {"manifest.json": f["manifest.json"]}, "no predictions/TASK.jsonl"),
    "foreign file": (lambda f: f | {"run.sh": b"rm -rf /"}, "does not belong"),
    "unknown task": (lambda f: f | {"predictions/ita_med_x.jsonl": b""}, "is no task of benchmark"),
    "a missing line": (lines(lambda x: x[1:]), "1 of "),
    "a line twice": (lines(lambda x: [*x, x[0]]), "was answered before"),
    "an unknown id": (lines(lambda x: [*x, b'{"id": "IT9", "raw": ""}']), '"IT9" is no evaluated document'),
    "half a line": (lines(lambda x: [x[0][:9], *x[1:]]), "line 1 is not JSON"),
    "a line too long": (lines(lambda x: [x[0] + b" " * 2**20, *x[1:]]), "line 1 has 1,"),
    "no UTF-8": (lines(lambda x: [b'{"id": "\xff"}', *x[1:]]), "line 1 is not JSON"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_wrong_is_told_and_nothing_is_scored(
    files: Files, damage: Callable[[Files], Files], message: str
) -> None:
    checked = check(damage(files), "embedded")
    assert not checked.accepted
    assert checked.scores == []
    assert any(message in problem for problem in checked.problems), checked.problems
    assert all("\n" not in problem for problem in checked.problems)


def test_a_run_counts_only_on_the_very_data_of_the_board(files: Files) -> None:
    """The kind of the data and their fingerprint must both be those of the board: each alone is refused."""
    (kind, _, fingerprint) = json.loads(files["manifest.json"])["data"][TASKS[0]].partition(":")
    assert (kind, fingerprint) == ("embedded", gold(TASKS[0], "embedded").fingerprint)
    for stated in (f"{kind}:{'0' * len(fingerprint)}", f"{kind}:", kind, f"mirror:{fingerprint}"):
        checked = check(change_manifest(files, data={TASKS[0]: stated}), "embedded")
        assert not checked.accepted, stated
        assert checked.problems == [
            f"{TASKS[0]}: the run was on {stated}, this board scores on {kind}:{fingerprint}; "
            "evaluate on the pinned files"
        ]
    assert check(change_manifest(files, data={TASKS[0]: f"{kind}:{fingerprint}"}), "embedded").accepted


def test_no_more_than_fifty_problems_are_told(files: Files) -> None:
    checked = check(lines(lambda x: [b"{"] * 10_000)(files), "embedded")
    assert len(checked.problems) == submission.MAX_PROBLEMS


def test_problems_never_tell_a_gold_answer(files: Files) -> None:
    told = " ".join(check(lines(lambda x: [])(files), "embedded").problems)
    for example in gold(TASKS[0], "embedded").examples:
        for entity in gold(TASKS[0], "embedded").gold(example)["entities"]:
            assert entity["text"] not in told


# --- zips


def member(name: str, content: bytes = b"x", mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        opened.writestr(info, content)
    return buffer.getvalue()


def many() -> bytes:
    return zipped({f"predictions/{n}.jsonl": b"" for n in range(65)})


def lying_size() -> bytes:
    """The directory says 10 bytes, the data are 10 MB."""
    real = bytearray(member("manifest.json", b"0" * 10_000_000))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = real.index(signature) + offset
        real[at : at + 4] = (10).to_bytes(4, "little")
    return bytes(real)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no zip", "no readable zip"),
        (b"", "no readable zip"),
        (member("../../etc/passwd"), "leads out of it"),
        (member("/etc/passwd"), "leads out of it"),
        (member("C:\\manifest.json"), "leads out of it"),
        (member("manifest.json", b"/etc/passwd", stat.S_IFLNK | 0o777), "holds a link"),
        (member("manifest.json", b"0" * 50_000_000), "would unpack to 50,000,000 bytes"),
        (lying_size(), "zip"),
        (many(), "more than 64 files"),
        (zipped({"a": b"x"})[:-8], "no readable zip"),
        (b"0" * (submission.MAX_UPLOAD_BYTES + 1), "bytes, more than"),
    ],
    ids=["text", "empty", "traversal", "absolute", "drive", "link", "bomb", "lying", "many", "cut", "big"],
)
def test_a_hostile_zip_is_refused_in_one_line(content: bytes, message: str) -> None:
    with pytest.raises(ItaMedError, match=message):
        submission.read_zip(content)


def test_links_and_hidden_files_of_a_folder_are_left_out(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("secret")
    (tmp_path / "manifest.json").symlink_to("/etc/passwd")
    (tmp_path / "results.json").write_text("{}")
    assert list(submission.read_folder(tmp_path)) == ["results.json"]


# --- keys


def test_the_key_depends_on_what_makes_a_submission_another_one(files: Files) -> None:
    first = submission.parse(files)
    assert (
        first.key
        == submission.parse(dict(reversed(files.items()))).key
        == submission.parse(change_manifest(files, seconds=9)).key
    )
    others = [
        change_manifest(files, model="other"),
        change_manifest(files, revision="2"),
        change_manifest(files, adapter="a1b2"),
        change_manifest(files, adapter={"name": "org/lora", "revision": "a1b2"}),
        change_manifest(files, adapter={"name": "lora", "weights_sha256": "c3d4"}),
        change_manifest(files, method="4-shot"),
        change_manifest(files, prompts_sha256={TASKS[0]: "0"}),
        files | {FIRST: files[FIRST] + b"\n"},
    ]
    assert len({first.key, *(submission.parse(other).key for other in others)}) == 9


def test_samples_of_lm_eval_are_a_submission_too(files: Files) -> None:
    data = gold(TASKS[0], "embedded")
    rows = [{"doc": {"id": e.id}, "resps": [[data.target(e)]]} for e in data.examples]
    samples = "\n".join(json.dumps(row) for row in rows)
    results = {
        "model_name": "Qwen/Qwen3-1.7B",
        "config": {"limit": None, "model_sha": "abc"},
        "n-shot": {TASKS[0]: 4},
    }
    stamp = "2026-11-21T10-00-00.123456"
    checked = check(
        {
            f"q/results_{stamp}.json": json.dumps(results).encode(),
            f"q/samples_{TASKS[0]}_{stamp}.jsonl": samples.encode(),
        },
        "embedded",
    )
    assert checked.problems == []
    assert checked.submission is not None
    assert (checked.submission.claim.model, checked.submission.claim.method) == ("Qwen/Qwen3-1.7B", "4-shot")
    assert checked.submission.claim.revision == "abc"
    assert [(x.task, x.metrics["score"], x.missing) for x in checked.scores] == [(TASKS[0], 1.0, [])]
