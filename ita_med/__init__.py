"""Italian clinical NLP: datasets, tasks, training and leaderboard.

>>> import ita_med
>>> ita_med.load_dataset("e3c", "disorder", mirror="embedded")      # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ita_med.version import BENCHMARK_VERSION, __version__

if TYPE_CHECKING:
    from datasets import DatasetDict

# In a checkout the rooms lie beside this folder: `python -m ita_med.cli` works there without an installation.
if (Path(__file__).parent.parent / "dataset_builders" / "build.py").is_file():
    __path__.append(str(Path(__file__).parent.parent))

__all__ = ["BENCHMARK_VERSION", "__version__", "load_dataset"]


def load_dataset(name: str, config: str | None = None, *, mirror: str | None = None, **options: Any) -> DatasetDict:
    """Build (or load from the cache) one view of a dataset; see `ita_med.dataset_builders.build.load_dataset`."""
    from ita_med.dataset_builders.build import load_dataset as load

    return load(name, config, mirror=mirror, **options)
