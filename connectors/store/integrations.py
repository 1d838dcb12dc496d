"""The ``integrations`` table: settings, state and health per integration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from runtime.postgres import Connection

_REMOTES_LOCK: Final = 0x1A7E0007
_SELECT: Final = (
    "SELECT id, tenant_id::text, organization_id::text, provider, settings, policy, secrets, secrets_key_id,"
    " state, state_reason, healthy, health_detail, health_at FROM integrations"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One row of ``integrations``.

    :param state: ``active``, ``paused``, ``needs_auth``, ``needs_confirmation`` or ``disabled``.
    """

    id: str
    tenant_id: str
    organization_id: str
    provider: str
    settings: dict[str, Any]
    policy: dict[str, Any]
    secrets: bytes
    secrets_key_id: str
    state: str
    state_reason: str | None = None
    healthy: bool | None = None
    health_detail: str | None = None
    health_at: datetime | None = None


def insert_integration(connection: Connection, row: Integration) -> bool:
    """Insert an integration; ``False`` if its id is taken."""
    done = connection.execute(
        "INSERT INTO integrations (id, tenant_id, organization_id, provider, settings, policy, secrets,"
        " secrets_key_id, state, state_reason) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (id) DO NOTHING",
        (
            row.id,
            row.tenant_id,
            row.organization_id,
            row.provider,
            Jsonb(row.settings),
            Jsonb(row.policy),
            row.secrets,
            row.secrets_key_id,
            row.state,
            row.state_reason,
        ),
    )
    return done.rowcount == 1


def read_integration(connection: Connection, integration_id: str) -> Integration | None:
    """Read an integration by id, for any tenant."""
    row = connection.execute(f"{_SELECT} WHERE id = %s", (integration_id,)).fetchone()
    return _integration(row) if row is not None else None


def list_integrations(
    connection: Connection, tenant_id: str | None = None, organization_id: str | None = None
) -> list[Integration]:
    """List all integrations, or those of one tenant (and organization), ordered by id."""
    rows = connection.execute(
        f"{_SELECT} WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid)"
        " AND (%(organization)s::uuid IS NULL OR organization_id = %(organization)s::uuid) ORDER BY id",
        {"tenant": tenant_id, "organization": organization_id},
    )
    return [_integration(row) for row in rows]


def set_state(
    connection: Connection,
    integration_id: str,
    state: str,
    reason: str | None,
    *,
    only_from: str | None = None,
) -> bool:
    """Change the state; ``False`` if nothing changed.

    :param only_from: change it only from this state.
    """
    done = connection.execute(
        "UPDATE integrations SET state = %(state)s, state_reason = %(reason)s, updated_at = now()"
        " WHERE id = %(id)s AND state <> %(state)s AND (%(from)s::text IS NULL OR state = %(from)s)",
        {"id": integration_id, "state": state, "reason": reason, "from": only_from},
    )
    return done.rowcount == 1


def lock_integration(connection: Connection, integration_id: str) -> None:
    """Lock an integration's row until the transaction ends, against other callers of this function."""
    connection.execute("SELECT 1 FROM integrations WHERE id = %s FOR NO KEY UPDATE", (integration_id,))


def lock_unchanged(connection: Connection, opened: Integration) -> bool:
    """Lock an integration's row; ``False`` if it no longer holds what a session was opened with.

    What a request with replaced settings or secrets found does not apply to the new ones.
    """
    return (
        connection.execute(
            "SELECT 1 FROM integrations WHERE id = %s AND settings = %s AND policy = %s AND secrets = %s"
            " AND secrets_key_id = %s FOR NO KEY UPDATE",
            (
                opened.id,
                Jsonb(opened.settings),
                Jsonb(opened.policy),
                opened.secrets,
                opened.secrets_key_id,
            ),
        ).fetchone()
        is not None
    )


def lock_remotes(connection: Connection, tenant_id: str, organization_id: str) -> None:
    """Serialize additions and changes of one organization's integrations until the transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_REMOTES_LOCK, f"{tenant_id}:{organization_id}")
    )


def set_health(connection: Connection, integration_id: str, healthy: bool, detail: str, at: datetime) -> None:
    """Store the result of the last health check."""
    connection.execute(
        "UPDATE integrations SET healthy = %s, health_detail = %s, health_at = %s WHERE id = %s",
        (healthy, detail, at, integration_id),
    )


def set_secrets(connection: Connection, integration_id: str, secrets: bytes, key_id: str) -> None:
    """Replace the encrypted secrets."""
    connection.execute(
        "UPDATE integrations SET secrets = %s, secrets_key_id = %s, updated_at = now() WHERE id = %s",
        (secrets, key_id, integration_id),
    )


def set_settings(connection: Connection, row: Integration) -> None:
    """Replace settings, policy and encrypted secrets together."""
    connection.execute(
        "UPDATE integrations SET settings = %s, policy = %s, secrets = %s, secrets_key_id = %s,"
        " updated_at = now() WHERE id = %s",
        (Jsonb(row.settings), Jsonb(row.policy), row.secrets, row.secrets_key_id, row.id),
    )


def _integration(row: tuple[Any, ...]) -> Integration:
    return Integration(
        id=row[0],
        tenant_id=row[1],
        organization_id=row[2],
        provider=row[3],
        settings=row[4],
        policy=row[5],
        secrets=bytes(row[6]),
        secrets_key_id=row[7],
        state=row[8],
        state_reason=row[9],
        healthy=row[10],
        health_detail=row[11],
        health_at=row[12],
    )
