"""Oldest row of each queue in the database: interactions to mark, drafts that are late, jobs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final, NamedTuple

from runtime.postgres import Connection
from sinks.jobs.store import jobs_role_runs

_UNMARKED_SQL: Final = """
SELECT id::text, schedule_version, due_phase,
    extract(epoch FROM clock_timestamp() - greatest(updated_at, scheduled_at + due_phase * %(after)s))::float8
FROM ((SELECT * FROM customer_interactions
        WHERE status = 'planned' AND due_phase = 0 AND scheduled_at <= now() ORDER BY scheduled_at LIMIT 1)
    UNION ALL (SELECT * FROM customer_interactions
        WHERE status = 'planned' AND due_phase = 1 AND scheduled_at <= now() - %(after)s
        ORDER BY scheduled_at LIMIT 1)) AS heads
"""
_LATE_SQL: Final = """
SELECT id::text, resolution, extract(epoch FROM clock_timestamp() - requested_at - %(deadline)s)::float8
FROM signals WHERE status = 'resolving' AND requested_at <= now() - %(deadline)s
ORDER BY requested_at LIMIT 1
"""
_JOB_SQL: Final = """
SELECT id::text, kind, state, attempts, done, extract(epoch FROM clock_timestamp() - greatest(updated_at, (
    SELECT finished_at FROM jobs WHERE kind = ANY(%(kinds)s) AND finished_at IS NOT NULL
    ORDER BY finished_at DESC LIMIT 1)))::float8
FROM jobs WHERE state IN ('waiting', 'running') AND kind = ANY(%(kinds)s)
ORDER BY state, queued_at, id LIMIT 1
"""


class Unmarked(NamedTuple):
    """An interaction that is due or overdue, and not marked so.

    :param phase: ``due`` or ``overdue``.
    """

    interaction_id: str
    schedule_version: int
    phase: str
    seconds: float


class LateDraft(NamedTuple):
    """A signal that is still being resolved after the deadline.

    :param seconds: time since the deadline.
    """

    signal_id: str
    resolution: int
    seconds: float


class FirstJob(NamedTuple):
    """The job of a lane that is running, or that is next.

    :param attempts: times that it was started since it last made progress.
    :param seconds: time since anything happened in the lane.
    :param served: a process of the role ``jobs`` is connected.
    """

    job_id: str
    kind: str
    state: str
    attempts: int
    done: int
    seconds: float
    served: bool


def first_unmarked(connection: Connection, overdue_after_seconds: int) -> list[Unmarked]:
    """Find the earliest interaction that waits for ``due``, and the earliest that waits for ``overdue``."""
    rows = connection.execute(_UNMARKED_SQL, {"after": timedelta(seconds=overdue_after_seconds)})
    return [
        Unmarked(row_id, version, "overdue" if phase else "due", seconds)
        for row_id, version, phase, seconds in rows
    ]


def first_late_draft(connection: Connection, deadline_seconds: float) -> LateDraft | None:
    """Find the signal whose deadline passed first."""
    row = connection.execute(_LATE_SQL, {"deadline": timedelta(seconds=deadline_seconds)}).fetchone()
    return LateDraft(*row) if row is not None else None


def first_job(connection: Connection, kinds: Collection[str]) -> FirstJob | None:
    """Find the running or next job of a lane."""
    row = connection.execute(_JOB_SQL, {"kinds": list(kinds)}).fetchone()
    return FirstJob._make((*row, jobs_role_runs(connection))) if row is not None else None
