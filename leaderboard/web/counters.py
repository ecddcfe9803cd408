"""Counters of requests in the text format of Prometheus."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass
class Counters:
    """Requests by method, route and status, and a histogram of seconds by route."""

    requests: dict[tuple[str, str, int], int] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Route -> requests within each of `BUCKETS` and in all, then the sum of seconds."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        with self._lock:
            key = method, route, status
            self.requests[key] = self.requests.get(key, 0) + 1
            row = self.seconds.setdefault(route, [0.0] * (len(BUCKETS) + 2))
            for n, most in enumerate((*BUCKETS, float("inf"))):
                row[n] += seconds <= most
            row[-1] += seconds

    def lines(self) -> list[str]:
        with self._lock:
            out = ["# TYPE itamed_requests_total counter"]
            out += [
                f'itamed_requests_total{{method="{method}",route="{route}",status="{status}"}} {n}'
                for (method, route, status), n in sorted(self.requests.items())
            ]
            out += ["# TYPE itamed_request_seconds histogram"]
            for route, row in sorted(self.seconds.items()):
                for most, n in zip((*map(str, BUCKETS), "+Inf"), row, strict=False):
                    out.append(f'itamed_request_seconds_bucket{{route="{route}",le="{most}"}} {n:.0f}')
                out.append(f'itamed_request_seconds_sum{{route="{route}"}} {row[-1]:.6f}')
                out.append(f'itamed_request_seconds_count{{route="{route}"}} {row[-2]:.0f}')
        return out
