"""The queue of lane B: models that the maintainers evaluate."""

from __future__ import annotations

from ita_med.leaderboard.pages.site import Page, Site, fill
from ita_med.leaderboard.queue import Job


def page(site: Site, jobs: list[Job]) -> Page:
    """Jobs in the order of `queue.jobs`."""
    states = {job.id: site.words["failed_job" if job.state == "failed" else job.state] for job in jobs}
    content = fill("queue.html", site, jobs=jobs, states=states)
    return Page("queue", site.words["queue"], site.words["queue_about"], content)
