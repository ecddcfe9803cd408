"""What a run is computed on: GPU or CPU, 16 bits or 32, how fast, how much is free, and how many processes share it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ita_med.training.recipe import Recipe

GIB = 2**30


def has_gpu() -> bool:
    """Whether torch computes on a CUDA device here."""
    import torch

    return bool(torch.cuda.is_available())


def computes_in_16_bits(recipe: Recipe) -> bool:
    """Whether products are computed in bfloat16; a CPU that has no instructions for it would be slower with it."""
    import torch

    cpu = torch.cpu.get_capabilities()
    able = has_gpu() or cpu.get("avx512_bf16", False) or cpu.get("amx_tile", False)
    return recipe.model.dtype == "bfloat16" and bool(able)


def matrix_speed(half: bool, seconds: float = 0.1) -> tuple[float, str]:
    """Floating-point operations per second of a large matrix product, measured, and the device's name.

    half: in bfloat16, else in float32.
    """
    import torch

    gpu = has_gpu()
    device, n = ("cuda", 8192) if gpu else ("cpu", 512)
    dtype = torch.bfloat16 if half else torch.float32
    a = torch.ones(n, n, device=device, dtype=dtype)
    b = a @ a
    done, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        torch.mm(a, a, out=b)
        if gpu:
            torch.cuda.synchronize()
        done += 1
    return 2 * n**3 * done / passed, torch.cuda.get_device_name() if gpu else f"CPU, {torch.get_num_threads()} threads"


def free_memory() -> float | None:
    """GiB that this process may still take, on the GPU or the machine; None where that is not known."""
    if has_gpu():
        import torch

        return float(torch.cuda.mem_get_info()[0]) / GIB
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024 / GIB
    except (OSError, KeyError, ValueError):
        return None


def free_disk(out: Path) -> float:
    """GiB that are free where the run will be written."""
    import shutil

    place = out.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free / GIB


def world_size() -> int:
    """How many processes share the run, as torchrun and accelerate tell them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this is the process that writes and speaks."""
    return os.environ.get("RANK", "0") == "0"
