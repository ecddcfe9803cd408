"""What a builder did: every upstream annotation kept, or dropped for a named reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ita_med.schema import UNKNOWN_VALUES, Example, FormExample, RelationExample, SpanExample, TextExample

_SPACE = np.array([chr(unit).isspace() for unit in range(2**16)])


def count_words(text: str) -> tuple[int, int]:
    """`len(text.split())`, and how many UTF-16 units are no white space; faster than to split a corpus."""
    space = _SPACE.take(np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16))
    words = int(np.count_nonzero(space[:-1] > space[1:])) + bool(len(space) and not space[0])
    return words, len(space) - int(np.count_nonzero(space))


@dataclass
class SplitReport:
    """Counts of one split: examples, source documents, annotations and relations by label, drops by reason."""

    examples: int = 0
    documents: int = 0
    annotations: Counter[str] = field(default_factory=Counter)
    relations: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str, n: int = 1) -> None:
        if n:
            self.dropped[reason] += n

    def count(self, examples: Iterable[Example]) -> None:
        """Add the counts of finished examples; all examples of a document are in one call."""
        doc_ids = set()
        for example in examples:
            self.examples += 1
            doc_ids.add(example.doc_id)
            match example:
                case SpanExample() | RelationExample():
                    self.annotations.update(span.label for span in example.spans)
                    if isinstance(example, RelationExample):
                        self.relations.update(relation.label for relation in example.relations)
                case FormExample():
                    unknown = sum(item.value in UNKNOWN_VALUES for item in example.items)
                    self.annotations["unknown"] += unknown
                    self.annotations["known"] += len(example.items) - unknown
                case TextExample():
                    self.annotations["words"] += example.meta.get("words") or count_words(example.text)[0]
        self.documents += len(doc_ids - {""})

    def as_dict(self) -> dict[str, Any]:
        plain = {name: dict(sorted(getattr(self, name).items())) for name in ("annotations", "relations", "dropped")}
        return {"examples": self.examples, "documents": self.documents, **plain}


@dataclass
class BuildReport:
    """The build report of one dataset; `warnings` counts oddities that lose nothing (duplicates, repaired lines)."""

    splits: dict[tuple[str, str], SplitReport] = field(default_factory=dict)
    warnings: Counter[str] = field(default_factory=Counter)
    missing: dict[str, str] = field(default_factory=dict)
    """Config -> one line on the files that it lacks."""

    def split(self, config: str, split: str) -> SplitReport:
        return self.splits.setdefault((config, split), SplitReport())

    def warn(self, kind: str, n: int = 1) -> None:
        if n:
            self.warnings[kind] += n

    def as_dict(self) -> dict[str, Any]:
        configs: dict[str, dict[str, Any]] = {}
        for (config, split), report in self.splits.items():
            configs.setdefault(config, {})[split] = report.as_dict()
        return {"configs": configs, "warnings": dict(sorted(self.warnings.items()))}
