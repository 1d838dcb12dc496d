"""Names and addresses of customers by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from api.queries.scope import Connection, Row, Scope, fetch

_SQL: Final = """
SELECT e.id::text AS id, e.kind, e.display_name, e.primary_email, e.primary_phone
FROM customer_entities e
WHERE e.id = ANY(%(ids)s::uuid[]) AND e.tenant_id = %(tenant)s AND e.organization_id = %(organization)s
"""


async def contacts(connection: Connection, scope: Scope, ids: Iterable[str | None]) -> dict[str, Row]:
    """Id → name, kind, email and phone. Unknown ids are left out."""
    wanted = sorted({identity for identity in ids if identity is not None})
    if not wanted:
        return {}
    rows = await fetch(connection, _SQL, {**scope.parameters(), "ids": wanted})
    return {row["id"]: row for row in rows}
