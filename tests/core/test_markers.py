"""What needs torch says so: make test-torch runs what carries the mark, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NEEDS_TORCH = re.compile(r'importorskip\("(torch|transformers|trl|peft|accelerate|llguidance)"|for module in \("torch"')


def test_modules_that_are_skipped_without_torch_carry_the_mark() -> None:
    sources = {path.relative_to(TESTS): path.read_text("utf-8") for path in TESTS.rglob("test_*.py")}
    needing = [path for path, source in sources.items() if NEEDS_TORCH.search(source)]
    assert len(needing) > 5, "the pattern finds those that there are"
    assert not [path for path in needing if "pytest.mark.torch" not in sources[path]]
