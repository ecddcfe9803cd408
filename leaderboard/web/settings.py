"""How a board is set up: limits of uploads and requests, what its pages say, who may sign in."""

from __future__ import annotations

from dataclasses import dataclass

from ita_med.leaderboard.sign_in.providers import SignIn
from ita_med.leaderboard.submissions.submission import MAX_UPLOAD_BYTES


@dataclass(frozen=True)
class Settings:
    """upload_seconds: for the whole body of a request; check_seconds: for checking it; check_processes: 0 checks
    uploads inside the server's own process; quota: accepted submissions of a user per day (UTC); *_per_minute: requests
    that cost work (all POSTs, and comparisons that are not cached); queue: jobs that a submitter may have waiting;
    patience: seconds that a reader waits for a ranking that is being computed anew before getting the last one;
    pace: seconds between two states of the ranking that readers are shown; sign_in: None where only maintainers give
    tokens."""

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
