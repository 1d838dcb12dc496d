"""Data of the two dashboard widgets."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api.queries.interaction_views import COLUMNS, legacy_sql, view_sql
from api.queries.scope import Connection, Row, Scope, fetch

# Ascending order puts overdue ones first. The owner is that of the interaction, otherwise of the customer.
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
    """Customers with a next interaction, soonest first, from the projection. One statement."""
    values = {**scope.parameters(), "now": now, "limit": limit, "past": include_past}
    return await fetch(connection, _NEXT, values)


async def customer_todos(connection: Connection, scope: Scope, *, limit: int, legacy: bool) -> list[Row]:
    """Open todos with their customers, soonest first, then those without a schedule, newest first.

    One statement. Each part has its own LIMIT, so that an index returns it in order.
    """
    parts = [f"(SELECT * FROM ({view_sql('todos', legacy=False)}) o WHERE o.status = 'planned'{_FIRST})"]  # noqa: S608
    if legacy:
        parts.append(
            f"(SELECT * FROM ({legacy_sql('todos')}) o ({_COLUMNS}) WHERE o.status = 'planned'{_FIRST})"  # noqa: S608 - constant texts
        )
    statement = f"""
    SELECT v.id::text AS id, v.todo_id::text AS todo_id, v.todo_source, v.title, v.created_at,
           e.id::text AS entity_id, e.display_name, e.kind, e.owner_user_id::text AS owner_user_id
    FROM (SELECT * FROM ({" UNION ALL ".join(parts)}) o{_FIRST}) v
    LEFT JOIN customer_entities e ON e.id = v.entity_id
     AND e.tenant_id = %(tenant)s AND e.organization_id = %(organization)s
    ORDER BY v.scheduled_at, v.created_at DESC, v.id
    """  # noqa: S608 - constant texts
    return await fetch(connection, statement, {**scope.parameters(), "limit": limit})


_COLUMNS: Final = ", ".join(COLUMNS)
_FIRST: Final = " ORDER BY o.scheduled_at, o.created_at DESC, o.id LIMIT %(limit)s"
