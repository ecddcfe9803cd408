"""report.json and README.md of a corpus: what each step did, by source and licence, and what was compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from ita_med.dataset_builders.corpus_pipeline.tally import Tally, merged
from ita_med.printing import markdown_table
from ita_med.version import __version__

STEPS = ("normalise", "language", "quality", "exact_duplicate", "near_duplicate", "contaminated")
"""Steps in order; the first changes texts, the others remove documents."""
NAMES = ("documents", "words", "characters")


def make(work: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """The report as a dictionary; the same for every number of workers, and without times or paths."""
    tally = merged((work / "tally").glob("*.json"))
    index = work / "index"
    checked = orjson.loads((index / "checked.json").read_bytes()) if (index / "checked.json").exists() else {}
    found = index / "contamination.json"
    sources = {
        source: {licence: _steps(_select(tally, source, licence)) for licence in sorted(licences)}
        for source, licences in sorted(tally.counts.get("read", {}).items())
    }
    return {
        "ita_med": __version__,
        "settings": plan["settings"],
        "inputs": plan["inputs"],
        "total": _steps(_select(tally, None, None)),
        "duplicates": _levels(_select(tally, None, None)),
        "sources": sources,
        "decontamination": checked | {"found": orjson.loads(found.read_bytes()) if found.exists() else {}},
    }


def _select(tally: Tally, source: str | None, licence: str | None) -> dict[str, list[int]]:
    """Event -> documents, words, characters, of one source and licence or of all."""
    out = {}
    for event, sources in tally.counts.items():
        rows = [
            counts
            for s, licences in sources.items()
            for x, counts in licences.items()
            if source in (None, s) and licence in (None, x)
        ]
        if rows:
            out[event] = [sum(column) for column in zip(*rows, strict=True)]
    return out


def _steps(events: dict[str, list[int]]) -> dict[str, Any]:
    """Before and after each step, with reasons; what a step removes is counted as it was after normalisation."""
    now = events.get("read", [0, 0, 0])
    steps = {}
    for step in STEPS:
        before = now
        if step == "normalise":
            now, reasons = events.get("normalised", [0, 0, 0]), {}
        else:
            reasons = {e.split("/", 1)[1]: c for e, c in sorted(events.items()) if e.startswith(f"{step}/")}
            now = [b - sum(c[i] for c in reasons.values()) for i, b in enumerate(before)]
        steps[step] = {
            "before": _named(before),
            "after": _named(now),
            "removed": {name: _named(c) for name, c in reasons.items()},
        }
    personal = {e.split("/", 1)[1]: c[1] for e, c in sorted(events.items()) if e.startswith("personal_data/")}
    return {"steps": steps, "personal_data": personal, "written": _named(events.get("written", [0, 0, 0]))}


def _named(counts: list[int]) -> dict[str, int]:
    return dict(zip(NAMES, counts, strict=True))


def _levels(events: dict[str, list[int]]) -> dict[str, int]:
    """Documents that repeat an earlier one, at levels of which each includes those before it."""
    out, total = {}, 0
    for level in ("byte_exact", "stripped", "white_space_folded", "normalised"):
        total += events.get(f"exact_duplicate/{level}", [0])[0]
        out[level] = total
    return out


def markdown(report: dict[str, Any]) -> str:
    """The report for people; also the README that lets `datasets` read the folder."""
    suffix = report["settings"]["output"]["format"]
    total = report["total"]
    lines = [
        "---", "language: it", "configs:", "- config_name: default", "  data_files:", "  - split: train",
        f"    path: data/*.{suffix}", "---", "", "# Corpus", "",
        f"Built by ita-med {report['ita_med']} from {', '.join(i['source'] for i in report['inputs'])}.", "",
    ]  # fmt: skip
    synthetic = [i["source"] for i in report["inputs"] if i["from"] == "embedded"]
    if synthetic:
        lines += [f"> **Synthetic samples** written for ita-med, not real texts: {', '.join(synthetic)}.", ""]
    table = [["step", *NAMES, "removed"], _row("read", total["steps"]["normalise"]["before"], "")]
    for step, counts in total["steps"].items():
        reasons = ", ".join(f"{name} {c['documents']:,}" for name, c in counts["removed"].items())
        table.append(_row(step, counts["after"], reasons))
    replaced = ", ".join(f"`{name}` {n:,}" for name, n in total["personal_data"].items())
    table.append(_row("personal data", total["written"], replaced and f"replaced: {replaced}"))
    lines += ["## Steps", "", *markdown_table(table, right=[1, 2, 3])]
    levels = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in report["duplicates"].items())
    lines += ["", f"Documents that repeat an earlier one: {levels} (each level includes those before it).", ""]
    table = [["source", "licence", "documents read", *NAMES]]
    for source, licences in report["sources"].items():
        for licence, counts in licences.items():
            read, written = counts["steps"]["normalise"]["before"]["documents"], counts["written"]
            table.append([source, licence, f"{read:,}", *(f"{written[name]:,}" for name in NAMES)])
    lines += ["## Sources", "", *markdown_table(table, right=[2, 3, 4, 5])]
    return "\n".join([*lines, *_decontamination(report["decontamination"]), ""])


def _row(name: str, counts: dict[str, int], note: str) -> list[str]:
    return [name.replace("_", " "), *(f"{counts[n]:,}" for n in NAMES), note]


def _decontamination(report: dict[str, Any]) -> list[str]:
    if "checked" not in report:
        return ["", "Not compared with evaluation texts.", ""]
    table = [["labelled data", "documents", "found", "corpus documents removed", "ids"]]
    nothing = {"labelled_documents_found": 0, "corpus_documents_removed": 0, "examples": []}
    for name, entry in sorted(report["checked"].items()):
        found = report["found"].get(name, nothing)
        note = "" if entry["evaluation"] else " (training: reported only)"
        note += " (synthetic sample)" if entry.get("synthetic") else ""
        ids = ", ".join(f"{e['id']} {e['share']:.0%}" for e in found["examples"][:10])
        more = len(found["examples"]) > 10
        cells = (entry["documents"], found["labelled_documents_found"], found["corpus_documents_removed"])
        table.append([f"{name}{note}", *(f"{c:,}" for c in cells), f"{ids}{', …' if more else ''}"])
    lines = ["", "## Evaluation texts", "", *markdown_table(table, right=[1, 2, 3]), "", "Not checked:", ""]
    lines += [f"- {name}: {why}" for name, why in sorted(report["not_checked"].items())] or ["- nothing"]
    return lines
