"""A run that is killed goes on where it stopped: the same folder, and nothing is asked twice but what was in flight."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ita_med.errors import ItaMedError
from ita_med.tasks.evaluation import answer_log
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.evaluate import evaluate
from ita_med.tasks.evaluation.run_requests import SMALL_CHUNK

pytestmark = pytest.mark.slow

TASKS = ["re_clinkart", "qa_med_ita"]
SLOW_MODEL = """
import hashlib, os, sys, time
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

@register_model("slow")
class Slow(LM):
    def __init__(self, log="", pause=0.0, reports=1, **rest):
        super().__init__()
        self.log, self.pause, self.reports = open(log, "a"), float(pause), int(reports)

    def generate_until(self, requests):
        out = []
        for request in requests:
            prompt, kwargs = request.args
            print(hashlib.sha256(prompt.encode()).hexdigest(), file=self.log, flush=True)
            time.sleep(self.pause)
            letter = "ABCD"[len(prompt) % 4]
            out.append('{"relazioni": [], "disturbo": ["' + prompt[-60:-50] + '"], "risposta": "' + letter + '"}')
            if self.reports:
                self.cache_hook.add_partial("generate_until", request.args, out[-1])
        return out

    loglikelihood = loglikelihood_rolling = None

from ita_med import cli
sys.argv = ["ita-med", *sys.argv[1:]]
cli.main()
"""


def command(out: Path, model: str, *more: str) -> list[str]:
    names = ",".join(TASKS)
    options = ["--tasks", names, "--mirror", "embedded", "--out", str(out), "--num_fewshot", "1", *more]
    return ["eval", "--model", model, *options]


def start(script: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(script), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )


def content(out: Path) -> dict[str, Any]:
    """The files of a finished run by path, without their times."""
    assert not (out / answer_log.FOLDER).exists()
    files: dict[str, Any] = {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
    for name in ("manifest.json", "results.json"):
        files[name] = json.loads(files[name])
        for speed in files[name].pop("speed").values():
            assert speed["seconds"] >= 0
        for key in ("seconds", "tokens_per_second", "started", "command", "run"):
            files[name].pop(key, None)
    return files


@pytest.mark.parametrize("reports", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_as_an_uninterrupted_one(tmp_path: Path, reports: int) -> None:
    """reports: whether the model tells of each answer as it comes, or of all at the end of a call."""
    script = tmp_path / "slow.py"
    script.write_text(SLOW_MODEL)
    whole = start(script, command(tmp_path / "whole", "slow", "--model_args", f"log={tmp_path / 'whole.log'}"))
    assert whole.wait() == 0, whole.stderr and whole.stderr.read()
    log, out = tmp_path / "log", tmp_path / "out"
    arguments = command(out, "slow", "--model_args", f"log={log},pause=0.01,reports={reports}")
    random.seed(reports)
    kills, code = 0, 1
    while code != 0:
        process = start(script, arguments)
        before = asked(log)
        if kills < 5:
            deadline = time.monotonic() + 60
            while process.poll() is None and asked(log) <= before and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            kills += 1
        code = process.wait()
        assert code in (0, -signal.SIGKILL), process.stderr and process.stderr.read()
    assert kills >= 5
    assert content(out) == content(tmp_path / "whole")
    times = Counter(log.read_text().split())
    distinct = set((tmp_path / "whole.log").read_text().split())
    assert times.keys() == distinct
    assert sum(times.values()) <= len(distinct) + kills * (1 if reports else SMALL_CHUNK)


def asked(log: Path) -> int:
    return len(log.read_text().split()) if log.exists() else 0


def test_a_transformers_run_that_is_killed_ends_as_an_uninterrupted_one(tiny_model: Path, tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text("from ita_med import cli; cli.main()")
    more = ["--model_args", f"pretrained={tiny_model},dtype=float32", "--device", "cpu", "--batch_size", "2"]
    whole = start(script, command(tmp_path / "whole", "hf", *more, "--limit", "8"))
    assert whole.wait() == 0, whole.stderr and whole.stderr.read()
    out, written, kills, code = tmp_path / "out", 0, 0, 1
    answers = out / answer_log.FOLDER / "answers-0.jsonl"
    while code != 0:
        process = start(script, command(out, "hf", *more, "--limit", "8"))
        while kills < 2 and process.poll() is None:  # until it has written something new
            size = answers.stat().st_size if answers.exists() else 0
            if size > written:
                written = size
                process.send_signal(signal.SIGKILL)
                kills += 1
            time.sleep(0.002)
        code = process.wait()
        assert code in (0, -signal.SIGKILL), process.stderr and process.stderr.read()
    assert kills == 2
    assert content(out) == content(tmp_path / "whole")


# --- the journal


def answer(text: str) -> answer_log.LoggedAnswer:
    return answer_log.LoggedAnswer(text, 3, 0.5)


def test_a_torn_last_line_is_asked_again_and_the_rest_is_kept(tmp_path: Path) -> None:
    first = answer_log.Journal(tmp_path, {"model": "a"})
    first.add([("k1", answer("uno\n\u2028")), ("k2", answer("due"))])
    first.close()
    with first.path.open("rb+") as file:
        file.truncate(first.path.stat().st_size - 5)
    second = answer_log.Journal(tmp_path, {"model": "a"})
    assert second.answers == {"k1": answer("uno\n\u2028")}
    second.add([("k2", answer("due")), ("k3", answer("tre"))])
    second.close()
    assert answer_log.Journal(tmp_path, {"model": "a"}).answers.keys() == {"k1", "k2", "k3"}


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    first = answer_log.Journal(tmp_path, {"model": "a"})
    first.add([("k", answer(""))])
    second = answer_log.Journal(tmp_path, {"model": "a"})
    with pytest.raises(ItaMedError, match="another ita-med eval"):
        second.add([("k", answer(""))])


@pytest.mark.parametrize(
    ("other", "word"),
    [(Run("baseline", "kind=knn", num_fewshot=1), "num_fewshot"), (Run("baseline", "kind=majority"), "model_args"),
     (Run("dummy", "kind=knn"), "model"), (Run("baseline", "kind=knn", limit=2), "limit")],
)  # fmt: skip
def test_another_command_into_the_same_folder_is_refused(
    tmp_path: Path, other: Run, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ita_med.tasks.evaluation import run_requests

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(run_requests, "speed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            evaluate(Run("baseline", "kind=knn"), ["qa_med_ita"], out, "embedded")
    assert (out / answer_log.FOLDER).is_dir()
    with pytest.raises(ItaMedError, match=f"unfinished run with {word}"):
        evaluate(other, ["qa_med_ita"], out, "embedded")
    with pytest.raises(ItaMedError, match="unfinished run with tasks"):
        evaluate(Run("baseline", "kind=knn"), ["re_clinkart"], out, "embedded")
    evaluate(Run("baseline", "kind=knn", batch_size="7"), ["qa_med_ita"], out, "embedded")
    assert (out / "manifest.json").is_file()


def test_another_model_behind_the_same_name_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    from ita_med.tasks.evaluation.model_identity import folder_sha256

    copy = tmp_path / "copy"
    shutil.copytree(tiny_model, copy)
    before = folder_sha256(copy)
    assert before == folder_sha256(tiny_model)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert folder_sha256(copy) != before
    first = answer_log.Journal(tmp_path / "run", {"identity": before})
    first.add([("k", answer(""))])
    first.close()
    with pytest.raises(ItaMedError, match="unfinished run with identity"):
        answer_log.Journal(tmp_path / "run", {"identity": folder_sha256(copy)})
