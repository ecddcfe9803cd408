"""The versions of the package and of the benchmark; everything else that needs them imports them from here."""

__version__ = "0.1.0"
BENCHMARK_VERSION = "0.1"
"""Raised whenever a prompt, a few-shot example, a form or a score changes."""
