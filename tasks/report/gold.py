"""The gold data that runs were scored on, and the documents that all of them answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ita_med import sources
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.report.rows import RunRow, fingerprint
from ita_med.version import BENCHMARK_VERSION


class NotTheSame(ItaMedError):
    """Two runs answered different documents."""


def of(rows: Sequence[RunRow], task: str, mirror: str | None) -> TaskData:
    """The task's data, if they are those that the runs were scored on; the first run of the task speaks for all.

    Raises:
        ItaMedError: They are of another benchmark version, are other data, or are not here.
    """
    ran = next(row for row in rows if task in row.scores)
    if ran.version != BENCHMARK_VERSION:
        raise ItaMedError(f"scored by benchmark version {ran.version}, this program has {BENCHMARK_VERSION}")
    data = load(task, sources.EMBEDDED if ran.synthetic else mirror)
    if data.fingerprint != fingerprint(ran, task):
        if data.source == sources.EMBEDDED:
            raise ItaMedError("the gold data are not here; name their folder with --mirror")
        raise ItaMedError(f"the gold data here are {data.provenance}, those of the runs {ran.data.get(task)}")
    return data


def answered(rows: Sequence[RunRow], data: TaskData, ids: Mapping[int, set[str]]) -> TaskData:
    """The task as it is where all runs answered it whole; else with the documents that limited runs answered.

    Args:
        rows: All runs.
        data: The whole task.
        ids: Number of a run -> the documents that it answered, for the runs of this task.

    Raises:
        NotTheSame: Two of the runs answered different documents.
    """
    if not any(rows[n].limited for n in ids):
        return data
    of_run = {n: found & data.by_id.keys() if rows[n].limited else set(data.by_id) for n, found in ids.items()}
    first, *others = of_run
    for n in others:
        if of_run[n] != of_run[first]:
            raise NotTheSame(
                f"{rows[first].folder} and {rows[n].folder} cannot be compared on {data.task.id}: they answered "
                f"different documents ({len(of_run[first]):,} and {len(of_run[n]):,})"
            )
    return dataclasses.replace(data, examples=[e for e in data.examples if e.id in of_run[first]])
