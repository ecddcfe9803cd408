"""Two to six systems side by side: pairs with tests, differences by task, and where two of them differ by document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.datastructures import QueryParams

from ita_med import catalogue
from ita_med.figures.figure_html import fragment
from ita_med.leaderboard.pages.site import Page, Site, fill
from ita_med.leaderboard.results import figures
from ita_med.leaderboard.results.compare_documents import DocumentsCompared
from ita_med.leaderboard.results.compare_systems import MOST, SystemsCompared, TaskDifference
from ita_med.leaderboard.results.ranking import BoardRow
from ita_med.numbers import p_value
from ita_med.tasks.report.rows import PARTS
from ita_med.tasks.scoring.statistics import stars
from ita_med.version import BENCHMARK_VERSION


@dataclass(frozen=True)
class ComparisonQuery:
    """What an address of the page Compare asks for.

    Attributes:
        systems: Ids of submissions; the others are compared with the first one.
        task: The task whose documents are shown; "" for none.
        against: The system whose documents are compared with the first one's; 0 for the second one.
        version: Of the benchmark.
    """

    systems: tuple[int, ...] = ()
    task: str = ""
    against: int = 0
    version: str = BENCHMARK_VERSION

    @property
    def listed(self) -> str:
        """The ids as the API takes them: "3,7,12"."""
        return ",".join(map(str, self.systems))

    @property
    def pair(self) -> str:
        """The two systems whose documents are shown."""
        other = self.against if self.against in self.systems[1:] else self.systems[1]
        return f"{self.systems[0]},{other}"

    def query(self) -> dict[str, str]:
        """The query of an address that asks for the same."""
        found = {"systems": self.listed, "task": self.task, "against": str(self.against or "")}
        found["version"] = "" if self.version == BENCHMARK_VERSION else self.version
        return {name: value for name, value in found.items() if value}


def read(query: QueryParams) -> ComparisonQuery:
    """What an address asks for, as ?systems=3,7 or ?systems=3&systems=7; values that make no sense are ignored."""
    numbers = [n for n in ",".join(query.getlist("systems"))[:200].split(",") if re.fullmatch(r"[0-9]{1,15}", n)]
    task, version, against = query.get("task", ""), query.get("version", ""), query.get("against", "")
    return ComparisonQuery(
        tuple(dict.fromkeys(map(int, numbers)))[:MOST],
        task if any(task == known.id for known in catalogue.tasks(ready=True)) else "",
        int(against) if re.fullmatch(r"[0-9]{1,15}", against) else 0,
        version if re.fullmatch(r"[0-9][0-9.]{0,15}", version) else BENCHMARK_VERSION,
    )


@dataclass(frozen=True)
class NotComparable:
    """Why systems cannot be compared, as the board says it."""

    why: str


def page(
    site: Site,
    rows: Sequence[BoardRow],
    chosen: ComparisonQuery,
    found: SystemsCompared | NotComparable | None = None,
    documents: DocumentsCompared | NotComparable | None = None,
) -> Page:
    """The page Compare.

    Args:
        site: Language and addresses.
        rows: All systems of the board, to choose from.
        chosen: What the address asks for.
        found: The comparison; None before two systems are chosen.
        documents: The comparison by document; None where no task is chosen.
    """
    by_id = {row.id: row for row in rows}
    shown = [by_id[number] for number in chosen.systems if number in by_id]
    content = fill(
        "compare.html", site, rows=sorted(rows, key=lambda row: (row.kind == "floor", row.model.casefold(), row.id)),
        chosen=chosen, places=_places(chosen), shown=shown,
        refused=found.why if isinstance(found, NotComparable) else "",
        result=_result(site, found, shown) if isinstance(found, SystemsCompared) else "",
        documents=_documents(site, found, documents, chosen) if isinstance(found, SystemsCompared) else "",
    )  # fmt: skip
    words = site.words
    return Page("compare", words["compare"], words["compare_about"], content, chosen.query())


def _places(chosen: ComparisonQuery) -> list[int]:
    """The ids in the fields of the form: the chosen systems and an empty field (0), but at least two fields."""
    found = list(chosen.systems)
    return [*found, 0, 0][: max(2, min(len(found) + 1, MOST))]


def _result(site: Site, found: SystemsCompared, rows: Sequence[BoardRow]) -> Markup:
    drawn = [
        figures.side_by_side(rows, site.language), figures.pairs(found, site.language),
        figures.differences(found, site.language),
    ]  # fmt: skip
    return fill(
        "compare_result.html", site, found=found, rows=rows, parts=[part for part in PARTS if found.pairs.get(part)],
        cells=cells(found), stars=stars, p_value=p_value, short=figures.short,
        drawn=[Markup(fragment(figure)) for figure in drawn], first_scores=_first_scores(found),
    )  # fmt: skip


def cells(found: SystemsCompared) -> dict[str, dict[int, TaskDifference]]:
    """The differences from the first system by task and system, in benchmark order."""
    out: dict[str, dict[int, TaskDifference]] = {}
    for task in catalogue.tasks(ready=True):
        own = {cell.system: cell for cell in found.tasks if cell.task == task.id}
        if own:
            out[task.id] = own
    return out


def _first_scores(found: SystemsCompared) -> dict[str, float]:
    return {cell.task: cell.first for cell in found.tasks}


def _documents(
    site: Site, found: SystemsCompared, documents: DocumentsCompared | NotComparable | None, chosen: ComparisonQuery
) -> Markup:
    return fill(
        "compare_documents.html", site, found=found, chosen=chosen, tasks=list(cells(found)), short=figures.short,
        refused=documents.why if isinstance(documents, NotComparable) else "",
        documents=documents if isinstance(documents, DocumentsCompared) else None,
    )  # fmt: skip
