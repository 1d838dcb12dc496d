"""Rows of interactions that were erased with their customer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from connectors.store.ledger import SyncItem
from runtime.postgres import Connection
from sinks.erasure.erased import ErasedCustomer
from sinks.erasure.mirrors import erasure_of, release_mirrors

# Hazard: the ledger last; until then its lease keeps other workers away.
_ROWS: Final = (
    ("sync_external_id_mappings", "local_id"),
    ("sync_echo_log", "interaction_id"),
    ("integration_warnings", "interaction_id"),
    ("sync_ledger", "interaction_id"),
)


def erasure_of_item(connection: Connection, item: SyncItem) -> str | None:
    """Return the policy for the object of an erased interaction, ``None`` for any other."""
    return erasure_of(connection, item.tenant_id, item.organization_id, item.interaction_id, item.entity_id)


def was_erased(connection: Connection, tenant_id: str, organization_id: str, interaction_id: str) -> bool:
    """Report whether an interaction was erased with its customer."""
    return erasure_of(connection, tenant_id, organization_id, interaction_id, None) is not None


def forget_item(connection: Connection, item: SyncItem) -> None:
    """Delete every row of an item; call it in a transaction."""
    for table, column in _ROWS:
        connection.execute(
            f"DELETE FROM {table} WHERE integration_id = %s AND {column} = %s",  # noqa: S608 - constants
            (item.integration_id, item.interaction_id),
        )


def release_erased(connection: Connection, customers: Iterable[ErasedCustomer]) -> bool:
    """Remove or reduce the rows of erased customers; report whether objects are to be deleted.

    Hazard: in the order of events. An event before the erasure may have marked rows after the job ran.
    """
    return sum(release_mirrors(connection, customer) for customer in customers) > 0
