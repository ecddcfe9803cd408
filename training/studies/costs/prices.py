"""What systems cost: per 1,000 documents, to train, and from how many documents on training pays.

Prices are the reader's own; what has no price or was not measured stays unknown (None) and is shown so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ita_med.training.studies.study import Prices

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Usage:
    """Of one system, sums over the documents that it answered and, if it was trained, over its training.

    seconds: wall time, model loading included; train_flops_full: had all parameters been trained; examples: training
    examples that somebody annotated.
    """

    documents: int
    seconds: float | None = None
    read: float | None = None
    written: float | None = None
    flops: float | None = None
    joules: float | None = None
    train_seconds: float | None = None
    train_flops: float | None = None
    train_flops_full: float | None = None
    train_joules: float | None = None
    examples: int = 0

    def per_document(self, total: float | None) -> float | None:
        return None if total is None or not self.documents else total / self.documents


def per_thousand(use: Usage, prices: Prices, *, large: bool) -> float | None:
    """€ per 1,000 documents: of a large model tokens at an API's price where one is stated, else hours of a machine."""
    if not use.documents:
        return None
    if large and (prices.large_million_input or prices.large_million_output):
        if use.read is None or use.written is None:
            return None
        euros = (use.read * prices.large_million_input + use.written * prices.large_million_output) / 1e6
        return 1000 * euros / use.documents
    hour = prices.large_hour if large else prices.small_hour
    if use.seconds is None or not (hour or (prices.kwh and use.joules is not None)):
        return None
    return 1000 * (use.seconds / 3600 * hour + _energy(use.joules, prices)) / use.documents


def fixed(use: Usage, prices: Prices) -> float | None:
    """€ before the first document: training and annotation; 0 for a system that was not trained."""
    if use.train_seconds is None and use.train_flops is None and not use.examples:
        return 0.0
    annotation = use.examples * prices.example
    if not prices.small_hour and not (prices.kwh and use.train_joules is not None):
        return None
    if use.train_seconds is None:
        return None
    return use.train_seconds / 3600 * prices.small_hour + _energy(use.train_joules, prices) + annotation


def _energy(joules: float | None, prices: Prices) -> float:
    return (joules or 0.0) / JOULES_PER_KWH * prices.kwh


def break_even(first: float, small: float, large: float) -> int | None:
    """The number of documents from which on a small model that costs `first` € to train and `small` € per 1,000 is
    cheaper than a large one at `large` € per 1,000; None: never. 0 where it costs nothing to train."""
    if first <= 0:
        return 0 if small <= large else None
    if small >= large:
        return None
    return math.floor(1000 * first / (large - small)) + 1


def total(first: float, thousand: float, documents: Sequence[float]) -> list[float]:
    """€ by number of documents."""
    return [first + thousand * n / 1000 for n in documents]
