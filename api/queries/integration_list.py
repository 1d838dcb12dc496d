"""Integrations of one organization with health, ledger counts and open warnings; never their secrets."""

from __future__ import annotations

from typing import Any, Final

from api.queries.scope import Connection, Row, Scope, fetch
from schemas.flags import EXTERNAL_SYNC
from schemas.integration_providers import NO_SCOPE, PROVIDERS_JOB

_SQL: Final = """
SELECT i.id, i.provider, i.state, i.state_reason, i.healthy, i.health_detail, i.health_at, i.settings,
  i.policy, i.created_at, i.updated_at, ledger.*, mirrors.*, warnings.*,
  EXISTS (SELECT 1 FROM feature_flags WHERE tenant_id = %(tenant)s AND flag = %(flag)s AND enabled)
    AS switched_on
FROM integrations i
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE next_attempt_at IS NOT NULL AND attempts = 0) AS waiting,
    count(*) FILTER (WHERE next_attempt_at IS NOT NULL AND attempts > 0) AS failing,
    count(*) FILTER (WHERE parked) AS blocked,
    count(*) FILTER (WHERE next_attempt_at IS NULL AND NOT parked) AS synced,
    min(next_attempt_at) FILTER (WHERE attempts = 0) AS oldest_due_at
  FROM sync_ledger WHERE integration_id = i.id
) ledger
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE NOT archived AND NOT gone) AS mirrored,
    max(last_synced_at) AS last_success_at
  FROM sync_external_id_mappings WHERE integration_id = i.id
) mirrors
CROSS JOIN LATERAL (
  SELECT count(*) AS warnings FROM integration_warnings
  WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s AND state = 'open'
    AND integration_id = i.id
) warnings
WHERE i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s
  AND (%(integration)s::text IS NULL OR i.id = %(integration)s)
ORDER BY i.id
"""
_CHECKPOINT_SQL: Final = """
SELECT checkpoint, updated_at FROM job_checkpoints
WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s AND job = %(job)s
"""


async def integration_rows(connection: Connection, scope: Scope, integration: str | None = None) -> list[Row]:
    """All integrations of the organization by id, or one of them.

    Counts read the rows of the integrations' ledgers and mappings: one read per page view, not on a timer.

    :param integration: without NUL.
    """
    given = {"integration": integration, "flag": EXTERNAL_SYNC}
    return await fetch(connection, _SQL, {**scope.parameters(), **given})


async def stored_plan(connection: Connection, scope: Scope, integration: str) -> dict[str, Any] | None:
    """The last plan that was requested for an integration; ``None`` if there is none."""
    given = {**scope.parameters(), "job": f"connectors.plan:{integration}"}
    rows = await fetch(connection, _CHECKPOINT_SQL, given)
    return rows[0]["checkpoint"] if rows else None


async def stored_providers(connection: Connection) -> Row | None:
    """The declarations that the connectors stored last; ``None`` before they have run.

    The one read outside a tenant's scope: providers belong to the deployment.
    """
    given = {"tenant": NO_SCOPE, "organization": NO_SCOPE, "job": PROVIDERS_JOB}
    rows = await fetch(connection, _CHECKPOINT_SQL, given)
    return rows[0] if rows else None
