"""Counters of a machine, made up in files."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ita_med.training.studies.costs.energy import Meter


def counter(folder: Path, name: str, joules: float, most: float = 100.0) -> None:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{int(joules * 1e6)}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{int(most * 1e6)}\n")


def test_packages_are_summed_and_a_counter_that_turned_over_is_put_right(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        counter(tmp_path, name, 10)
    meter = Meter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 35)
    counter(tmp_path, "intel-rapl:1", 5)
    counter(tmp_path, "intel-rapl:0:0", 30)  # part of the first package
    assert meter.joules() == {"rapl": 25 + 95}


def test_what_cannot_be_read_is_absent(tmp_path: Path) -> None:
    counter(tmp_path, "intel-rapl:0", 10)
    meter = Meter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("no number")
    assert meter.joules() == {}
    assert Meter(tmp_path / "nowhere").joules() == {}


def test_accelerators_tell_through_nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = {0: 1000, 1: 500}
    nvml = SimpleNamespace(
        nvmlInit=lambda: None, nvmlShutdown=lambda: None, nvmlDeviceGetCount=lambda: 2, NVMLError=RuntimeError,
        nvmlDeviceGetHandleByIndex=lambda n: n, nvmlDeviceGetTotalEnergyConsumption=lambda n: used[n],
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    meter = Meter(tmp_path)
    used.update({0: 3000, 1: 1500})
    assert meter.joules() == {"nvml": 3.0}
