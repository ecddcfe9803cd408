"""Generated pages are current."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_generated_pages_are_current() -> None:
    script = Path(__file__).parents[2] / "docs" / "generate.py"
    beside = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}  # the script imports one
    result = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, env=beside)
    assert result.returncode == 0, result.stderr
