"""Counters of requests for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
disable_created_metrics()  # else every counter is a second series, of the time at which it began


class Counters:
    """Requests by method, route and status, and a histogram of seconds by route.

    They are those of one app, so they stand in a registry of its own, which holds nothing of what Prometheus' client
    measures of the process by itself.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("itamed_requests", "Requests answered.", labels, registry=self.registry)
        self._seconds = Histogram(
            "itamed_request_seconds", "Seconds to an answer.", ["route"], registry=self.registry, buckets=BUCKETS
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Add one answered request."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)
