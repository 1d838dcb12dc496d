"""Users that occur in an organization's interactions. There is no directory of users."""

from __future__ import annotations

from typing import Final

from api.queries.scope import Connection, Scope, fetch

#: Rows that are looked at per status, and users that are returned.
_ROWS: Final = 300
_USERS: Final = 20
_RECENT: Final = """
(SELECT owner_user_id, author_user_id FROM customer_interactions
 WHERE organization_id = %(organization)s AND tenant_id = %(tenant)s AND status = '{status}'
 ORDER BY scheduled_at DESC, id DESC LIMIT {rows})
"""
#: Each part reads the end of ``ix_customer_interactions_schedule``, so a large organization costs no more.
PEOPLE_SQL: Final = f"""
WITH recent AS (
  {_RECENT.format(status="planned", rows=_ROWS)} UNION ALL {_RECENT.format(status="done", rows=_ROWS)}
)
SELECT u.id::text AS id FROM (
  SELECT owner_user_id AS id FROM recent UNION ALL SELECT author_user_id FROM recent
) u WHERE u.id IS NOT NULL GROUP BY u.id ORDER BY count(*) DESC, u.id LIMIT {_USERS}
"""  # noqa: S608 - constant texts


async def people_seen(connection: Connection, scope: Scope) -> list[str]:
    """Owners and authors of recent interactions, most frequent first. One bounded statement."""
    return [row["id"] for row in await fetch(connection, PEOPLE_SQL, scope.parameters())]
