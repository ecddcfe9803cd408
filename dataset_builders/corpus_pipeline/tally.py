"""Counts of what happened to documents, words and characters, by source and licence; one small file per task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

Counts = list[int]
"""Documents, words, characters."""


@dataclass
class Tally:
    """Counts of events: event -> source -> licence -> documents, words, characters.

    Events are "read", "normalised", "written", "STEP/REASON" for what was removed, and "personal_data/PLACEHOLDER".
    """

    counts: dict[str, dict[str, dict[str, Counts]]] = field(default_factory=dict)

    def add(self, event: str, metadata: dict[str, Any], words: int, characters: int, documents: int = 1) -> None:
        """Count one document, or what was found in it, for its source and licence."""
        sources = self.counts.setdefault(event, {}).setdefault(metadata["source"], {})
        counts = sources.setdefault(metadata["licence"], [0, 0, 0])
        counts[0] += documents
        counts[1] += words
        counts[2] += characters

    def merge(self, other: Tally) -> None:
        """Add the counts of another tally."""
        for event, sources in other.counts.items():
            for source, licences in sources.items():
                for licence, (documents, words, characters) in licences.items():
                    metadata = {"source": source, "licence": licence}
                    self.add(event, metadata, words, characters, documents)

    def save(self, path: Path) -> None:
        """Write the counts, to be read by `merged`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(self.counts, option=orjson.OPT_SORT_KEYS))


def merged(paths: Iterable[Path]) -> Tally:
    """The sum of the tallies that all tasks saved."""
    total = Tally()
    for path in sorted(paths):
        total.merge(Tally(orjson.loads(path.read_bytes())))
    return total
