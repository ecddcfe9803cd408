"""Argument components line by line: the label of a training line, and which part of a line is the component."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ita_med.schema import Example, SpanExample

MIN_COVERED = 0.5
_LIST_MARK = re.compile(r"\d+\s*[-.)]\s*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text.

    Attributes:
        text: the line without white space around.
        start, end: its characters [start, end) in the text.
        label: of a training line, what most of it is annotated as; None: nothing.
    """

    text: str
    start: int
    end: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Trim:
    """What components leave out of their line: the mark of a list ("1- "), the final full stop."""

    list_mark: bool
    full_stop: bool


def split(text: str) -> Iterator[Line]:
    """The lines of a text that are not empty, with their places."""
    for match in re.finditer(r"[^\n]+", text):
        line = match[0].strip()
        if line:
            start = match.start() + match[0].index(line)
            yield Line(line, start, start + len(line))


def labelled(examples: list[Example], labels: list[str]) -> list[Line]:
    """The lines of training examples, each with the label whose components cover at least half of it, if any."""
    found = []
    for example in examples:
        assert isinstance(example, SpanExample)
        for line in split(example.text):
            covered = dict.fromkeys(labels, 0)
            for span in example.spans:
                if span.label in covered:
                    covered[span.label] += max(0, min(line.end, span.end) - max(line.start, span.start))
            label = max(labels, key=lambda name: covered[name])
            enough = covered[label] >= MIN_COVERED * (line.end - line.start)
            found.append(Line(line.text, line.start, line.end, label if enough else None))
    return found


def learn_trim(examples: list[Example]) -> Trim:
    """What most training components leave out, where their line has it."""
    marks, stops = [], []
    for example in examples:
        assert isinstance(example, SpanExample)
        starts = {span.start for span in example.spans}
        ends = {span.end for span in example.spans}
        for line in split(example.text):
            mark = _LIST_MARK.match(line.text)
            if mark and starts & {line.start, line.start + mark.end()}:
                marks.append(line.start not in starts)
            if line.text.endswith(".") and ends & {line.end, line.end - 1}:
                stops.append(line.end not in ends)
    return Trim(sum(marks) > len(marks) / 2, sum(stops) > len(stops) / 2)


def component(line: Line, trim: Trim) -> tuple[int, int]:
    """The place of the component that a line is, or the whole line where trimming would leave nothing."""
    mark = _LIST_MARK.match(line.text) if trim.list_mark else None
    start = line.start + mark.end() if mark else line.start
    end = line.end - 1 if trim.full_stop and line.text.endswith(".") else line.end
    return (start, end) if start < end else (line.start, line.end)
