"""Jobs of one tenant, newest first. A job for all tenants belongs to the operator and is in no list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from api.queries.keyset import After, order_sql
from api.queries.scope import Connection, Row, Scope, fetch

STATES: Final = ("waiting", "running", "paused", "completed", "failed", "canceled")
_SCOPE: Final = (
    "j.tenant_id = %(tenant)s AND (j.organization_id IS NULL OR j.organization_id = %(organization)s)"
)
_COLUMNS: Final = """
j.id::text AS id, j.kind, j.organization_id::text AS organization_id, j.state, j.reason, j.requested_by,
j.total, j.done, j.report, j.active_seconds, j.created_at, j.started_at, j.finished_at, j.updated_at,
j.settings ->> 'action' AS action,
(SELECT count(*) FROM job_batches b WHERE b.job_id = j.id AND b.state = 'failed') AS failed_batches
"""
_FAILURES_SQL: Final = f"""
SELECT b.number, b.rows, b.attempts, b.error FROM job_batches b JOIN jobs j ON j.id = b.job_id
WHERE b.job_id = %(id)s AND b.state = 'failed' AND {_SCOPE} ORDER BY b.number LIMIT %(limit)s
"""  # noqa: S608 - constant texts


async def job_page(
    connection: Connection,
    scope: Scope,
    *,
    states: Sequence[str] | None,
    kind: str | None,
    after: After | None,
    limit: int,
) -> tuple[list[Row], bool]:
    """The rows of one page, and whether more follow.

    :param states: only jobs in these states; ``None`` for any.
    :param kind: only jobs of this kind; without NUL.
    :param after: creation time and id of the last job of the page before.
    """
    conditions, given = [_SCOPE], dict[str, Any](scope.parameters(), rows=limit + 1)
    if states is not None:
        conditions.append("j.state = ANY(%(states)s)")
        given["states"] = list(states)
    if kind is not None:
        conditions.append("j.kind = %(kind)s")
        given["kind"] = kind
    if after is not None:
        conditions.append("(j.created_at, j.id) < (%(after_key)s, %(after_id)s::uuid)")
        given |= {"after_key": after.key, "after_id": after.id}
    statement = f"""
    SELECT {_COLUMNS} FROM jobs j WHERE {" AND ".join(conditions)}
    ORDER BY {order_sql("j.created_at", "j.id", "desc")} LIMIT %(rows)s
    """  # noqa: S608 - constant texts
    rows = await fetch(connection, statement, given)
    return rows[:limit], len(rows) > limit


async def job_by_id(connection: Connection, scope: Scope, job_id: str) -> Row | None:
    """One job; ``None`` if this tenant has none with this id."""
    statement = f"SELECT {_COLUMNS} FROM jobs j WHERE j.id = %(id)s AND {_SCOPE}"  # noqa: S608 - constant texts
    rows = await fetch(connection, statement, {**scope.parameters(), "id": job_id})
    return rows[0] if rows else None


async def job_settings(connection: Connection, scope: Scope, job_id: str) -> dict[str, Any] | None:
    """Settings of a job; ``None`` if this tenant has none with this id."""
    statement = f"SELECT j.settings FROM jobs j WHERE j.id = %(id)s AND {_SCOPE}"  # noqa: S608 - constant texts
    rows = await fetch(connection, statement, {**scope.parameters(), "id": job_id})
    return rows[0]["settings"] if rows else None


async def failed_batches(connection: Connection, scope: Scope, job_id: str, limit: int) -> list[Row]:
    """The first failed batches of a job."""
    return await fetch(connection, _FAILURES_SQL, {**scope.parameters(), "id": job_id, "limit": limit})
