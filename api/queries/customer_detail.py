"""One person or company with the views over its interactions and its deals."""

from __future__ import annotations

from typing import Final

from api.queries.interaction_views import View, view_sql
from api.queries.scope import Connection, Row, Scope, fetch

#: Most rows per view in a detail response. The lists page through the rest.
MAX_ROWS: Final = 100

ENTITY_COLUMNS: Final = """
e.id::text AS id, e.tenant_id::text AS tenant_id, e.organization_id::text AS organization_id, e.kind,
e.display_name, e.primary_email, e.primary_phone, e.owner_user_id::text AS owner_user_id,
e.entity_version, e.next_interaction_at, e.next_interaction_name,
e.next_interaction_ref_id::text AS next_interaction_ref_id, e.next_interaction_icon,
e.next_interaction_color, e.last_interaction_at, e.last_interaction_name,
e.last_interaction_ref_id::text AS last_interaction_ref_id, e.open_count, e.overdue_count, e.done_count,
e.created_at, e.updated_at
"""
_ENTITY: Final = f"""
SELECT {ENTITY_COLUMNS} FROM customer_entities e
WHERE e.id = %(entity)s AND e.tenant_id = %(tenant)s AND e.organization_id = %(organization)s
"""  # noqa: S608 - constant column names
_DEALS: Final = """
SELECT d.id::text AS id, d.entity_id::text AS entity_id, d.title, d.status, d.version,
       d.created_at, d.updated_at
FROM customer_deals d
WHERE d.entity_id = %(entity)s AND d.tenant_id = %(tenant)s AND d.organization_id = %(organization)s
ORDER BY d.created_at DESC, d.id DESC LIMIT %(limit)s
"""


async def entity(connection: Connection, scope: Scope, entity_id: str) -> Row | None:
    """The entity; ``None`` if this scope does not contain it."""
    rows = await fetch(connection, _ENTITY, {**scope.parameters(), "entity": entity_id})
    return rows[0] if rows else None


async def deals_of(connection: Connection, scope: Scope, entity_id: str) -> list[Row]:
    """The newest deals of an entity."""
    values = {**scope.parameters(), "entity": entity_id, "limit": MAX_ROWS}
    return await fetch(connection, _DEALS, values)


async def views_of(
    connection: Connection, scope: Scope, entity_id: str, views: tuple[View, ...], *, legacy: bool
) -> dict[View, list[Row]]:
    """The newest rows of each view, in one statement.

    Each row has the view's columns with ids as text, ``deal_title``, ``type_label`` and the ``total`` of its
    view.
    """
    if not views:
        return {}
    # Each part has its own LIMIT, so that no sort has to hold all rows of a large customer.
    parts = " UNION ALL ".join(
        f"(SELECT '{view}' AS view, (SELECT count(*) FROM ({rows}) n) AS total, p.* FROM ({rows}) p"  # noqa: S608
        f" ORDER BY {_NEWEST} DESC, p.id DESC LIMIT %(limit)s)"
        for view, rows in ((view, view_sql(view, legacy=legacy, of_entity=True)) for view in views)
    )
    statement = f"""
    SELECT p.*, p.id::text AS id, p.entity_id::text AS entity_id, p.deal_id::text AS deal_id,
           p.author_user_id::text AS author_user_id, p.owner_user_id::text AS owner_user_id,
           p.todo_id::text AS todo_id, d.title AS deal_title, t.label AS type_label
    FROM ({parts}) p
    LEFT JOIN customer_deals d ON d.id = p.deal_id
     AND d.tenant_id = %(tenant)s AND d.organization_id = %(organization)s
    LEFT JOIN interaction_types t ON t.code = p.interaction_type
     AND t.tenant_id = %(tenant)s AND t.organization_id = %(organization)s
    ORDER BY p.view, {_NEWEST} DESC, p.id DESC
    """  # noqa: S608 - constant texts
    values = {**scope.parameters(), "entity": entity_id, "limit": MAX_ROWS}
    found: dict[View, list[Row]] = {view: [] for view in views}
    for row in await fetch(connection, statement, values):
        found[row["view"]].append(row)
    return found


_NEWEST: Final = "coalesce(p.occurred_at, p.scheduled_at, p.created_at)"
