"""The checker of submissions: the server runs it on uploads, `ita-med leaderboard check` on a submitter's own machine.

A submission is accepted only without a problem: every evaluated document of each of its tasks answered once, nothing
else, every line readable. An answer that does not parse is no problem: it is wrong, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from ita_med import sources
from ita_med.errors import ItaMedError
from ita_med.leaderboard.submissions.submission import MAX_PROBLEMS, Submission, parse
from ita_med.tasks.benchmark import predictions
from ita_med.tasks.benchmark.task_data import Scores, TaskData, load
from ita_med.tasks.families.family import Answer
from ita_med.text import short_line

MAX_LINE_BYTES = 2**20


@dataclass
class Checked:
    """What the checker found.

    Attributes:
        submission: What was read; None where it could not be.
        scores: Of each task, only where there is no problem.
        problems: One line each, at most `MAX_PROBLEMS`.
    """

    submission: Submission | None = None
    scores: list[Scores] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether the submission may be kept."""
        return not self.problems and self.submission is not None


@lru_cache(maxsize=32)
def gold(task: str, mirror: str | None) -> TaskData:
    """A task with its gold answers, kept in memory; they never leave the process."""
    return load(task, mirror)


def check(files: dict[str, bytes], mirror: str | None = None) -> Checked:
    """Check and score a submission.

    Args:
        files: As `submission.read_folder` or `read_zip` give them.
        mirror: Where the gold data lie; None for the cache.
    """
    try:
        submission = parse(files)
    except ItaMedError as error:
        return Checked(problems=[str(error)])
    checked = Checked(submission)
    for task, content in submission.predictions.items():
        try:
            data = gold(task, mirror)
        except ItaMedError:
            checked.problems.append(f"{task}: this board has no gold answers for the task, it cannot be scored here")
            continue
        checked.problems += _stated_data(submission, data)
        answers, problems = _answers(task, content, data)
        checked.problems += problems
        if not problems:
            checked.scores.append(data.score(answers))
    checked.problems = checked.problems[:MAX_PROBLEMS]
    if checked.problems:
        checked.scores = []
    return checked


def _stated_data(submission: Submission, data: TaskData) -> list[str]:
    """A problem where the run says that it was on other data than the board scores on.

    A run on the synthetic sample must never stand among runs on real data, nor one on other files among these. A run
    that does not say on which data it was, as those of lm-eval, is scored as it is.
    """
    stated = submission.manifest.get("data")
    if not isinstance(stated, dict) or not isinstance(stated.get(data.task.id), str):
        return []
    kind, _, fingerprint = stated[data.task.id].partition(":")
    if (kind == sources.EMBEDDED) == (data.source == sources.EMBEDDED) and fingerprint == data.fingerprint:
        return []
    return [
        f"{data.task.id}: the run was on {short_line(stated[data.task.id])}, this board scores on "
        f"{data.source}:{data.fingerprint}; evaluate on the pinned files"
    ]


def _answers(task: str, content: bytes, data: TaskData) -> tuple[dict[str, Answer | None], list[str]]:
    """Answers by example id, and what is wrong line by line."""
    answers: dict[str, Answer | None] = {}
    problems: list[str] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        where = f"{task}, line {number}"
        if not line.strip():
            continue
        if len(problems) >= MAX_PROBLEMS:
            return answers, problems
        if len(line) > MAX_LINE_BYTES:
            problems.append(f"{where} has {len(line):,} bytes, more than {MAX_LINE_BYTES:,}")
            continue
        try:
            key, answer = predictions.parse_line(line, where, data)
        except ItaMedError as error:
            problems.append(short_line(str(error), 300))
            continue
        if key not in data.by_id:
            problems.append(f'{where}: "{short_line(key)}" is no evaluated document')
        elif key in answers:
            problems.append(f'{where}: document "{short_line(key)}" was answered before')
        else:
            answers[key] = answer
    if missing := [i for i in data.by_id if i not in answers]:
        problems.append(f'{task}: {len(missing):,} of {len(data.by_id):,} documents are missing, as "{missing[0]}"')
    return answers, problems
