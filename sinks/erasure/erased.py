"""Erased customers: look up, and note the completion of their erasure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runtime.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedCustomer:
    """Identity of an erased customer, and the policy for its objects at providers."""

    entity_id: str
    tenant_id: str
    organization_id: str
    mirrors: str


def find_erased(
    connection: Connection, tenant_id: str, organization_id: str, entity_id: str
) -> ErasedCustomer | None:
    """Find an erased customer of this tenant and organization."""
    row = connection.execute(
        "SELECT mirrors FROM erased_entities"
        " WHERE entity_id = %s AND tenant_id = %s AND organization_id = %s",
        (entity_id, tenant_id, organization_id),
    ).fetchone()
    if row is None:
        return None
    return ErasedCustomer(
        entity_id=entity_id, tenant_id=tenant_id, organization_id=organization_id, mirrors=row[0]
    )


def erased_among(connection: Connection, entity_ids: Collection[str]) -> set[str]:
    """Return the customers that were erased."""
    rows = connection.execute(
        "SELECT entity_id::text FROM erased_entities WHERE entity_id = ANY(%s::uuid[])", (list(entity_ids),)
    )
    return {row[0] for row in rows}


def note_cleaned(connection: Connection, customer: ErasedCustomer) -> None:
    """Note that the job has removed what the batch transaction left."""
    connection.execute(
        "UPDATE erased_entities SET cleaned_at = coalesce(cleaned_at, now()) WHERE entity_id = %s",
        (customer.entity_id,),
    )
