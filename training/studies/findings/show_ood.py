"""`ood`: each out-of-distribution task beside the in-distribution task that asks most nearly the same."""

from __future__ import annotations

from typing import Any

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.figures.figure import Axis, Mark, Panel, Series
from ita_med.numbers import interval, number
from ita_med.tasks.report.rows import families_of
from ita_med.tasks.report.tables import Table
from ita_med.tasks.scoring.comparison import mean_weights
from ita_med.training.studies.findings.findings import Findings, start, title_of, warnings, word
from ita_med.training.studies.findings.scores import ScoredRuns
from ita_med.training.studies.findings.systems import (
    MeanDifference,
    SystemRuns,
    difference,
    short_labels,
    systems,
    weighted_mean,
)
from ita_med.training.studies.study import OOD_OF, Study

NOTE = (
    "drop: in distribution minus out of distribution. Its interval draws the documents of both tasks, and seeds; the "
    "two tasks have other documents, so the drop of one system is not paired. The difference of two systems' drops is: "
    "both answer the same documents."
)


def show(scored: ScoredRuns, study: Study, lang: str) -> Findings:
    found = systems(scored)
    pairs = _pairs(scored, found)
    if not pairs:
        wanted = ", ".join(f"{i} and {o}" for o, i in OOD_OF.items())
        raise ItaMedError(f"no pair of tasks was answered by every run; a pair is one of {wanted}")
    made = start(lang, "ood", word(lang, "bars"), *warnings(scored, lang))
    weights = mean_weights(families_of(list(pairs)))
    if len(pairs) > 1:
        _section(made, scored, found, "all pairs", {o: (pairs[o], w) for o, w in weights.items()}, study, lang)
    for outside, inside in pairs.items():
        _section(made, scored, found, outside, {outside: (inside, 1.0)}, study, lang)
    return made


def _pairs(scored: ScoredRuns, found: list[SystemRuns]) -> dict[str, str]:
    """OOD task -> ID task, where every run has both."""
    runs = {n for group in found for n in group.runs}
    having = {task for task, on in scored.tasks.items() if runs <= on.counts.keys()}
    order = [task.id for task in catalogue.tasks()]
    return {o: OOD_OF[o] for o in order if o in OOD_OF and {o, OOD_OF[o]} <= having}


def _section(
    made: Findings,
    scored: ScoredRuns,
    found: list[SystemRuns],
    name: str,
    pairs: dict[str, tuple[str, float]],
    study: Study,
    lang: str,
) -> None:
    """A table and a panel for one pair, or for the mean of all: per family, then over families."""
    inside, outside = _sums(pairs)
    dropped = inside | {task: inside.get(task, 0.0) - weight for task, weight in outside.items()}
    head = ["system", "ID", "95 %", "OOD", "95 %", "drop [95 %]", "against the first's drop [95 %]"]
    shown = f"{next(iter(pairs.values()))[0]} → {name}" if len(pairs) == 1 else "All pairs: mean of family means"
    table = Table(shown, [head], 1, [NOTE])
    first = weighted_mean(scored, found[0], dropped)
    series = [Series(word(lang, kind), [], look) for look, kind in enumerate(("id", "out"))]
    for n, group in enumerate(found):
        here, there = weighted_mean(scored, group, inside), weighted_mean(scored, group, outside)
        drop = weighted_mean(scored, group, dropped)
        fall = MeanDifference(drop.mean, *drop.both)
        away = difference(drop, first) if n else None
        cells = [group.label, number(here.mean), interval(here.both), number(there.mean), interval(there.both)]
        table.lines.append([*cells, str(fall), str(away) if away else "first"])
        record: dict[str, Any] = {"pair": name, "system": group.label, "seeds": len(group.runs)}
        record |= _named("id", here.mean, here.both) | _named("ood", there.mean, there.both)
        record |= _named("drop", fall.value, drop.both)
        made.records.append(record | (_named("against_first", away.value, (away.low, away.high)) if away else {}))
        for drawn, p in zip(series, (here, there), strict=True):
            drawn.marks.append(Mark(p.mean, n, *p.both, label=f"{group.label}, {drawn.name}"))
        made.answers.append(f"{group.label}, {shown}: drop {fall}{'' if fall.told_apart else ', not told from none'}.")
    made.tables.append(table)
    title = title_of(name, lang) if len(pairs) == 1 else word(lang, "mean")
    axes = Axis(word(lang, "points", metric=study.metric)), Axis("")
    made.figure.panels.append(Panel(*axes, series, title, list(short_labels(found).values())))


def _named(name: str, value: float, both: tuple[float, float]) -> dict[str, float]:
    return {name: value, f"{name}_low": both[0], f"{name}_high": both[1]}


def _sums(pairs: dict[str, tuple[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Weights of the ID tasks and of the OOD tasks; an ID task may stand for two of the latter."""
    inside: dict[str, float] = {}
    for within, weight in pairs.values():
        inside[within] = inside.get(within, 0.0) + weight
    return inside, {task: weight for task, (_, weight) in pairs.items()}
