"""Mirrors of a page's interactions, as people see them: the provider, a link, and the state of the sync."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api.queries.scope import Connection, Row, Scope, fetch
from schemas.flags import EXTERNAL_SYNC

# An interaction whose first push waits or fails has a row in the ledger, and no mapping yet.
MIRRORS_SQL: Final = """
WITH seen AS (
  SELECT integration_id, interaction_id FROM sync_ledger
  WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s
    AND interaction_id = ANY(%(ids)s::uuid[]) AND (parked OR next_attempt_at IS NOT NULL)
  UNION
  SELECT integration_id, local_id FROM sync_external_id_mappings
  WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s
    AND local_id = ANY(%(ids)s::uuid[]) AND entity_type = 'customers.interaction' AND NOT archived
)
SELECT seen.interaction_id::text AS interaction_id, i.id AS integration_id, i.provider, m.external_id,
  m.external_url AS url,
  CASE WHEN m.gone THEN 'gone' WHEN l.parked THEN 'blocked'
    WHEN l.next_attempt_at IS NOT NULL AND l.attempts > 0 THEN 'failing'
    WHEN l.next_attempt_at IS NOT NULL OR m.base IS NULL THEN 'waiting' ELSE 'synced' END AS state
FROM seen JOIN integrations i ON i.id = seen.integration_id
LEFT JOIN sync_ledger l ON l.integration_id = seen.integration_id AND l.interaction_id = seen.interaction_id
LEFT JOIN sync_external_id_mappings m ON m.integration_id = seen.integration_id
  AND m.entity_type = 'customers.interaction' AND m.local_id = seen.interaction_id AND NOT m.archived
WHERE i.state <> 'disabled'
  AND EXISTS (SELECT 1 FROM feature_flags WHERE tenant_id = %(tenant)s AND flag = %(flag)s AND enabled)
ORDER BY seen.interaction_id, i.id
"""


async def mirror_rows(connection: Connection, scope: Scope, ids: Sequence[str]) -> list[Row]:
    """The mirrors of all interactions of a page. One statement.

    ``state`` is that of the ledger's lists (``synced``, ``waiting``, ``failing`` or ``blocked``), or
    ``gone`` if the object was deleted at the provider.
    """
    if not ids:
        return []
    values = {**scope.parameters(), "ids": list(ids), "flag": EXTERNAL_SYNC}
    return await fetch(connection, MIRRORS_SQL, values)
