"""Prometheus metrics of one gateway process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The metrics and their registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "interactions_http_requests_total",
            "Answered requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "interactions_http_request_seconds",
            "Time until the response starts.",
            ["method", "route"],
            registry=self.registry,
        )
        self.streams = Gauge("interactions_http_streams", "Open event streams.", registry=self.registry)
