"""manifest.json of a finished run: everything that a reader needs to repeat it, and no path of a machine."""

from __future__ import annotations

import platform
import sys
import time
from datetime import UTC, datetime
from typing import Any

from ita_med.tasks.evaluation.manifest import command, hardware
from ita_med.tasks.evaluation.package_versions import versions
from ita_med.training.recipe import Recipe
from ita_med.training.record import licences, run_folder
from ita_med.training.record.outcome import TrainingOutcome
from ita_med.version import BENCHMARK_VERSION, __version__

PACKAGES = ("trl", "transformers", "peft", "accelerate", "torch", "tokenizers", "datasets", "numpy")


def manifest(
    recipe: Recipe,
    mark: str,
    counts: dict[str, dict[str, Any]],
    facts: dict[str, Any],
    outcome: TrainingOutcome,
    started: float,
) -> dict[str, Any]:
    """The manifest of a finished run.

    Args:
        recipe: What was trained.
        mark: `run_folder.fingerprint` of the run.
        counts: Task or corpus -> what was there, left out and taken of it.
        facts: What else is known of the data, by key.
        outcome: What the training did.
        started: When it began, in seconds since 1970.
    """
    used = {name: of_one for name, of_one in counts.items() if of_one.get("rows", 1)}
    terms = licences.of_data(used)
    return {
        "name": recipe.name,
        "method": recipe.method,
        "fingerprint": mark,
        "base": run_folder.base(recipe),
        "recipe": run_folder.as_run(recipe),
        "tasks": sorted(used) if recipe.data.tasks else [],
        "corpora": sorted(used) if recipe.data.corpora else [],
        "data": counts,
        **facts,
        "licences": terms,
        "commercial": all(entry["commercial"] for entry in terms),
        **outcome.as_dict(),
        "seed": recipe.train.seed,
        "benchmark_version": BENCHMARK_VERSION,
        "command": command(sys.argv),
        "versions": {"ita-med": __version__, "python": platform.python_version()} | versions(PACKAGES),
        "hardware": hardware(),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 2),
    }
