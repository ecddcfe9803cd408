"""The tasks of the benchmark, and the systems on one of them."""

from __future__ import annotations

from dataclasses import dataclass

from ita_med import catalogue
from ita_med.leaderboard.pages.site import REPOSITORY, Page, Site, fill
from ita_med.leaderboard.results.ranking import BoardRow, Ranking
from ita_med.tasks.baselines import KINDS
from ita_med.tasks.report.rows import COLUMNS


@dataclass(frozen=True)
class SystemScore:
    """The score of a system on one task and its standard error, in points."""

    row: BoardRow
    score: float
    error: float | None


def page(site: Site, view: Ranking, documents: dict[str, int]) -> Page:
    """The page of all tasks, by family.

    Args:
        site: Language and addresses.
        view: The ranking of all tasks, raw.
        documents: How many documents the board scores on, by task.
    """
    tasks = catalogue.tasks(ready=True)
    content = fill(
        "tasks.html", site, view=view, documents=documents,
        datasets={task.id: catalogue.dataset(task.dataset) for task in tasks},
        tasks={family: [task for task in tasks if task.family == family] for family in COLUMNS},
        floors=floors(view), best={task.id: best(view, task.id) for task in tasks}, kinds=KINDS, card=card,
    )  # fmt: skip
    return Page("tasks", site.words["tasks"], site.words["tasks_about"], content)


def one(site: Site, task: catalogue.Task, view: Ranking, documents: dict[str, int], errors: dict[int, float]) -> Page:
    """The page of one task, with the systems in the order of their scores.

    Args:
        site: Language and addresses.
        task: The task.
        view: The ranking of all tasks, raw.
        documents: How many documents the board scores on, by task.
        errors: Standard error in points by submission id.
    """
    lines = [SystemScore(row, row.tasks[task.id], errors.get(row.id)) for row in view.rows if task.id in row.tasks]
    lines = sorted((line for line in lines if line.row.kind != "other data"), key=lambda line: -line.score)
    content = fill(
        "task.html", site, task=task, dataset=catalogue.dataset(task.dataset), view=view, lines=lines,
        documents=documents.get(task.id), card=card,
        dataset_card=f"{REPOSITORY}/blob/main/docs/cards/{task.dataset}.md",
    )  # fmt: skip
    return Page("tasks", task.title, f"{task.title}: {task.headline}", content, {"task": task.id})


def card(task: str) -> str:
    """The address of a task's card: its prompt, answer and scores."""
    return f"{REPOSITORY}/blob/main/docs/tasks/{task}.md"


def floors(view: Ranking) -> dict[str, dict[str, float]]:
    """The score of each floor by task; of several rows of a floor, the newest counts."""
    found: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    for row in sorted(view.rows, key=lambda row: row.id):
        if row.kind == "floor" and row.model in found:
            found[row.model] |= row.tasks
    return found


def best(view: Ranking, task: str) -> BoardRow | None:
    """The system with the highest score on a task, ranked or partial; of equal ones, the one that came first."""
    rows = [row for row in view.rows if row.kind in ("ranked", "partial") and task in row.tasks]
    return max(rows, key=lambda row: (row.tasks[task], -row.id), default=None)
