"""Drift of the ledger and the mappings from the core: found by comparing, repaired by marking rows due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runtime.postgres import Connection

# Versions or whole interactions that the ledger has missed. A change that came from the provider is not
# wanted, because it must not go back, but it is done.
_MISSED: Final = """
INSERT INTO sync_ledger (integration_id, interaction_id, tenant_id, organization_id, entity_id,
  wanted_version, next_attempt_at)
SELECT %(integration)s, row.id, row.tenant_id, row.organization_id, row.entity_id, row.version, %(now)s
FROM customer_interactions row
LEFT JOIN sync_ledger known ON known.integration_id = %(integration)s AND known.interaction_id = row.id
WHERE row.tenant_id = %(tenant)s AND row.organization_id = %(organization)s
  AND row.updated_at < %(before)s
  AND (known.interaction_id IS NULL OR greatest(known.wanted_version, known.done_version) < row.version)
  AND (known.interaction_id IS NOT NULL OR row.status = 'planned' OR %(closed)s)
LIMIT %(limit)s
ON CONFLICT (integration_id, interaction_id) DO UPDATE SET wanted_version = excluded.wanted_version,
  entity_id = excluded.entity_id, parked = FALSE,
  next_attempt_at = coalesce(sync_ledger.next_attempt_at, excluded.next_attempt_at)
WHERE excluded.wanted_version > sync_ledger.wanted_version
"""
# Live mappings whose interaction no longer exists.
_ORPHANED: Final = """
UPDATE sync_ledger SET next_attempt_at = %(now)s, remote_mark = remote_mark + 1
FROM sync_external_id_mappings mapping
WHERE mapping.integration_id = %(integration)s AND mapping.base IS NOT NULL
  AND NOT mapping.archived AND NOT mapping.gone AND mapping.updated_at < %(before)s
  AND sync_ledger.integration_id = mapping.integration_id
  AND sync_ledger.interaction_id = mapping.local_id
  AND sync_ledger.next_attempt_at IS NULL AND NOT sync_ledger.parked
  AND NOT EXISTS (SELECT 1 FROM customer_interactions row WHERE row.id = mapping.local_id)
"""
# Mappings without a ledger row, which no worker would ever process.
_UNTENDED: Final = """
INSERT INTO sync_ledger (integration_id, interaction_id, tenant_id, organization_id, remote_mark,
  next_attempt_at)
SELECT integration_id, local_id, tenant_id, organization_id, 1, %(now)s FROM sync_external_id_mappings mapping
WHERE integration_id = %(integration)s AND NOT EXISTS (SELECT 1 FROM sync_ledger known
  WHERE known.integration_id = mapping.integration_id AND known.interaction_id = mapping.local_id)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Number of rows that had drifted and were marked due.

    :param missed: interactions or versions whose event never reached the ledger.
    :param orphaned: mirrors of interactions that do not exist.
    :param untended: mirrors without a ledger row.
    """

    missed: int
    orphaned: int
    untended: int


def mark_drift(
    connection: Connection,
    integration_id: str,
    tenant_id: str,
    organization_id: str,
    *,
    now: datetime,
    before: datetime,
    closed: bool,
    limit: int = 5000,
) -> Drift:
    """Find drift and mark its rows due.

    :param before: ignore later changes; their events may still arrive.
    :param closed: include interactions without a mirror that are done or canceled.
    :param limit: maximum number of missed interactions to mark.
    """
    parameters = {
        "integration": integration_id,
        "tenant": tenant_id,
        "organization": organization_id,
        "now": now,
        "before": before,
        "closed": closed,
        "limit": limit,
    }
    with connection.transaction():
        missed = connection.execute(_MISSED, parameters).rowcount
        orphaned = connection.execute(_ORPHANED, parameters).rowcount
        untended = connection.execute(_UNTENDED, parameters).rowcount
    return Drift(missed=missed, orphaned=orphaned, untended=untended)
