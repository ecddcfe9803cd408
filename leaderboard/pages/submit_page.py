"""The page for sending a run, or asking for one: a form whose token stays in the page's memory, and the commands."""

from __future__ import annotations

from ita_med.leaderboard.database.jobs import METHODS
from ita_med.leaderboard.pages.site import Page, Site, fill
from ita_med.leaderboard.web.settings import Settings

ADDRESS = "https://BOARD"
"""Stands for the board's address in the commands until the page's script knows it."""


def page(site: Site, settings: Settings) -> Page:
    """The page Submit."""
    words = site.words
    content = fill(
        "submit.html", site, address=ADDRESS, methods=METHODS, quota=settings.quota,
        mebibytes=settings.upload_bytes // 2**20,
        providers=settings.sign_in.providers if settings.sign_in else (),
    )  # fmt: skip
    return Page("submit", words["submit"], words["submit_about"], content)
