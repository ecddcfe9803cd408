"""How many requests one user or address may send, counted in memory; an address is never kept.

Addresses are keyed by a digest with a secret of this process: the counters cannot be read back, and end with it.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import threading
import time
from dataclasses import dataclass, field

MAX_COUNTERS = 20_000


@dataclass
class RateLimit:
    """A token bucket for each name: it holds `per_minute` tokens and is refilled steadily at that rate."""

    per_minute: int
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)
    _buckets: dict[bytes, tuple[float, float]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def wait(self, name: str, now: float | None = None) -> int:
        """Take a token of a name.

        Args:
            name: Of a user or an address.
            now: This moment in seconds, as `time.monotonic` counts them.

        Returns:
            0 where there was a token, else the seconds until there is one.
        """
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
        """Drop the buckets that are full again; where that frees nothing, drop all."""
        self._buckets = {key: b for key, b in self._buckets.items() if moment - b[1] < 60}
        if len(self._buckets) >= MAX_COUNTERS:
            self._buckets.clear()
