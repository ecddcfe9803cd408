"""From the command line to the first request: `ita-med eval` against `lm_eval run`, in turns, whole processes.

    python benchmarks/startup.py [--model hf --model_args pretrained=FOLDER --device cpu] [MIRROR]

Both get the same model type, the same tasks and `--limit 1`; the process ends when the first `generate_until` is
called. The default model is lm-eval's "dummy", so that no weights are loaded; with "hf" the time of the imports of
torch and transformers and of loading the weights is in both. lm_eval finds our YAML files by --include_path, as in a
checkout. Before that, `--help` of both. Median of `ROUNDS`, after one round that warms the file cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ita_med import catalogue
from ita_med.tasks.benchmark.lm_eval_files import FOLDER

ROUNDS = 5
STOP = """
import sys, os, importlib
module, _, name = {model!r}.partition(":")
cls = getattr(importlib.import_module(module), name)
def first(self, *args, **kwargs):
    os._exit(0)
cls.generate_until = first
if {engine}:
    from ita_med.tasks.evaluation.hf_engine import Engine
    Engine.generate = first
sys.argv = {argv!r}
{run}
"""
CLASSES = {"dummy": "lm_eval.models.dummy:DummyLM", "hf": "lm_eval.models.huggingface:HFLM"}


def seconds(code: str, mirror: str) -> float:
    environment = os.environ | {"ITA_MED_MIRROR": mirror, "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    taken = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return taken


HELP = {
    "lm_eval": "import sys; sys.argv = ['lm_eval', 'run', '--help']; from lm_eval.__main__ import cli_evaluate as main",
    "ita-med": "import sys; sys.argv = ['ita-med', '--help']; from ita_med.cli import main",
}


def compare(codes: dict[str, str], mirror: str) -> tuple[float, float, list[float]]:
    """Median seconds of lm_eval and of ita-med, in turns, and the ratio of each round."""
    rounds = [{name: seconds(code, mirror) for name, code in codes.items()} for _ in range(ROUNDS + 1)][1:]
    slow, fast = (statistics.median(r[name] for r in rounds) for name in ("lm_eval", "ita-med"))
    return slow, fast, sorted(r["lm_eval"] / r["ita-med"] for r in rounds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mirror", nargs="?", default="embedded")
    parser.add_argument("--model", choices=CLASSES, default="dummy")
    parser.add_argument("--model_args", default="")
    parser.add_argument("--device", default="")
    given = parser.parse_args()
    model = ["--model", given.model, "--limit", "1"]
    model += [
        word
        for name in ("model_args", "device")
        if getattr(given, name)
        for word in (f"--{name}", getattr(given, name))
    ]
    slow, fast, ratios = compare({name: f"{code}; main()" for name, code in HELP.items()}, given.mirror)
    print(f"--help: lm_eval {slow:.2f} s, ita-med {fast:.2f} s, ratio {slow / fast:.1f}")
    ready = ",".join(task.id for task in catalogue.tasks(ready=True))
    with tempfile.TemporaryDirectory() as folder:
        own = ["ita-med", "eval", "--tasks", ready, "--out", str(Path(folder) / "run"), *model]
        peer = ["lm_eval", "run", "--tasks", ready, "--include_path", str(FOLDER), *model]
        cls = CLASSES[given.model]
        codes = {
            "lm_eval": STOP.format(
                model=cls, engine=False, argv=peer, run="from lm_eval.__main__ import cli_evaluate; cli_evaluate()"
            ),
            "ita-med": STOP.format(
                model=cls, engine=given.model == "hf", argv=own, run="from ita_med.cli import main; main()"
            ),
        }
        slow, fast, ratios = compare(codes, given.mirror)
    print(f"{len(ready.split(','))} tasks, model {given.model}: lm_eval {slow:.2f} s, ita-med eval {fast:.2f} s")
    target = "; target: 10 or more" if given.model == "dummy" else ""
    print(f"ratio {slow / fast:.1f} (rounds: {', '.join(f'{ratio:.1f}' for ratio in ratios)}{target})")


if __name__ == "__main__":
    main()
