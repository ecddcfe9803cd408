"""How much of the board one user or address may use, counted in memory; an address is never kept.

Addresses are keyed by a digest with a secret of this process: the counters cannot be read back, and end with it.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import threading
import time
from dataclasses import dataclass, field

from ita_med.leaderboard.sign_in.providers import SignIn
from ita_med.leaderboard.submissions.submission import MAX_UPLOAD_BYTES

MAX_COUNTERS = 20_000


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


@dataclass
class RateLimit:
    """A bucket of `per_minute` tokens for each name, filled steadily."""

    per_minute: int
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)
    _buckets: dict[bytes, tuple[float, float]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def wait(self, name: str, now: float | None = None) -> int:
        """0, and one token is taken; or the seconds until there is one."""
        moment = time.monotonic() if now is None else now
        key = hashlib.blake2b(name.encode("utf-8", "replace"), key=self._secret, digest_size=16).digest()
        with self._lock:
            left, last = self._buckets.get(key, (float(self.per_minute), moment))
            left = min(self.per_minute, left + (moment - last) * self.per_minute / 60)
            if left < 1:
                return math.ceil((1 - left) * 60 / self.per_minute)
            if len(self._buckets) >= MAX_COUNTERS:
                self._forget(moment)
            self._buckets[key] = left - 1, moment
            return 0

    def _forget(self, moment: float) -> None:
        """Drop the buckets that are full again; if none is, all."""
        self._buckets = {key: b for key, b in self._buckets.items() if moment - b[1] < 60}
        if len(self._buckets) >= MAX_COUNTERS:
            self._buckets.clear()
