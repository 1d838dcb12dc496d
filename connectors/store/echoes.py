"""Echo log: an entry per write to a provider, stored before the write, to recognize its echo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from connectors.store.ledger import SyncItem
from runtime.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """One write to a provider.

    :param content_hash: canonical hash of the remote values that were written.
    :param written: the written fields, as a base snapshot in JSON.
    """

    id: int
    external_id: str | None
    content_hash: str
    written: dict[str, Any]


def note_echo(
    connection: Connection,
    item: SyncItem,
    *,
    external_id: str | None,
    content_hash: str,
    written: dict[str, Any],
    expires_at: datetime,
) -> int:
    """Store an entry; its id."""
    row = connection.execute(
        "INSERT INTO sync_echo_log (integration_id, tenant_id, organization_id, interaction_id, external_id,"
        " content_hash, written, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            item.integration_id,
            item.tenant_id,
            item.organization_id,
            item.interaction_id,
            external_id,
            content_hash,
            Jsonb(written),
            expires_at,
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def open_echoes(
    connection: Connection, integration_id: str, interaction_id: str, now: datetime
) -> list[Echo]:
    """Unmatched, unexpired entries of an interaction, newest first."""
    rows = connection.execute(
        "SELECT id, external_id, content_hash, written FROM sync_echo_log WHERE integration_id = %s"
        " AND interaction_id = %s AND consumed_at IS NULL AND expires_at > %s ORDER BY id DESC",
        (integration_id, interaction_id, now),
    )
    return [Echo(id=row[0], external_id=row[1], content_hash=row[2], written=row[3]) for row in rows]


def consume_echoes(connection: Connection, ids: Sequence[int], now: datetime) -> int:
    """Consume entries; each matches once. Returns how many were still open."""
    if not ids:
        return 0
    done = connection.execute(
        "UPDATE sync_echo_log SET consumed_at = %s WHERE id = ANY(%s) AND consumed_at IS NULL",
        (now, list(ids)),
    )
    return done.rowcount


def consume_item_echoes(
    connection: Connection, integration_id: str, interaction_id: str, now: datetime
) -> None:
    """Consume all open entries of an interaction."""
    connection.execute(
        "UPDATE sync_echo_log SET consumed_at = %s"
        " WHERE integration_id = %s AND interaction_id = %s AND consumed_at IS NULL",
        (now, integration_id, interaction_id),
    )
