"""Start recurring jobs when they are due, and note their ends; called by the leader of their lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import structlog
from prometheus_client import REGISTRY

from runtime.postgres import Connection
from runtime.settings import Settings
from schemas.errors import Stop
from sinks.jobs.schedules import Schedule, add_schedule, end_runs, list_schedules, start_run
from streams.jobs.metrics import ScheduleMetrics

_log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Recurring:
    """A recurring job.

    :param name: of its schedule, and its kind of job.
    :param every: period in seconds.
    :param first_after: seconds until the first run in a new database.
    """

    name: str
    every: float
    first_after: float


def recurring_jobs(settings: Settings) -> tuple[Recurring, ...]:
    """Return the recurring jobs with their periods.

    The first retention run is a period away, so that an operator can see what it would drop.
    """
    reconcile, retention = settings.reconcile_every_seconds, settings.retention_every_seconds
    return Recurring("reconcile", reconcile, 0.0), Recurring("retention", retention, retention)


def run_now(connection: Connection, settings: Settings, name: str) -> tuple[str, Schedule | None]:
    """Start a recurring job at once, unless it runs.

    :returns: id of the job that runs, and the schedule if it ran before this call.
    :raises Stop: there is no recurring job of this name.
    """
    known = {it.name: it for it in recurring_jobs(settings)}
    if name not in known:
        raise Stop(f"There is no recurring job {name!r}; the recurring jobs are {', '.join(known)}.")
    job_id = str(uuid4())
    running = start_run(connection, name, job_id, known[name].every, now=True)
    return (running.job_id or "" if running is not None else job_id), running


class Scheduler:
    """Creates the jobs of the lane ``scheduled``.

    Hazard: only the leader of the lane may call ``tick``.
    """

    def __init__(self, settings: Settings) -> None:
        self._recurring: Final = recurring_jobs(settings)
        self._metrics = ScheduleMetrics()

    def tick(self, connection: Connection) -> None:
        """Note ended runs, and start those that are due."""
        for name, outcome in end_runs(connection).items():
            note = _log.info if outcome == "completed" else _log.error
            note("jobs.run_ended", schedule=name, outcome=outcome)
        for it in self._recurring:
            add_schedule(connection, it.name, it.first_after)
            job_id = str(uuid4())
            if start_run(connection, it.name, job_id, it.every, now=False) is None:
                _log.info("jobs.run_started", schedule=it.name, job=job_id)
        self._metrics.schedules = list_schedules(connection)

    def register_metrics(self) -> None:
        """Report the schedules on this process's metrics endpoint while it leads."""
        REGISTRY.register(self._metrics)
