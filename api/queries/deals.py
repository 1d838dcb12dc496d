"""Lists of deals in keyset pages, newest first."""

from __future__ import annotations

from typing import Any, Final

from api.queries.keyset import After
from api.queries.scope import Connection, Row, Scope, fetch
from sinks.search_pattern import like

_COLUMNS: Final = """
d.id::text AS id, d.entity_id::text AS entity_id, d.title, d.status, d.version,
d.tenant_id::text AS tenant_id, d.organization_id::text AS organization_id, d.created_at, d.updated_at
"""


async def deals(
    connection: Connection,
    scope: Scope,
    *,
    limit: int,
    entity_id: str | None = None,
    status: str | None = None,
    search: str | None = None,
    after: After | None = None,
) -> list[Row]:
    """One page plus one row if more follow. One statement.

    :param after: last row of the previous page, by its creation time.
    """
    values: dict[str, Any] = {
        **scope.parameters(),
        "limit": limit + 1,
        "entity": entity_id,
        "status": status,
        "search": like(search) if search else None,
        "after": after.key if after else None,
        "after_id": after.id if after else None,
    }
    conditions = ["d.tenant_id = %(tenant)s AND d.organization_id = %(organization)s"]
    if entity_id is not None:
        conditions.append("d.entity_id = %(entity)s")
    if status is not None:
        conditions.append("d.status = %(status)s")
    if search:
        conditions.append("d.title ILIKE %(search)s")
    if after is not None:
        conditions.append("(d.created_at, d.id) < (%(after)s, %(after_id)s::uuid)")
    statement = (
        f"SELECT {_COLUMNS} FROM customer_deals d WHERE {' AND '.join(conditions)}"  # noqa: S608 - constant texts
        " ORDER BY d.created_at DESC, d.id DESC LIMIT %(limit)s"
    )
    return await fetch(connection, statement, values)


async def deal(connection: Connection, scope: Scope, deal_id: str) -> Row | None:
    """One deal; ``None`` if this scope does not contain it."""
    rows = await fetch(
        connection,
        f"SELECT {_COLUMNS} FROM customer_deals d WHERE d.id = %(id)s"  # noqa: S608 - constant column names
        " AND d.tenant_id = %(tenant)s AND d.organization_id = %(organization)s",
        {**scope.parameters(), "id": deal_id},
    )
    return rows[0] if rows else None
