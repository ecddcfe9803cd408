"""Numbers of 16 bits on a CPU: where they are slower than those of 32, a run of a model says so."""

from __future__ import annotations

import sys
import time
from typing import Any

SLOWER = 2.0
"""A product of matrices that takes so many times longer is worth a warning."""


def slow_numbers(model: Any) -> str:
    """A warning where the model's 16-bit numbers are slower than float32, as on CPUs without instructions for them;
    measured in a few milliseconds."""
    torch = sys.modules.get("torch")
    dtype = getattr(model, "dtype", None)
    if torch is None or dtype not in (torch.bfloat16, torch.float16) or model.device.type != "cpu":
        return ""
    ratio = _product_seconds(dtype) / _product_seconds(torch.float32)
    if ratio < SLOWER:
        return ""
    kind = str(dtype).removeprefix("torch.")
    return f"this CPU multiplies {ratio:.0f} times slower in {kind} than in float32; use --model_args …,dtype=float32"


def _product_seconds(dtype: Any) -> float:
    """The shortest of three times of a matrix product."""
    import torch

    a = torch.ones(192, 192, dtype=dtype)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        torch.mm(a, a)
        seconds.append(time.perf_counter() - start)
    return min(seconds)
