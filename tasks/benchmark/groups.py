"""The groups of tasks that `lm_eval run --tasks` and `ita-med eval --tasks` know beside single tasks."""

from __future__ import annotations

from collections.abc import Iterable

from ita_med.catalogue import Task

ALL = "ita_med"


def by_family(tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """Family -> its tasks, both in the order in which they come."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.family, []).append(task)
    return found


def by_distribution(tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """ "id" and "ood" -> its tasks, both in the order in which they come."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.distribution, []).append(task)
    return found


def groups(tasks: list[Task]) -> dict[str, list[Task]]:
    """Group -> its tasks: all of them, those of each family, and those in and out of distribution."""
    parts = by_family(tasks) | by_distribution(tasks)
    return {ALL: tasks} | {f"{ALL}_{name}": members for name, members in parts.items()}
