"""Probe for rows that timers, drafts and jobs have left waiting for too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runtime.postgres import Connection
from runtime.settings import Settings
from sinks.queue_heads import first_job, first_late_draft, first_unmarked
from streams.jobs.context import BEAT_SECONDS
from streams.jobs.kinds import LANES
from streams.pending_work import BacklogProbe, PendingWork

_LOG: Final = "see 'A stage that stands still' in docs/operations.md."


def timer_rows(connection: Connection, settings: Settings, probe: BacklogProbe) -> Iterator[PendingWork]:
    """Find what the timers should have had marked or ended: the first row of each of their queues.

    :raises KafkaException: the broker does not answer.
    """
    rows = [*_unmarked_interactions(connection, settings), *_late_drafts(connection, settings)]
    # Hazard: with an applier that is behind, the command that is missing may wait among the others.
    if rows and not probe.is_behind(connection, settings.stalled_after_seconds):
        yield from rows


def _unmarked_interactions(connection: Connection, settings: Settings) -> Iterator[PendingWork]:
    for row in first_unmarked(connection, settings.overdue_after_seconds):
        yield PendingWork(
            "due",
            row.phase,
            (row.interaction_id, row.schedule_version),
            f"interaction {row.interaction_id}",
            row.seconds,
            f"Interaction {row.interaction_id} is {row.phase} and not marked so",
            f"If timers run, look for the mark in the applier's log and in the dead letters; {_LOG}",
            restart_helps=False,
        )


def _late_drafts(connection: Connection, settings: Settings) -> Iterator[PendingWork]:
    row = first_late_draft(connection, settings.resolution_deadline_seconds)
    if row is not None:
        yield PendingWork(
            "drafts",
            "signals",
            (row.signal_id, row.resolution),
            f"signal {row.signal_id}",
            row.seconds,
            f"Signal {row.signal_id} is still being resolved after its deadline",
            f"The timers end a resolution at its deadline: check that they run; {_LOG}",
            restart_helps=False,
        )


def waiting_jobs(connection: Connection) -> Iterator[PendingWork]:
    """Find the first job per lane that no process works on.

    A running job may be silent for as long as its heartbeat allows.
    """
    for lane, kinds in LANES.items():
        job = first_job(connection, kinds)
        if job is None or (job.state == "running" and job.served and job.seconds < BEAT_SECONDS):
            continue
        yield PendingWork(
            "jobs",
            lane,
            (job.job_id, job.state, job.attempts, job.done),
            f"job {job.job_id}",
            job.seconds,
            f"Job {job.job_id} ({job.kind}) of the lane {lane} is {job.state}",
            "Its log says why."
            if job.served
            else "No process of the role jobs is connected: start one with `interactions run jobs`.",
        )
