"""What the two dashboard widgets show."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sinks.reads.interaction_views import view_sql
from sinks.reads.scope import Connection, Row, Scope, fetch

# Soonest first puts the overdue ones on top; the owner is the next interaction's, else the customer's.
_NEXT: Final = """
SELECT e.id::text AS id, e.display_name, e.kind, e.organization_id::text AS organization_id,
       e.next_interaction_at, e.next_interaction_name, e.next_interaction_icon, e.next_interaction_color,
       coalesce(i.owner_user_id, e.owner_user_id)::text AS owner_user_id
FROM customer_entities e LEFT JOIN customer_interactions i ON i.id = e.next_interaction_ref_id
WHERE e.tenant_id = %(tenant)s AND e.organization_id = %(organization)s
  AND e.next_interaction_at IS NOT NULL AND (%(past)s OR e.next_interaction_at >= %(now)s)
ORDER BY e.next_interaction_at, e.id LIMIT %(limit)s
"""


async def next_interactions(
    connection: Connection, scope: Scope, *, now: datetime, limit: int, include_past: bool
) -> list[Row]:
    """Customers with a next interaction, soonest first, from the projection; one statement."""
    values = {**scope.parameters(), "now": now, "limit": limit, "past": include_past}
    return await fetch(connection, _NEXT, values)


async def customer_todos(connection: Connection, scope: Scope, *, limit: int, legacy: bool) -> list[Row]:
    """The newest open todos with their customers; one statement."""
    statement = f"""
    SELECT v.id::text AS id, v.todo_id::text AS todo_id, v.todo_source, v.title, v.created_at,
           e.id::text AS entity_id, e.display_name, e.kind, e.owner_user_id::text AS owner_user_id
    FROM (SELECT * FROM ({view_sql("todos", legacy=legacy)}) w WHERE w.status = 'planned'
          ORDER BY w.created_at DESC, w.id DESC LIMIT %(limit)s) v
    LEFT JOIN customer_entities e ON e.id = v.entity_id
     AND e.tenant_id = %(tenant)s AND e.organization_id = %(organization)s
    ORDER BY v.created_at DESC, v.id DESC
    """  # noqa: S608 - our own texts
    return await fetch(connection, statement, {**scope.parameters(), "limit": limit})
