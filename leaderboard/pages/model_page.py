"""Everything about one row of the board."""

from __future__ import annotations

from typing import Any

import orjson

from ita_med import catalogue
from ita_med.leaderboard.pages.site import Page, Site, fill
from ita_med.leaderboard.web.views import System
from ita_med.tasks.families.registry import family_of
from ita_med.tasks.report.rows import COLUMNS

ELSEWHERE = ("score", "parse_failure")
"""Metrics of every family that the page shows in other places."""


def page(site: Site, system: System) -> Page:
    """Scores with errors, what is declared, command and versions, history."""
    row = system.row
    tasks = [catalogue.task(task) for task in row.tasks]
    content = fill(
        "model.html", site, system=system, row=row, families=[f for f in COLUMNS if f in row.families],
        tasks={family: [task for task in tasks if task.family == family] for family in COLUMNS},
        metrics={task.id: _metrics(site, task, system.metrics[task.id]) for task in tasks},
        facts=_facts(system.manifest), command=_command(system.manifest), attempt=system.history.index(row.id) + 1,
    )  # fmt: skip
    about = f"{row.model}, {row.method}: {site.words['model_about']}"
    return Page("model", f"{row.model} {row.method}", about, content, {"id": row.id})


def withdrawn(site: Site, number: int, day: str) -> Page:
    """The page of a row that was taken off the board; gone, not unknown."""
    message = site.words["withdrawn"].format(date=day)
    found = fill("withdrawn.html", site, number=number, message=message)
    return Page("model", f"{site.words['number']} {number}", message, found, {"id": number}, status=410)


def _metrics(site: Site, task: catalogue.Task, found: dict[str, float]) -> list[tuple[str, str]]:
    """Names and points of the family's metrics beside the headline; the JSON of the row holds those of labels too."""
    family = family_of(task)
    names = (name for name in family.metrics(family.setting(task, [])) if name not in ELSEWHERE)
    return [(name, site.number(100 * found[name])) for name in names if name in found]


def _command(manifest: dict[str, Any]) -> str:
    """The command as typed: `ita-med eval` keeps it as a text or as a list of arguments."""
    command = manifest.get("command", "")
    return " ".join(map(str, command)) if isinstance(command, list) else str(command or "")


def _facts(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """The rest of what a reader needs to repeat the run, a line for each key; nested values as JSON."""
    found = []
    for key, value in manifest.items():
        if key == "command" or value in (None, "", {}, []):
            continue
        if isinstance(value, dict):
            found += [(f"{key}: {name}", _text(inner)) for name, inner in value.items() if inner not in (None, "")]
        else:
            found.append((key, _text(value)))
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
