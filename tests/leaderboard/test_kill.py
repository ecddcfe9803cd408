"""kill -9 at random points: a short run of benchmarks/board_kill.py, which does fifty rounds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from .conftest import BOTH, url_of

pytestmark = pytest.mark.slow

DATABASES = BOTH
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "board_kill.py"


def test_killed_servers_and_workers_lose_double_and_half_write_nothing(engine: Engine) -> None:
    env = dict(os.environ) | {"ITA_MED_DB": url_of(engine)}
    command = [sys.executable, str(SCRIPT), "--rounds", "2", "--most", "1", "--seed", "4"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none lost, none half; jobs 10 done" in done.stdout
    assert int(re.findall(r"(\d+) accepted", done.stdout)[-1]) > 0
