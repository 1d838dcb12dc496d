"""Jobs: create, claim, save and finish; one row per job in ``jobs``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from runtime.postgres import Connection

_COLUMNS: Final = (
    "id::text, kind, tenant_id::text, organization_id::text, settings, state, reason, requested_by, total,"
    " done, cursor, report, active_seconds, attempts, created_at, started_at, finished_at, updated_at"
)
_CLAIM: Final = """
UPDATE jobs SET state = 'running', reason = NULL, attempts = attempts + 1,
    started_at = coalesce(started_at, now()), updated_at = now()
WHERE id = (SELECT id FROM jobs WHERE state IN ('waiting', 'running') AND kind = ANY(%s)
            ORDER BY attempts >= %s, state, queued_at, id LIMIT 1)
"""
#: Path of the search text in the settings, which may be a customer's name: a job that is over drops it.
SEARCH: Final = ["selection", "filters", "search"]
#: Attempts without progress after which other jobs go first.
_PATIENT_ATTEMPTS: Final = 3
#: A finished job never changes.
FINISHED: Final = ("completed", "failed", "canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of ``jobs``.

    :param tenant_id: ``None``: all tenants; likewise ``organization_id`` for all organizations of the tenant.
    :param reason: why the job is paused, or failed.
    :param total: number of source rows, once it is known; ``done``: those that are finished.
    :param cursor: where the job resumes.
    :param active_seconds: time that the job ran.
    :param attempts: times that it was started since it last made progress, this time included.
    """

    id: str
    kind: str
    tenant_id: str | None
    organization_id: str | None
    settings: dict[str, Any]
    state: str
    reason: str | None
    requested_by: str | None
    total: int | None
    done: int
    cursor: dict[str, Any] | None
    report: dict[str, Any]
    active_seconds: float
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime

    @property
    def remaining_seconds(self) -> float | None:
        """Estimate of the remaining time; ``None`` while nothing is known."""
        if self.state in FINISHED or self.total is None or not self.done or not self.active_seconds:
            return None
        return self.active_seconds / self.done * max(0, self.total - self.done)


def create_job(
    connection: Connection,
    job_id: str,
    kind: str,
    *,
    tenant_id: str | None = None,
    organization_id: str | None = None,
    settings: dict[str, Any] | None = None,
    requested_by: str | None = None,
    total: int | None = None,
) -> bool:
    """Create a waiting job, unless one with this id exists; return true if it was created.

    :param total: source rows, if they are known already.
    """
    cursor = connection.execute(
        "INSERT INTO jobs (id, kind, tenant_id, organization_id, settings, requested_by, total)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING",
        (job_id, kind, tenant_id, organization_id, Jsonb(settings or {}), requested_by, total),
    )
    return cursor.rowcount == 1


def find_job(connection: Connection, job_id: str) -> Job | None:
    """Find a job by its id."""
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = %s", (job_id,)).fetchone()  # noqa: S608


def latest_job(
    connection: Connection,
    kinds: Collection[str],
    tenant_id: str | None,
    settings: dict[str, Any] | None = None,
) -> Job | None:
    """Find the newest job of these kinds for a tenant, or for all tenants.

    :param settings: those that it must have, among others.
    """
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE kind = ANY(%s) AND tenant_id IS NOT DISTINCT FROM %s::uuid"  # noqa: S608
            " AND settings @> %s ORDER BY created_at DESC, id LIMIT 1",
            (list(kinds), tenant_id, Jsonb(settings or {})),
        ).fetchone()


def last_report(connection: Connection, kind: str) -> dict[str, Any]:
    """Return the report of the last completed job of a kind; empty if there is none."""
    row = connection.execute(
        "SELECT report FROM jobs WHERE kind = %s AND state = 'completed' ORDER BY finished_at DESC LIMIT 1",
        (kind,),
    ).fetchone()
    return dict(row[0]) if row is not None else {}


def list_jobs(
    connection: Connection, limit: int, states: Sequence[str] | None = None, *, runs: bool = True
) -> list[Job]:
    """List jobs, newest first.

    :param runs: include the completed runs of recurring jobs.
    """
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE (%(states)s::text[] IS NULL OR state = ANY(%(states)s))"  # noqa: S608
            " AND (%(runs)s OR state <> 'completed' OR kind NOT IN (SELECT name FROM job_schedules))"
            " ORDER BY created_at DESC, id LIMIT %(limit)s",
            {"states": list(states) if states is not None else None, "runs": runs, "limit": limit},
        ).fetchall()


def claim_job(connection: Connection, kinds: Collection[str]) -> Job | None:
    """Take the next job of these kinds: one that is running already, or the one that has waited longest.

    A job without progress after several attempts comes after all others. Call it as the only leader of
    these kinds.
    """
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(
            f"{_CLAIM} RETURNING {_COLUMNS}",
            (list(kinds), _PATIENT_ATTEMPTS),
        ).fetchone()


def excuse_attempt(connection: Connection, job_id: str) -> None:
    """Do not count the last attempt of a job: a server was unavailable."""
    connection.execute("UPDATE jobs SET attempts = greatest(attempts - 1, 0) WHERE id = %s", (job_id,))


def requeue_job(connection: Connection, job: Job) -> bool:
    """Put a running job behind the waiting jobs of its kind; return false if there are none."""
    cursor = connection.execute(
        "UPDATE jobs SET state = 'waiting', queued_at = now(), updated_at = now()"
        " WHERE id = %(id)s AND state = 'running' AND EXISTS (SELECT 1 FROM jobs AS other"
        " WHERE other.state = 'waiting' AND other.kind = %(kind)s)",
        {"id": job.id, "kind": job.kind},
    )
    return cursor.rowcount == 1


def save_job(
    connection: Connection,
    job_id: str,
    *,
    cursor: dict[str, Any] | None,
    done: int,
    total: int | None,
    report: dict[str, Any],
    seconds: float,
) -> str | None:
    """Store the progress of a running job; in the transaction of the work that it covers.

    :param seconds: time since the last call.
    :returns: the state, which an operator may have changed; ``None`` if the job is gone.
    """
    row = connection.execute(
        "UPDATE jobs SET cursor = %(cursor)s, done = %(done)s, total = %(total)s, report = %(report)s,"
        " attempts = CASE WHEN (cursor, done) IS DISTINCT FROM (%(cursor)s, %(done)s) THEN 0 ELSE attempts"
        " END, active_seconds = active_seconds + %(seconds)s, updated_at = now()"
        " WHERE id = %(id)s RETURNING state",
        {
            "cursor": Jsonb(cursor) if cursor is not None else None,
            "done": done,
            "total": total,
            "report": Jsonb(report),
            "seconds": seconds,
            "id": job_id,
        },
    ).fetchone()
    return row[0] if row is not None else None


def state_of(connection: Connection, job_id: str) -> str | None:
    """Read the state of a job; ``None`` if there is no such job."""
    row = connection.execute("SELECT state FROM jobs WHERE id = %s", (job_id,)).fetchone()
    return row[0] if row is not None else None


def finish_job(connection: Connection, job_id: str, state: str, reason: str | None = None) -> None:
    """Finish a running job, or pause it with a reason."""
    connection.execute(
        "UPDATE jobs SET state = %(state)s, reason = %(reason)s, updated_at = now(),"
        " settings = CASE WHEN %(state)s = 'completed' THEN settings #- %(search)s::text[] ELSE settings END,"
        " finished_at = CASE WHEN %(state)s = 'paused' THEN NULL ELSE now() END"
        " WHERE id = %(id)s AND state = 'running'",
        {"state": state, "reason": reason, "id": job_id, "search": SEARCH},
    )


#: Request of an operator → states in which it is possible, and the new state.
REQUESTS: Final = {
    "pause": (("waiting", "running"), "paused"),
    "resume": (("paused", "failed"), "waiting"),
    "cancel": (("waiting", "running", "paused"), "canceled"),
}


def request_job(connection: Connection, job_id: str, request: str) -> bool:
    """Pause, resume or cancel a job; return false if its state does not allow it."""
    states, wanted = REQUESTS[request]
    cursor = connection.execute(
        "UPDATE jobs SET state = %(wanted)s, updated_at = now(), attempts = 0,"
        " reason = CASE WHEN %(wanted)s = 'paused' THEN 'Paused by an operator.' END,"
        " settings = CASE WHEN %(wanted)s = 'canceled' THEN settings #- %(search)s::text[] ELSE settings END,"
        " finished_at = CASE WHEN %(wanted)s = 'canceled' THEN now() END"
        " WHERE id = %(id)s AND state = ANY(%(states)s)",
        {"wanted": wanted, "id": job_id, "states": list(states), "search": SEARCH},
    )
    return cursor.rowcount == 1


def jobs_role_runs(connection: Connection) -> bool:
    """Report whether a jobs role is connected to this database."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'interactions-jobs')"
    ).fetchone()
    return row is not None and bool(row[0])
