"""Metrics of recurring work, collected from its schedules on each scrape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sinks.jobs.schedules import Schedule

#: Count of the last complete run of the reconciler → its metric and help.
_DRIFTS: Final = {
    "compared": ("interactions_reconcile_compared", "Customers that the last complete run compared"),
    "drifts": ("interactions_reconcile_drifts", "Wrong projections that the last complete run found"),
    "unrepaired": ("interactions_reconcile_unrepaired", "Those of them that are still wrong"),
}


class ScheduleMetrics(Collector):
    """Collector of the schedules that the leader of the lane read last; none in other processes."""

    def __init__(self) -> None:
        self.schedules: Sequence[Schedule] = ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Build the metrics."""
        if not self.schedules:
            return
        late = GaugeMetricFamily(
            "interactions_schedule_late_seconds", "Time since recurring work is due", labels=["name"]
        )
        failed = GaugeMetricFamily(
            "interactions_schedule_failed", "1 if the last run of recurring work failed", labels=["name"]
        )
        for schedule in self.schedules:
            if ":" in schedule.name:
                continue  # of an integration, which may be paused
            late.add_metric([schedule.name], 0.0 if schedule.running else max(0.0, schedule.late_seconds))
            failed.add_metric([schedule.name], float(schedule.outcome not in (None, "completed")))
        yield late
        yield failed
        for schedule in self.schedules:
            if schedule.name == "reconcile" and schedule.outcome == "completed":
                report = (schedule.result or {}).get("report", {})
                for name, (metric, text) in _DRIFTS.items():
                    yield GaugeMetricFamily(metric, text, report.get(name, 0))
