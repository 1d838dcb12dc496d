"""Removal of an integration and all of its rows; its mirrors stay at the provider."""

from __future__ import annotations

from typing import Final

import psycopg

from connectors.store.checkpoints import read_checkpoint, write_checkpoint
from connectors.store.integrations import Integration
from connectors.store.mappings import count_mappings
from connectors.store.schedules import forget_schedules
from runtime.postgres import Connection

_OWNED: Final = (
    "sync_ledger",
    "sync_external_id_mappings",
    "sync_echo_log",
    "integration_warnings",
    "webhook_receipts",
)
_REMOVED: Final = "connectors.removed:"
_TRIES: Final = 5


def remove_integration(connection: Connection, integration: Integration) -> int | None:
    """Delete an integration and all of its rows in one transaction.

    Its id is remembered for its tenant and organization, so that a later integration recognizes the mirrors.

    :returns: the number of mirrors it had; ``None`` if it was already removed.
    :raises psycopg.errors.DeadlockDetected: workers kept locking its rows.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            with connection.transaction():
                return _remove(connection, integration)
        except psycopg.errors.DeadlockDetected:
            if not tries_left:
                raise
    raise AssertionError


def was_removed(connection: Connection, tenant_id: str, organization_id: str, former_id: str) -> bool:
    """Report whether this tenant and organization removed an integration with this id."""
    return read_checkpoint(connection, _REMOVED + former_id, tenant_id, organization_id) is not None


def removed_ids(connection: Connection, tenant_id: str, organization_id: str, provider: str) -> list[str]:
    """Ids of removed integrations of one provider, newest first."""
    rows = connection.execute(
        "SELECT split_part(job, ':', 2) FROM job_checkpoints WHERE tenant_id = %s AND organization_id = %s"
        " AND job LIKE %s AND checkpoint ->> 'provider' = %s ORDER BY updated_at DESC, job",
        (tenant_id, organization_id, f"{_REMOVED}%", provider),
    ).fetchall()
    return [row[0] for row in rows]


def read_removed(
    connection: Connection, tenant_id: str, organization_id: str, former_id: str
) -> tuple[Integration, int] | None:
    """A removed integration (without settings), and the number of mirrors that it left behind."""
    kept = read_checkpoint(connection, _REMOVED + former_id, tenant_id, organization_id)
    if kept is None:
        return None
    former = Integration(
        id=former_id,
        tenant_id=tenant_id,
        organization_id=organization_id,
        provider=kept["provider"],
        settings={},
        policy={},
        secrets=b"",
        secrets_key_id="",
        state="disabled",
    )
    return former, kept["mirrors"]


def _remove(connection: Connection, integration: Integration) -> int | None:
    own = {"id": integration.id}
    # Hazard: lock in the workers' order: the ledger row first, then the integration's row (foreign key).
    connection.execute("SELECT 1 FROM sync_ledger WHERE integration_id = %(id)s FOR UPDATE", own)
    if connection.execute("SELECT 1 FROM integrations WHERE id = %(id)s FOR UPDATE", own).fetchone() is None:
        return None
    mirrors = count_mappings(connection, integration.id)
    for table in _OWNED:
        connection.execute(f"DELETE FROM {table} WHERE integration_id = %(id)s", own)  # noqa: S608 - constant
    scope = integration.tenant_id, integration.organization_id
    connection.execute(
        "DELETE FROM job_checkpoints WHERE tenant_id = %s AND organization_id = %s"
        " AND job LIKE 'connectors.%%' AND split_part(job, ':', 2) = %s",
        (*scope, integration.id),
    )
    forget_schedules(connection, integration.id)
    connection.execute("DELETE FROM integrations WHERE id = %(id)s", own)
    write_checkpoint(
        connection,
        _REMOVED + integration.id,
        *scope,
        {"provider": integration.provider, "mirrors": mirrors},
    )
    return mirrors
