"""`cost`: operations, tokens, seconds, energy and € of systems beside their scores, and break-even numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.figures.figure import Axis, Mark, Panel, Series
from ita_med.numbers import NONE, interval, number, three_digits
from ita_med.tasks.report.tables import Table
from ita_med.training.studies.costs import flops, prices, usage
from ita_med.training.studies.costs.flops import Lengths
from ita_med.training.studies.costs.prices import Usage
from ita_med.training.studies.findings.curve import SeedMean
from ita_med.training.studies.findings.findings import Findings, start, warnings, word
from ita_med.training.studies.findings.scores import ScoredRuns, StudyRun
from ita_med.training.studies.findings.systems import SystemRuns, mean_over_tasks, shared_tasks, systems
from ita_med.training.studies.study import Study

MAX_DOCUMENTS = 1e7
NOTES = [
    "FLOPs: matrix products, counted from the model's configuration and the tokens; each prompt read whole. Seconds: "
    "wall time with loading, on the machine of the run: systems are comparable where the machines are. J: where the "
    "machine tells. Of several seeds the first is counted.",
    "of all: the operations of LoRA as a share of those that training all parameters on the same tokens would take.",
    "€: from the prices stated with the study alone. Break-even: the number of documents from which on the trained "
    "system, its training and its annotated examples paid, is cheaper.",
]


def show(scored: ScoredRuns, study: Study, lang: str) -> Findings:
    found = systems(scored)
    tasks, left = shared_tasks(scored, found)
    if not tasks:
        raise ItaMedError("no task was answered by every run: there is nothing to compare")
    configs = _configs(study, scored)
    uses = {group.label: use(scored, scored.runs[group.runs[0]], tasks, configs) for group in found}
    points = {group.label: mean_over_tasks(scored, group, tasks) for group in found}
    made = start(lang, "cost", word(lang, "bars"), *warnings(scored, lang))
    made.tables = [_answering(found, uses, points, study), _training(found, uses, study)]
    made.records = [_record(group, uses[group.label], points[group.label], study) for group in found]
    made.figure.panels += _score_by_flops(found, uses, points, study, lang)
    _even(made, found, uses, study, lang)
    if not made.figure.panels:
        raise ItaMedError("neither operations nor prices are known: name configurations (--config) or prices")
    if left:
        made.notes.append(f"NOT COUNTED, as not every run has them: {', '.join(left)}.")
    made.tables = [table for table in made.tables if len(table.lines) > 1]
    return made


def _configs(study: Study, scored: ScoredRuns) -> dict[str, Path]:
    found = {}
    names = {run.name for run in scored.runs} | {run.name.removeprefix("large_") for run in scored.runs}
    for text in study.configs:
        name, equals, folder = text.partition("=")
        if not equals or name not in names:
            raise ItaMedError(f"--config {text}: expected RUN=FOLDER; the runs are {', '.join(sorted(names))}")
        found[name] = Path(folder)
    return found


def use(scored: ScoredRuns, run: StudyRun, tasks: list[str], configs: dict[str, Path]) -> Usage:
    """What one run used on the shared tasks; its wall time is shared out by documents."""
    taken = run.inference.get("tasks") or _counted(scored, run, tasks, configs)
    mine = [taken[task] for task in tasks]
    documents = sum(int(of_task["documents"]) for of_task in mine)
    whole = sum(run.row.documents.values())
    share = documents / whole if whole else 0.0
    joules = run.inference.get("joules") or {}
    train = run.training
    burnt = train.get("joules") or {}
    return Usage(
        documents,
        run.row.seconds * share if run.row.seconds else None,
        _sum(mine, "prompt_tokens"),
        _sum(mine, "answer_tokens"),
        _sum(mine, "flops"),
        sum(joules.values()) * share if joules else None,
        train.get("seconds"),
        train.get("flops"),
        train.get("flops_full"),
        sum(burnt.values()) if burnt else None,
        sum(n for n in (train.get("examples") or {}).values() if n),
    )


def _sum(tasks: list[dict[str, Any]], key: str) -> float | None:
    values = [task[key] for task in tasks]
    return None if any(value is None for value in values) else float(sum(values))


def _counted(scored: ScoredRuns, run: StudyRun, tasks: list[str], configs: dict[str, Path]) -> dict[str, Any]:
    """Of a run made elsewhere: with a configuration's folder exactly, else tokens from characters."""
    folder = configs.get(run.name) or configs.get(run.name.removeprefix("large_"))
    shape = flops.read_config(folder) if folder else None
    tokenizer = usage.load_tokenizer(folder) if folder else None
    asked = run.manifest.get("run")
    if not isinstance(asked, dict) or not {"apply_chat_template", "num_fewshot", "limit"} <= asked.keys():
        asked = {"apply_chat_template": False, "num_fewshot": 0, "limit": None}
    found = {}
    for task in tasks:
        lengths: Lengths = usage.prompts(scored.tasks[task].data, tokenizer, asked)
        written = (run.manifest.get("speed") or {}).get(task, {}).get("generated_tokens")
        operations = flops.generation(shape, lengths, written) if shape and written is not None else None
        found[task] = {
            "documents": lengths.n, "prompt_tokens": lengths.total, "answer_tokens": written, "flops": operations,
        }  # fmt: skip
    return found


def _answering(found: list[SystemRuns], uses: dict[str, Usage], points: dict[str, SeedMean], study: Study) -> Table:
    head = ["system", "score", "95 %", "documents", "tokens read", "written", "GFLOPs", "seconds", "J", "€ per 1,000"]
    table = Table("Answering, per document", [head], 1, NOTES[:1])
    for group in found:
        u, p = uses[group.label], points[group.label]
        operations = u.per_document(u.flops)
        each = [u.per_document(u.read), u.per_document(u.written), None if operations is None else operations / 1e9]
        cells = [group.label, number(p.mean), interval(p.both), f"{u.documents:,}", *map(three_digits, each)]
        cells += [three_digits(u.per_document(u.seconds)), three_digits(u.per_document(u.joules))]
        table.lines.append([*cells, three_digits(prices.per_thousand(u, study.prices, large=not group.trained))])
    return table


def _training(found: list[SystemRuns], uses: dict[str, Usage], study: Study) -> Table:
    head = ["system", "examples", "seconds", "PFLOPs", "of all", "kJ", "€ with annotation"]
    table = Table("Training, once", [head], 1, NOTES[1:])
    for group in found:
        u = uses[group.label]
        if group.trained:
            operations = None if u.train_flops is None else u.train_flops / 1e15
            burnt = None if u.train_joules is None else u.train_joules / 1e3
            cells = [
                f"{u.examples:,}",
                three_digits(u.train_seconds),
                three_digits(operations),
                _share(u),
                three_digits(burnt),
            ]
            table.lines.append([group.label, *cells, three_digits(prices.fixed(u, study.prices))])
    return table


def _even(made: Findings, found: list[SystemRuns], uses: dict[str, Usage], study: Study, lang: str) -> None:
    """Break-even of every trained system against every prompted one, as sentences, a table and a panel."""
    priced = {g.label: (prices.fixed(uses[g.label], study.prices),
                        prices.per_thousand(uses[g.label], study.prices, large=not g.trained))
              for g in found}  # fmt: skip
    known = [g for g in found if None not in priced[g.label]]
    table = Table("Break-even", [["trained", "prompted", "documents"]], 2, NOTES[1:])
    numbers = []
    for small in (g for g in known if g.trained):
        for large in (g for g in known if not g.trained):
            (first, mine), (_, theirs) = priced[small.label], priced[large.label]
            assert first is not None
            assert mine is not None
            assert theirs is not None
            n = prices.break_even(first, mine, theirs)
            numbers += [n] if n else []
            table.lines.append([small.label, large.label, "never" if n is None else f"{n:,}"])
            made.answers.append(
                f"{small.label} against {large.label}: "
                + (f"cheaper from {n:,} documents on." if n is not None else "never cheaper at these prices.")
            )
    made.tables.append(table)
    if len(known) > 1:
        reach = max([10.0 * n for n in numbers] + [1e4])
        documents = [10 ** (k / 4) for k in range(4, 33) if 10 ** (k / 4) <= min(reach, MAX_DOCUMENTS)]
        lines = []
        for look, group in enumerate(known):
            first, each = priced[group.label]
            assert first is not None
            assert each is not None
            totals = prices.total(first, each, documents)
            marks = [Mark(n, total) for n, total in zip(documents, totals, strict=True)]
            lines.append(Series(group.label, marks, look, line=True, every=8))  # more symbols would hide the line
        axes = Axis(word(lang, "documents"), log=True), Axis(word(lang, "total"), log=True)
        made.figure.panels.append(Panel(*axes, lines, word(lang, "break-even")))


def _score_by_flops(
    found: list[SystemRuns], uses: dict[str, Usage], points: dict[str, SeedMean], study: Study, lang: str
) -> list[Panel]:
    series = []
    for look, group in enumerate(found):
        each = uses[group.label].per_document(uses[group.label].flops)
        if each:
            p = points[group.label]
            series.append(Series(group.label, [Mark(each, p.mean, *p.both)], look))
    if not series:
        return []
    axes = Axis(word(lang, "flops"), log=True), Axis(word(lang, "points", metric=study.metric))
    return [Panel(*axes, series, word(lang, "cost"))]


def _share(u: Usage) -> str:
    return f"{100 * u.train_flops / u.train_flops_full:.0f} %" if u.train_flops and u.train_flops_full else NONE


def _record(group: SystemRuns, u: Usage, p: SeedMean, study: Study) -> dict[str, Any]:
    low, high = p.both
    return {
        "system": group.label, "trained": int(group.trained), "score": p.mean, "low": low, "high": high,
        "documents": u.documents, "tokens_read": u.read, "tokens_written": u.written, "flops": u.flops,
        "seconds": u.seconds, "joules": u.joules, "train_seconds": u.train_seconds, "train_flops": u.train_flops,
        "train_flops_full": u.train_flops_full,
        "train_joules": u.train_joules, "examples": u.examples, "eur_training": prices.fixed(u, study.prices),
        "eur_per_1000": prices.per_thousand(u, study.prices, large=not group.trained),
    }  # fmt: skip
