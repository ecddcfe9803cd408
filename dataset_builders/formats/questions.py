"""What builders of multiple-choice questions share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ita_med.build_report import BuildReport
from ita_med.schema import ChoiceExample, Example


def repeats(examples: Iterable[Example]) -> int:
    """How many questions repeat another one: same context, image and options, in whatever order."""
    contents = (
        (e.context, e.question.strip(), str(e.meta.get("image_url", "")), *sorted(e.options))
        for e in examples
        if isinstance(e, ChoiceExample)
    )
    return sum(n - 1 for n in Counter(contents).values())


def counted(examples: Iterable[ChoiceExample | None], report: BuildReport) -> list[Example]:
    """The examples that are there; repeated ones are kept and counted."""
    kept: list[Example] = [example for example in examples if example is not None]
    report.warn("repeated_question", repeats(kept))
    return kept
