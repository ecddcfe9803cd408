"""How a board is set up: limits of uploads and requests, what its pages say, who may sign in."""

from __future__ import annotations

from dataclasses import dataclass

from ita_med.leaderboard.sign_in.providers import SignIn
from ita_med.leaderboard.submissions.submission import MAX_UPLOAD_BYTES


@dataclass(frozen=True)
class Settings:
    """How a board is set up.

    Attributes:
        upload_bytes: Of one upload at most.
        upload_seconds: For the whole body of a request to arrive.
        check_seconds: For checking an upload.
        check_processes: Processes that check uploads; 0 checks them inside the server's own process.
        quota: Accepted submissions of a user per day (UTC).
        user_per_minute: Requests of a user that cost work: all POSTs, and comparisons that are not cached.
        address_per_minute: The same of one address.
        queue: Jobs that a submitter may have waiting.
        patience: Seconds that a reader waits for a ranking that is being computed anew, before getting the last one.
        pace: Seconds between two states of the ranking that readers are shown.
        contact: How to reach the maintainers, shown on the page About.
        shell: Whether Gradio frames the pages.
        sign_in: With whom people may sign in; None where only maintainers give tokens.
    """

    upload_bytes: int = MAX_UPLOAD_BYTES
    upload_seconds: float = 300.0
    check_seconds: float = 120.0
    check_processes: int = 2
    quota: int = 10
    user_per_minute: int = 30
    address_per_minute: int = 60
    queue: int = 3
    patience: float = 60.0
    pace: float = 0.0
    contact: str = ""
    shell: bool = True
    sign_in: SignIn | None = None
