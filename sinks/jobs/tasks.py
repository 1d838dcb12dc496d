"""Tasks of a selection, page by page: the source rows of jobs on all that match."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from runtime.postgres import Connection
from sinks.columns import LEAST_ID
from sinks.task_filter import TaskSelection


class Task(NamedTuple):
    """A planned interaction."""

    id: str
    entity_id: str
    scheduled_at: datetime | None
    version: int


def tasks_after(
    connection: Connection,
    scope: tuple[str, str],
    selection: TaskSelection,
    *,
    created_until: datetime,
    after: str | None,
    limit: int,
) -> list[Task]:
    """Return the next tasks in the order of their ids; none at the end.

    The order by id stays the same while the tasks are changed.

    :param scope: tenant and organization.
    :param created_until: leave out tasks that are newer.
    :param after: id of the last task before.
    """
    conditions, values = selection.conditions(*scope)
    # Materialized, because the order by id tempts the planner to walk the rows of every tenant.
    statement = f"""
    WITH matching AS MATERIALIZED (
      SELECT i.id, i.entity_id, i.scheduled_at, i.version FROM {selection.filters.tables}
      WHERE {" AND ".join(conditions)} AND i.created_at <= %(created_until)s AND i.id > %(after)s::uuid)
    SELECT id::text, entity_id::text, scheduled_at, version FROM matching ORDER BY id LIMIT %(limit)s
    """  # noqa: S608 - constant texts
    given = {**values, "created_until": created_until, "after": after or LEAST_ID, "limit": limit}
    return [Task(*row) for row in connection.execute(statement.encode(), given)]
