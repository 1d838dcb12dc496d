"""Feature flags inside the batch transaction: loaded and stored with everything else (law 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from domain.unit_of_work import UnitOfWork
from runtime.postgres import Connection
from schemas.command import Command
from schemas.payloads import FeatureFlagSet

_LOAD_SQL: Final = """
SELECT tenant_id, flag, enabled FROM feature_flags WHERE tenant_id = ANY(%b::text[]::uuid[])
"""
# The organization is the one from which the flag was set last (law 6); the flag is its tenant's.
_STORE_SQL: Final = """
INSERT INTO feature_flags (tenant_id, organization_id, flag, enabled, updated_at)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, flag) DO UPDATE SET organization_id = excluded.organization_id,
  enabled = excluded.enabled, updated_at = excluded.updated_at
"""


def load_flags(connection: Connection, work: UnitOfWork, commands: Iterable[Command]) -> None:
    """Load the flags of the tenants whose flags the commands set; no query when there is none."""
    tenants = {
        command.envelope.tenant_id for command in commands if isinstance(command.payload, FeatureFlagSet)
    }
    if tenants:
        for tenant, flag, enabled in connection.execute(_LOAD_SQL, (sorted(tenants),)):
            work.flags[tenant, flag] = enabled


def store_flags(connection: Connection, work: UnitOfWork) -> None:
    """Write the flags that the fold changed, in a fixed order."""
    rows = sorted(work.changed_flags())
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_STORE_SQL, rows)
