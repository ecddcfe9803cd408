"""The figures of a view of the ranking, drawn by the server; plotly's interactive ones are an offer."""

from __future__ import annotations

from urllib.parse import urlencode

from markupsafe import Markup

from ita_med.figures.figure_html import fragment
from ita_med.leaderboard.pages.filters import Filters
from ita_med.leaderboard.pages.site import Page, Site, fill
from ita_med.leaderboard.results import figures
from ita_med.leaderboard.results.ranking import Ranking


def page(site: Site, view: Ranking, notice: str = "") -> Page:
    """The page Figures. It shows all ranked systems of the view: filters hide rows of tables only.

    Args:
        site: Language and addresses.
        view: The ranking to draw.
        notice: What could not be shown as asked, "" for nothing.
    """
    chosen = Filters(part=view.part, scale=view.scale, version=view.version).query()
    words = site.words
    content = fill(
        "figures.html", site, view=view, drawn=fragments(site, view), notice=notice, query=chosen,
        anything=any(row.kind == "ranked" for row in view.rows),
    )  # fmt: skip
    return Page("figures", words["figures"], words["figures_about"], content, chosen)


def fragments(site: Site, view: Ranking) -> list[Markup]:
    """The figures of a view, each with its notes and its table; a changed form asks only for these again."""
    asked = urlencode({"part": view.part, "scale": view.scale, "version": view.version, "language": site.language})
    found = []
    for name, make in figures.RANKING.items():
        source = "" if site.static else f"/api/v1/figures/{name}?{asked}"
        found.append(Markup(fragment(make(view, site.language), source)))
    return found
