"""Remove rows of an earlier import that are deleted or private at the source by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final, NamedTuple

from runtime.postgres import Connection
from sinks.backfill import mark_changed
from sinks.legacy_tables import lift_freeze

# An interaction, and the activity or the todo link that it was made of.
_SQL: Final = """
WITH gone AS (SELECT * FROM unnest(%(ids)s::uuid[], %(entities)s::uuid[], %(tenants)s::uuid[],
  %(organizations)s::uuid[]) AS g (id, entity_id, tenant_id, organization_id)),
interactions AS (DELETE FROM legacy_interactions l USING gone g
  WHERE l.id = g.id AND (l.tenant_id, l.organization_id) = (g.tenant_id, g.organization_id)
  RETURNING l.tenant_id, l.id),
activities AS (DELETE FROM customer_activities l USING gone g
  WHERE l.id = g.id AND (l.tenant_id, l.organization_id) = (g.tenant_id, g.organization_id)
  RETURNING l.tenant_id, l.id),
links AS (DELETE FROM customer_todo_links l USING gone g
  WHERE l.todo_id = g.id AND l.entity_id = g.entity_id
    AND (l.tenant_id, l.organization_id) = (g.tenant_id, g.organization_id)
  RETURNING l.tenant_id, l.id)
SELECT a.tenant_id::text, EXISTS (SELECT FROM customer_interactions i WHERE i.id = a.id)
FROM (TABLE interactions UNION ALL TABLE activities UNION ALL TABLE links) a
"""


class StaysOut(NamedTuple):
    """An interaction of the source that is not imported."""

    id: str
    entity_id: str
    tenant_id: str
    organization_id: str


def withdraw(connection: Connection, rows: Collection[StaysOut]) -> tuple[int, int]:
    """Remove the rows, and note for each tenant that its move changed.

    :param connection: in autocommit mode.
    :returns: number of removed rows, and of those that are interactions here already.
    """
    ids, entities, tenants_of, organizations = zip(*rows, strict=True)
    values = {
        "ids": list(ids),
        "entities": list(entities),
        "tenants": list(tenants_of),
        "organizations": list(organizations),
    }
    with connection.transaction():
        lift_freeze(connection)
        removed = connection.execute(_SQL, values).fetchall()
        tenants = Counter(tenant for tenant, _ in removed)
        if tenants:
            mark_changed(connection, tenants)
    return len(removed), sum(moved for _, moved in removed)
