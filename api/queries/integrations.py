"""Enrichment: the mirrors of interactions, for ``_integrations.<id>`` (spec "UMES integration response").

One statement per page of interactions. Mirrors are hidden while their integration is disabled, or the
tenant's flag ``customers.interactions.external-sync`` is off; their mappings are kept. URLs are validated and
encoded before they are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg

from api.queries.scope import Connection, Scope, fetch
from schemas.flags import EXTERNAL_SYNC
from schemas.instants import format_instant

_SQL: Final = """
SELECT mapping.local_id::text, mapping.integration_id, mapping.external_id, mapping.external_url,
  mapping.last_synced_at, mapping.extra,
  CASE WHEN mapping.gone THEN 'not_synced' WHEN coalesce(row.parked, FALSE) THEN 'error'
    WHEN row.next_attempt_at IS NOT NULL OR mapping.base IS NULL THEN 'pending' ELSE 'synced' END
FROM sync_external_id_mappings mapping
JOIN integrations integration ON integration.id = mapping.integration_id
LEFT JOIN sync_ledger row ON row.integration_id = mapping.integration_id
  AND row.interaction_id = mapping.local_id
WHERE mapping.tenant_id = %(tenant)s AND mapping.organization_id = %(organization)s
  AND mapping.local_id = ANY(%(ids)s::uuid[]) AND mapping.entity_type = 'customers.interaction'
  AND NOT mapping.archived AND integration.state <> 'disabled'
  AND EXISTS (SELECT 1 FROM feature_flags WHERE tenant_id = %(tenant)s AND flag = %(flag)s AND enabled)
"""

#: Interaction id → integration id → members of the mirror.
Enrichment = dict[str, dict[str, dict[str, Any]]]


async def has_integration(connection: Connection, scope: Scope, integration: str) -> bool:
    """Report whether the organization has an integration with this id."""
    statement = (
        "SELECT id FROM integrations"
        " WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s AND id = %(integration)s"
    )
    return bool(await fetch(connection, statement, {**scope.parameters(), "integration": integration}))


def integrations_of(
    connection: psycopg.Connection[Any], tenant_id: str, organization_id: str, interaction_ids: Sequence[str]
) -> Enrichment:
    """The mirrors of a page of interactions. Interactions without a mirror are missing."""
    if not interaction_ids:
        return {}
    return _enrichment(
        connection.execute(_SQL, _parameters(tenant_id, organization_id, interaction_ids)).fetchall()
    )


async def integrations_of_async(
    connection: psycopg.AsyncConnection[Any],
    tenant_id: str,
    organization_id: str,
    interaction_ids: Sequence[str],
) -> Enrichment:
    """Asynchronous form of :func:`integrations_of`."""
    if not interaction_ids:
        return {}
    cursor = await connection.execute(_SQL, _parameters(tenant_id, organization_id, interaction_ids))
    return _enrichment(await cursor.fetchall())


def _parameters(tenant_id: str, organization_id: str, interaction_ids: Sequence[str]) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "organization": organization_id,
        "ids": list(interaction_ids),
        "flag": EXTERNAL_SYNC,
    }


def _enrichment(rows: Sequence[tuple[Any, ...]]) -> Enrichment:
    found: Enrichment = {}
    for local_id, integration_id, external_id, url, synced_at, extra, status in rows:
        found.setdefault(local_id, {})[integration_id] = {
            **extra,
            "externalId": external_id,
            "externalUrl": url,
            "syncStatus": status,
            "lastSyncedAt": format_instant(synced_at) if synced_at is not None else None,
        }
    return found
