"""General text beside the corpora of continual pre-training, so that a model does not forget what it knew.

A share s of what is read shall be replayed: s / (1 - s) times the characters of the corpora. Each document of the
general text is drawn or not by a hash of its text and the seed, so that the draw is the same in every process, in every
order, and when texts are streamed. No document is drawn twice: if there is too little general text, all of it is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ita_med.dataset_builders.corpus_pipeline import inputs


@dataclass
class ReplayDraw:
    """keep: the probability with which a document is drawn."""

    files: list[Path]
    keep: float
    seed: int
    documents: int = 0

    def holds(self, text: str) -> bool:
        digest = hashlib.blake2b(f"{self.seed}\0{text}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.keep * 2**64


def draw(folders: dict[str, tuple[list[Path], dict[str, Any]]], share: float, seed: int, characters: int) -> ReplayDraw:
    """Decide which documents are replayed, and count them.

    folders: name -> files and counts of a built corpus; the counts become those of what is drawn. characters: of the
    corpora that they are mixed into.
    """
    there = sum(counts["characters"] for _, counts in folders.values())
    wanted = characters * share / (1 - share)
    drawn = ReplayDraw(
        [path for files, _ in folders.values() for path in files], min(1.0, wanted / max(there, 1)), seed
    )
    for files, counts in folders.values():
        found = {"documents": 0, "words": 0, "characters": 0}
        for piece in inputs.pieces([(path, path.name) for path in files]):
            for text in (record.text for record in inputs.records(piece)):
                if drawn.holds(text):
                    found["documents"] += 1
                    found["words"] += len(text.split())
                    found["characters"] += len(text)
        counts |= found | {"replayed_of": counts["documents"]}
        drawn.documents += found["documents"]
    total = characters + sum(counts["characters"] for _, counts in folders.values())
    for _, counts in folders.values():
        counts["share"] = round(counts["characters"] / total, 4)
    return drawn


def interleave(main: Any, general: Any, documents: int, drawn: ReplayDraw) -> Any:
    """Both as one data set, in a random order that the seed fixes, every document once."""
    from datasets import interleave_datasets

    both = documents + drawn.documents
    return interleave_datasets(
        [main, general],
        probabilities=[documents / both, drawn.documents / both],
        seed=drawn.seed,
        stopping_strategy="all_exhausted_without_replacement",
    )


def only(drawn: ReplayDraw) -> Callable[[dict[str, Any]], bool]:
    """For `Dataset.filter`."""
    return lambda row: drawn.holds(row["text"])
