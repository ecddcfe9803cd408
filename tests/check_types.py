"""Run mypy over the packages as they are installed (`ita_med.tasks`, …); the checkout lays them out otherwise.

The layout and mypy's cache stay in build/types, so that a second run takes seconds.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("dataset_builders", "tasks", "training", "leaderboard")


def main() -> int:
    place = ROOT / "build" / "types"
    package = place / "ita_med"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for path in (ROOT / "ita_med").iterdir():
        (package / path.name).symlink_to(path)
    for room in ROOMS:
        (package / room).symlink_to(ROOT / room)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p", "ita_med"]
    return subprocess.run(command, cwd=place).returncode


if __name__ == "__main__":
    sys.exit(main())
