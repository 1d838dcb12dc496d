"""Metrics of the watch, collected from its state on each scrape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


@dataclass(slots=True)
class WatchState:
    """State of a leading watch; times are of the monotonic clock.

    :param current_at: last time at which the journal was read up to the present; ``None`` while another
        process leads.
    :param complete_at: end of the last complete sweep, or the begin of the first.
    :param behind: entries of the journal at the last look; ``skipped``: looks that left out entries.
    :param busy: seconds spent per pass: ``recent`` and ``sweep``.
    """

    violations: dict[str, int] = field(default_factory=dict)
    current_at: float | None = None
    complete_at: float = 0.0
    behind: int = 0
    skipped: int = 0
    busy: dict[str, float] = field(default_factory=lambda: {"recent": 0.0, "sweep": 0.0})


class WatchMetrics(Collector):
    """Collector of a watch's state."""

    def __init__(self, state: WatchState) -> None:
        self._state = state

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Build the metrics; none while another process leads."""
        state = self._state
        if state.current_at is None:
            return
        now = time.monotonic()
        open_ = GaugeMetricFamily(
            "interactions_integrity_violations", "Open violations of an invariant", labels=["check"]
        )
        for check in ("A3", "A11", "A12", "A13", "A14", "A15"):
            open_.add_metric([check], state.violations.get(check, 0))
        yield open_
        yield GaugeMetricFamily(
            "interactions_integrity_sweep_age_seconds",
            "Time since the last complete sweep",
            now - state.complete_at,
        )
        yield GaugeMetricFamily(
            "interactions_integrity_behind_seconds",
            "Time since the journal was read up to the present",
            now - state.current_at,
        )
        yield GaugeMetricFamily(
            "interactions_integrity_behind_entries", "Journal entries at the last look", state.behind
        )
        yield CounterMetricFamily(
            "interactions_integrity_skipped_looks",
            "Looks that left out journal entries, because there were too many",
            state.skipped,
        )
        busy = CounterMetricFamily(
            "interactions_integrity_busy_seconds", "Time spent on checks", labels=["pass"]
        )
        for name, seconds in state.busy.items():
            busy.add_metric([name], seconds)
        yield busy
