"""Remove the violations that the watch found in rows of an erased customer."""

from __future__ import annotations

from runtime.postgres import Connection
from sinks.erasure.erased import ErasedCustomer


def remove_violations(connection: Connection, customer: ErasedCustomer) -> int:
    """Delete the rows; return their number. Idempotent."""
    return connection.execute(
        "DELETE FROM integrity_violations WHERE entity_id = %s AND tenant_id = %s AND organization_id = %s",
        (customer.entity_id, customer.tenant_id, customer.organization_id),
    ).rowcount
