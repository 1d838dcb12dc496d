"""Due times of an integration's repairs, by the database's clock, in ``job_schedules``.

They outlive the process: a repair that was missed is made up once, and one whose process died is started once
more.
"""

from __future__ import annotations

from typing import Final

from runtime.postgres import Connection
from sinks.jobs.schedules import begin_own, end_own, remaining_seconds, remove_schedules

#: Maintenance task → prefix of its schedule's name.
SCHEDULED: Final = {"reconcile": "mappings:", "look": "look:", "digest": "digest:"}
_ADD_SQL: Final = """
INSERT INTO job_schedules (name, due_at) SELECT %s, now() + make_interval(secs => %s)
FROM integrations WHERE id = %s ON CONFLICT DO NOTHING
"""


def schedule_of(task: str, integration_id: str) -> str:
    """Name of the schedule of a task."""
    return SCHEDULED[task] + integration_id


def seconds_until_due(connection: Connection, task: str, integration_id: str, first_after: float) -> float:
    """Return the seconds until a task is due; zero or less: now.

    :param first_after: for an integration without this schedule: seconds until the first run.
    """
    name = schedule_of(task, integration_id)
    connection.execute(_ADD_SQL, (name, first_after, integration_id))
    remaining = remaining_seconds(connection, name)
    return first_after if remaining is None else remaining


def note_begun(connection: Connection, task: str, integration_id: str) -> None:
    """Note that the task runs; it stays due until its end."""
    begin_own(connection, schedule_of(task, integration_id))


def note_ended(
    connection: Connection, task: str, integration_id: str, error: Exception | None, next_after: float
) -> None:
    """Note the end of a run.

    :param error: its failure. Only the class is stored, because a message may quote the provider.
    :param next_after: seconds until the next run.
    """
    outcome = "completed" if error is None else "failed"
    result = None if error is None else {"reason": type(error).__name__}
    end_own(connection, schedule_of(task, integration_id), outcome, result, next_after)


def forget_schedules(connection: Connection, integration_id: str) -> None:
    """Remove the schedules of a removed integration."""
    remove_schedules(connection, [schedule_of(task, integration_id) for task in SCHEDULED])
