"""Recurring work: due times by the database's clock, in ``job_schedules``; one row per name.

A run that was missed is made up once, not once per missed period. While a run is open, no other one starts. A
run is a job of the jobs role, or work that its owner carries out itself (``begin_own`` and ``end_own``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from runtime.postgres import Connection
from sinks.jobs.store import FINISHED, create_job

_ADD_SQL: Final = """
INSERT INTO job_schedules (name, due_at) VALUES (%s, now() + make_interval(secs => %s)) ON CONFLICT DO NOTHING
"""
_COLUMNS: Final = """
name, due_at, started_at, finished_at, outcome, result, started_at IS NOT NULL AND outcome IS NULL AS running,
extract(epoch FROM now() - due_at)::float8 AS late_seconds,
extract(epoch FROM now() - finished_at)::float8 AS finished_seconds
"""
_LOCK_SQL: Final = f"SELECT {_COLUMNS} FROM job_schedules WHERE name = %s FOR UPDATE"  # noqa: S608 - constant
_LIST_SQL: Final = f"SELECT {_COLUMNS} FROM job_schedules ORDER BY name"  # noqa: S608 - constant
# The next time of the same rhythm that is in the future. A shorter period applies at once.
_START_SQL: Final = """
UPDATE job_schedules SET started_at = now(), finished_at = NULL, outcome = NULL, updated_at = now(),
  result = jsonb_build_object('job', %(job)s::text),
  due_at = CASE WHEN due_at > now() THEN due_at ELSE due_at + make_interval(
    secs => %(every)s * (floor(extract(epoch FROM now() - due_at)::float8 / %(every)s) + 1)) END
WHERE name = %(name)s
"""
_SHORTEN_SQL: Final = """
UPDATE job_schedules SET due_at = now() + make_interval(secs => %(every)s)
WHERE name = %(name)s AND due_at > now() + make_interval(secs => %(every)s)
"""
_END_SQL: Final = """
UPDATE job_schedules s SET outcome = coalesce(j.state, 'lost'), finished_at = coalesce(j.finished_at, now()),
  result = s.result || jsonb_build_object('report', j.report, 'reason', j.reason), updated_at = now()
FROM job_schedules x LEFT JOIN jobs j ON j.id = (x.result ->> 'job')::uuid
WHERE s.name = x.name AND x.started_at IS NOT NULL AND x.outcome IS NULL AND x.result ? 'job'
  AND (j.id IS NULL OR j.state = ANY(%s))
RETURNING s.name, s.outcome
"""
_BEGIN_OWN_SQL: Final = """
UPDATE job_schedules SET started_at = now(), finished_at = NULL, outcome = NULL, result = NULL,
  updated_at = now() WHERE name = %s
"""
_END_OWN_SQL: Final = """
UPDATE job_schedules SET finished_at = now(), outcome = %s, result = %s, updated_at = now(),
  due_at = now() + make_interval(secs => %s) WHERE name = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One row of ``job_schedules``.

    :param outcome: state of the last finished run; ``None`` before the first one, and while one is open.
    :param result: ``job``, ``report`` and ``reason`` of a run that is a job; else what its owner stored.
    :param running: a run is open.
    :param late_seconds: time since it is due; negative before.
    :param finished_seconds: time since the end of the last run; ``None`` before.
    """

    name: str
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    outcome: str | None
    result: dict[str, Any] | None
    running: bool
    late_seconds: float
    finished_seconds: float | None

    @property
    def job_id(self) -> str | None:
        """Id of the job that carries out the open or last run."""
        return (self.result or {}).get("job")


def list_schedules(connection: Connection) -> list[Schedule]:
    """Read all schedules by name."""
    with connection.cursor(row_factory=class_row(Schedule)) as cursor:
        return cursor.execute(_LIST_SQL).fetchall()


def add_schedule(connection: Connection, name: str, first_after: float) -> None:
    """Add a schedule, unless it exists.

    :param first_after: seconds until its first run.
    """
    connection.execute(_ADD_SQL, (name, first_after))


def start_run(connection: Connection, name: str, job_id: str, every: float, *, now: bool) -> Schedule | None:
    """Create the job of a run, if none is open and it is due.

    :param name: of the schedule, and kind of the job.
    :param every: period in seconds.
    :param now: start it even if it is not due; the rhythm stays.
    :returns: ``None`` if the job was created; otherwise the schedule, which is running or not due.
    """
    add_schedule(connection, name, 0.0)
    with connection.transaction():
        connection.execute(_SHORTEN_SQL, {"name": name, "every": every})
        with connection.cursor(row_factory=class_row(Schedule)) as cursor:
            schedule = cursor.execute(_LOCK_SQL, (name,)).fetchone()
        if schedule is not None and (schedule.running or (schedule.late_seconds < 0 and not now)):
            return schedule
        create_job(connection, job_id, name, requested_by="operator" if now else "schedule")
        connection.execute(_START_SQL, {"name": name, "job": job_id, "every": every})
    return None


def end_runs(connection: Connection) -> dict[str, str]:
    """Note the outcomes of the runs whose jobs are finished or gone; returns name → outcome."""
    return dict(connection.execute(_END_SQL, (list(FINISHED),)).fetchall())


def begin_own(connection: Connection, name: str) -> None:
    """Note that the owner of a schedule carries out its run. It stays due until its end.

    A run whose process dies is therefore started once more.
    """
    connection.execute(_BEGIN_OWN_SQL, (name,))


def end_own(
    connection: Connection, name: str, outcome: str, result: dict[str, Any] | None, next_after: float
) -> None:
    """Note the end of a run that its owner carried out.

    :param outcome: ``completed`` or ``failed``.
    :param result: counts, without customer text.
    :param next_after: seconds until the next run.
    """
    values = (outcome, Jsonb(result) if result is not None else None, next_after, name)
    connection.execute(_END_OWN_SQL, values)


def remaining_seconds(connection: Connection, name: str) -> float | None:
    """Seconds until a schedule is due, negative if it is late; ``None`` if there is no such schedule."""
    row = connection.execute(
        "SELECT extract(epoch FROM due_at - now())::float8 FROM job_schedules WHERE name = %s", (name,)
    ).fetchone()
    return float(row[0]) if row is not None else None


def remove_schedules(connection: Connection, names: list[str]) -> None:
    """Remove schedules whose work no longer exists."""
    connection.execute("DELETE FROM job_schedules WHERE name = ANY(%s)", (names,))
