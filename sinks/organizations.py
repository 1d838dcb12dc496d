"""Organizations that have customers."""

from __future__ import annotations

from typing import Final

from runtime.postgres import Connection

_SQL: Final = """
SELECT DISTINCT tenant_id::text, organization_id::text FROM customer_entities ORDER BY 1, 2 LIMIT %s
"""


def organizations(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """Return the tenant and organization ids of organizations that have customers, at most ``limit``."""
    return [(str(tenant), str(organization)) for tenant, organization in connection.execute(_SQL, (limit,))]
