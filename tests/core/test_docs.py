"""Generated pages are current, and what the documents name is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(
    r"(?<![\w/.-])((?:ita_med|dataset_builders|tasks|training|leaderboard|tests|benchmarks|docs)/[\w/.-]+\w)"
)
TARGETS = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def test_generated_pages_are_current() -> None:
    script = ROOT / "docs" / "generate.py"
    beside = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}  # the script imports one
    result = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, env=beside)
    assert result.returncode == 0, result.stderr


def test_files_and_links_in_documents_exist() -> None:
    missing = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        text = page.read_text("utf-8")
        named = [
            ROOT / name
            for name in NAMED.findall(TARGETS.sub("", text))
            if name.endswith((".py", ".toml", ".md", ".yaml", ".sh"))
        ]
        linked = [page.parent / target.replace("\\", "") for target in TARGETS.findall(text)]
        missing += [f"{page.name}: {path.relative_to(ROOT)}" for path in named + linked if not path.exists()]
    assert not missing
