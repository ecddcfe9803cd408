"""The versions of the packages that a model's answers depend on."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("lm_eval", "datasets", "transformers", "tokenizers", "torch", "peft", "vllm", "llguidance", "numpy")


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Package -> its version, of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
