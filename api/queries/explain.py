"""Candidates for an entity's next interaction, in derivation order."""

from __future__ import annotations

from typing import Final

from api.queries.scope import Connection, Row, Scope, fetch

# The order of the spec's "Next interaction derivation algorithm".
_SQL: Final = """
SELECT i.id::text AS id, i.interaction_type, i.title, i.scheduled_at, i.priority, i.created_at,
       count(*) OVER () AS candidates
FROM customer_interactions i
WHERE i.entity_id = %(entity)s AND i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s
  AND i.status = 'planned' AND i.scheduled_at IS NOT NULL
ORDER BY i.scheduled_at, i.priority DESC NULLS LAST, i.created_at, i.id LIMIT %(limit)s
"""
_OTHERS: Final = """
SELECT count(*) FILTER (WHERE i.status = 'planned') AS unscheduled,
       count(*) FILTER (WHERE i.status = 'done') AS done,
       count(*) FILTER (WHERE i.status = 'canceled') AS canceled
FROM customer_interactions i
WHERE i.entity_id = %(entity)s AND i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s
  AND (i.status <> 'planned' OR i.scheduled_at IS NULL)
"""


async def candidates(
    connection: Connection, scope: Scope, entity_id: str, limit: int
) -> tuple[list[Row], Row]:
    """The first candidates (each with their total number), and counts of the other interactions."""
    values = {**scope.parameters(), "entity": entity_id, "limit": limit}
    found = await fetch(connection, _SQL, values)
    (others,) = await fetch(connection, _OTHERS, values)
    return found, others
