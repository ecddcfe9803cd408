"""`small-vs-large`: small trained models by number of examples against large prompted ones, tasks by difficulty."""

from __future__ import annotations

from dataclasses import dataclass

from ita_med.errors import ItaMedError
from ita_med.figures.figure import Mark, Series
from ita_med.numbers import NONE, number
from ita_med.tasks.report.tables import Table
from ita_med.training.studies.findings.curve import SeedMean
from ita_med.training.studies.findings.findings import Findings, start, warnings, word
from ita_med.training.studies.findings.scores import ScoredRuns
from ita_med.training.studies.findings.show_curve import curves, panel
from ita_med.training.studies.findings.systems import MeanDifference, SystemRuns, difference, mean_over_tasks, systems
from ita_med.training.studies.study import Study

NOTE = (
    "difficulty: 100 minus the mean score of the large models on the task. Cells: small minus large [95 %, documents "
    "paired, seeds drawn]; + better, − worse, = not told apart (the interval holds 0)."
)


@dataclass(frozen=True)
class Crossing:
    """The smallest number of examples at which, as at every larger one, the small model is not worse, and is better."""

    not_worse: str | None
    better: str | None


def crossing(sizes: list[str], differences: list[MeanDifference]) -> Crossing:
    """sizes: in order; differences: small minus large."""

    def smallest(holds: list[bool]) -> str | None:
        found = None
        for size, true in reversed(list(zip(sizes, holds, strict=True))):
            if not true:
                break
            found = size
        return found

    return Crossing(smallest([d.high >= 0 for d in differences]), smallest([d.low > 0 for d in differences]))


def show(scored: ScoredRuns, study: Study, lang: str) -> Findings:
    large = [group for group in systems(scored) if group.large]
    if not large:
        raise ItaMedError("no large model: name its submission folder with --large")
    small = curves(scored)
    tasks = [task for task in scored.tasks if _has(scored, large, task) and any(t == task for t, _ in small)]
    if not tasks:
        raise ItaMedError("no task was answered by a large model and by a small one that was trained for this study")
    hard = {task: 100 - sum(mean_over_tasks(scored, g, [task]).mean for g in large) / len(large) for task in tasks}
    notes = [word(lang, "band"), word(lang, "large") + ".", *warnings(scored, lang)]
    made = start(lang, "small-vs-large", *notes)
    labels = [*dict.fromkeys(label for _, label in small), *(group.label for group in large)]
    for task in sorted(tasks, key=lambda t: (hard[t], t)):
        of_task = {label: points for (t, label), points in small.items() if t == task}
        drawn = panel(of_task, task, study.metric, lang, labels)
        drawn.title += f" ({word(lang, 'hard', value=hard[task])})"
        drawn.series += [_flat(scored, group, task, of_task, labels.index(group.label)) for group in large]
        made.figure.panels.append(drawn)
        for group in large:
            made.tables.append(_table(made, scored, task, hard[task], of_task, group))
    if left := [task for task in scored.tasks if task not in tasks]:
        made.notes.append(f"NOT SHOWN, as one side has not answered them: {', '.join(left)}.")
    return made


def _has(scored: ScoredRuns, large: list[SystemRuns], task: str) -> bool:
    return all(run in scored.tasks[task].counts for group in large for run in group.runs)


def _flat(scored: ScoredRuns, group: SystemRuns, task: str, of_task: dict[str, list[SeedMean]], look: int) -> Series:
    """A level line over all sizes."""
    sizes = [float(p.n) for points in of_task.values() for p in points if p.n]
    p = mean_over_tasks(scored, group, [task])
    return Series(group.label, [Mark(size, p.mean, *p.both) for size in (min(sizes), max(sizes))], look, line=True)


def _table(
    made: Findings, scored: ScoredRuns, task: str, hard: float, of_task: dict[str, list[SeedMean]], group: SystemRuns
) -> Table:
    against = mean_over_tasks(scored, group, [task])
    sizes = list(dict.fromkeys(p.size for points in of_task.values() for p in points))
    title = f"{task} (difficulty {hard:.0f}): against {group.label}, {against.mean:.1f}"
    table = Table(title, [["small system", *sizes, "not worse from", "better from"]], 1, [NOTE])
    for label, points in of_task.items():
        by_size = {p.size: (p, difference(p, against)) for p in points}
        found = crossing(list(by_size), [d for _, d in by_size.values()])
        cells = [_cell(*by_size[size]) if size in by_size else NONE for size in sizes]
        table.lines.append([label, *cells, found.not_worse or "never", found.better or "never"])
        made.answers.append(
            f"{task}, {label} against {group.label}: not worse from {found.not_worse or 'no size'} on, "
            f"better from {found.better or 'no size'} on."
        )
        for p, d in by_size.values():
            made.records.append(
                {
                    "task": task, "difficulty": hard, "small": label, "large": group.label, "size": p.size,
                    "examples": p.n, "seeds": len(p.scores), "small_mean": p.mean, "large_mean": against.mean,
                    "difference": d.value, "difference_low": d.low, "difference_high": d.high,
                }
            )  # fmt: skip
    return table


def _cell(p: SeedMean, d: MeanDifference) -> str:
    sign = "=" if not d.told_apart else "+" if d.value > 0 else "−"
    return f"{number(p.mean)} {sign} {d}"
