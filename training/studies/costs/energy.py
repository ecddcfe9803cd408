"""Energy that a stretch of work took, where the machine tells: Intel's and AMD's counters (RAPL), NVIDIA's (NVML).

RAPL counts the processors of the whole machine (Linux lets root alone read it, unless the administrator allows more),
NVML whole accelerators: what runs beside is in it. Nothing is estimated: where no counter can be read, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass
class Meter:
    """Counters when it was made; `joules` is what they have counted since, by source, {} where none can be read."""

    powercap: Path = POWERCAP
    started: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.started = _read(self.powercap)

    def joules(self) -> dict[str, float]:
        now = _read(self.powercap)
        found: dict[str, float] = {}
        for name, before in self.started.items():
            if name in now:
                kind = "nvml" if name.startswith("nvml") else "rapl"
                used = now[name] - before
                if used < 0:  # RAPL's counters turn over, some within the hour: one turn can be told
                    used += _range(self.powercap / name)
                found[kind] = round(found.get(kind, 0.0) + used, 3)
        return found


def _read(powercap: Path) -> dict[str, float]:
    """Joules by counter: processor packages by the name of their folder, accelerators as nvml:N."""
    found = {}
    for folder in sorted(powercap.glob("*rapl:[0-9]*")) if powercap.is_dir() else []:
        if folder.name.count(":") == 1:  # packages; what is below them is part of them
            try:
                found[folder.name] = int((folder / "energy_uj").read_text()) / 1e6
            except (OSError, ValueError):
                continue
    return found | _nvml()


def _range(folder: Path) -> float:
    try:
        return int((folder / "max_energy_range_uj").read_text()) / 1e6
    except (OSError, ValueError):
        return 0.0


def _nvml() -> dict[str, float]:
    try:
        import pynvml
    except ImportError:
        return {}
    found = {}
    try:
        pynvml.nvmlInit()
        for n in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(n)
            found[f"nvml:{n}"] = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return {}
    return found
