"""The ranking as a page: filters, ranked systems in tie groups, and what is shown beside them unranked."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ita_med import catalogue
from ita_med.leaderboard.pages.filters import NOT_STATED, PROVENANCES, SIZES, TRAINED, Filters, contaminated
from ita_med.leaderboard.pages.site import Page, Site, fill
from ita_med.leaderboard.results.ranking import SCALES, BoardRow, Ranking
from ita_med.leaderboard.submissions.submission import MODEL_TYPES
from ita_med.tasks.report.reference import Reference
from ita_med.tasks.report.rows import COLUMNS, PARTS

SECTIONS = {"floor": "floors", "partial": "partial", "other data": "other"}
"""The unranked kinds of rows in the order of the page, each with the name of its section."""


@dataclass(frozen=True)
class ScoreColumn:
    """A column of scores: a family, or one of its tasks.

    Attributes:
        key: The family or task, as in `BoardRow.families` or `BoardRow.tasks`.
        family: The family of the column.
        label: What stands above the column.
        title: The whole name, for those who point at the label.
        task: Whether the column is one task; otherwise it is a whole family.
        distribution: "id" or "ood" for a task.
    """

    key: str
    family: str
    label: str
    title: str
    task: bool
    distribution: str = ""

    def score(self, row: BoardRow) -> float | None:
        """The points of a system in this column; None where it has none."""
        return (row.tasks if self.task else row.families).get(self.key)

    def interval(self, row: BoardRow) -> tuple[float, float] | None:
        """The 95 % interval of the points; tasks are shown without one."""
        return None if self.task else row.family_intervals.get(self.key)


def columns(site: Site, view: Ranking, shown: tuple[str, ...]) -> list[ScoreColumn]:
    """The families, each followed by its tasks if they are to be shown."""
    found = []
    for family, label in COLUMNS.items():
        found.append(ScoreColumn(family, family, label, site.families[family], task=False))
        if family in shown:
            for task in map(catalogue.task, members(view, family)):
                short = task.id.removeprefix(f"ita_med_{family}_")
                found.append(ScoreColumn(task.id, family, short, task.title, task=True, distribution=task.distribution))
    return found


def members(view: Ranking, family: str) -> list[str]:
    """The tasks of a family in this view."""
    return [task for task in view.tasks if catalogue.task(task).family == family]


@dataclass(frozen=True)
class TrainingMark:
    """How many of some tasks a system declares to be trained on, and whether an OOD one is among them."""

    number: int
    total: int
    contaminated: bool


def trained(row: BoardRow, tasks: list[str]) -> TrainingMark:
    """What a system declares about having been trained on some tasks."""
    found = [task for task in tasks if task in row.trained_on]
    return TrainingMark(len(found), len(tasks), any(task in found for task in contaminated(row)))


def training_marks(row: BoardRow, view: Ranking) -> dict[str, TrainingMark]:
    """The mark of each family of this view on whose tasks the system declares to be trained."""
    found = {family: trained(row, members(view, family)) for family in COLUMNS}
    return {family: mark for family, mark in found.items() if mark.number}


def results(site: Site, view: Ranking, filters: Filters, reference: Reference, notice: str = "") -> Markup:
    """The tables of the ranking, without the form above them: a changed form asks only for these again.

    Args:
        site: Language and addresses.
        view: The ranking to show.
        filters: What the reader asked to see; rows that do not match are hidden.
        reference: The table of the paper, shown beside the board.
        notice: What could not be shown as asked, "" for nothing.
    """
    kept = [row for row in view.rows if row.kind == "floor" or filters.keep(row)]
    by_kind = {kind: [row for row in kept if row.kind == kind] for kind in ("ranked", *SECTIONS)}
    systems = [row for row in view.rows if row.kind != "floor"]
    shown = sum(row.kind != "floor" for row in kept)
    return fill(
        "ranking_results.html", site, view=view, filters=filters, by_kind=by_kind, sections=SECTIONS, shown=shown,
        total=len(systems), columns=columns(site, view, filters.tasks), marks=training_marks, reference=reference,
        trained_all=lambda row, view: trained(row, view.tasks), trained_one=lambda row, task: trained(row, [task]),
        figure_query=lambda filters: {k: v for k, v in filters.query().items() if k in ("part", "scale", "version")},
        any_ranked=any(row.kind == "ranked" for row in view.rows), notice=notice,
    )  # fmt: skip


def page(
    site: Site, view: Ranking, filters: Filters, reference: Reference, versions: list[str], notice: str = ""
) -> Page:
    """The whole page of the ranking.

    Args:
        site: Language and addresses.
        view: The ranking to show.
        filters: What the reader asked to see.
        reference: The table of the paper, shown beside the board.
        versions: Versions of the benchmark that have rows, the newest last.
        notice: What could not be shown as asked, "" for nothing.
    """
    choices = {
        "licence": sorted({row.licence for row in view.rows if row.licence}, key=str.casefold),
        "method": sorted({row.method for row in view.rows if row.kind != "floor"}),
    }
    content = fill(
        "ranking.html", site, view=view, filters=filters, results=results(site, view, filters, reference, notice),
        parts=PARTS, scales=SCALES, sizes=SIZES, types=MODEL_TYPES, trained=TRAINED, provenances=PROVENANCES,
        choices=choices, versions=versions if filters.version in versions else [*versions, filters.version],
        not_stated=NOT_STATED,
    )  # fmt: skip
    words = site.words
    return Page("ranking", words["ranking"], words["ranking_about"], content, filters.query())
