"""Warnings of one organization's integrations, newest first.

Like enrichment, they are hidden while the tenant's flag ``customers.interactions.external-sync`` is off.
"""

from __future__ import annotations

from typing import Final

from api.queries.scope import Connection, Row, Scope, fetch
from schemas.flags import EXTERNAL_SYNC

_SQL: Final = """
SELECT id::text, integration_id, interaction_id::text, entity_id::text, external_id, kind, field, detail,
  local_value, remote_value, resolution, created_at, updated_at,
  (SELECT title FROM customer_interactions interaction
    WHERE interaction.id = integration_warnings.interaction_id
      AND interaction.tenant_id = %(tenant)s AND interaction.organization_id = %(organization)s) AS title
FROM integration_warnings
WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s AND state = 'open'
  AND (%(integration)s::text IS NULL OR integration_id = %(integration)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND EXISTS (SELECT 1 FROM feature_flags WHERE tenant_id = %(tenant)s AND flag = %(flag)s AND enabled)
ORDER BY created_at DESC, id LIMIT %(limit)s
"""


_CHOSEN_SQL: Final = """
SELECT id::text, kind, state
FROM integration_warnings
WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s AND integration_id = %(integration)s
  AND id = ANY(%(ids)s::uuid[])
  AND EXISTS (SELECT 1 FROM feature_flags WHERE tenant_id = %(tenant)s AND flag = %(flag)s AND enabled)
ORDER BY id
"""


async def chosen_warnings(
    connection: Connection, scope: Scope, integration: str, ids: list[str]
) -> list[Row]:
    """Id, kind and state of those warnings that belong to the integration, open or closed."""
    given = {"integration": integration, "ids": ids, "flag": EXTERNAL_SYNC}
    return await fetch(connection, _CHOSEN_SQL, {**scope.parameters(), **given})


async def open_warnings(
    connection: Connection, scope: Scope, *, integration: str | None, kind: str | None, limit: int
) -> list[Row]:
    """Open warnings as dicts of their columns (documented in ``connectors.store.warnings.SyncWarning``).

    ``title`` is that of the interaction.

    :param integration: only of this integration; without NUL.
    :param kind: only of this kind.
    """
    given = {"integration": integration, "kind": kind, "limit": limit, "flag": EXTERNAL_SYNC}
    return await fetch(connection, _SQL, {**scope.parameters(), **given})
