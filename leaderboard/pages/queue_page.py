"""The queue of models that the maintainers evaluate."""

from __future__ import annotations

from ita_med.leaderboard.database.jobs import Job
from ita_med.leaderboard.pages.site import Page, Site, fill


def page(site: Site, jobs: list[Job]) -> Page:
    """The page Queue; jobs are in the order of `database.jobs.jobs`."""
    states = {job.id: site.words["failed_job" if job.state == "failed" else job.state] for job in jobs}
    content = fill("queue.html", site, jobs=jobs, states=states)
    return Page("queue", site.words["queue"], site.words["queue_about"], content)
