"""Intents of the sync ledger: creates and commands recorded before they are sent, to survive a crash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from connectors.store.ledger import SyncItem
from connectors.store.ledger_marks import RemoteMark, mark_remote
from runtime.postgres import Connection


def set_intent(connection: Connection, item: SyncItem, marker: str | None) -> None:
    """Record the marker of an object about to be created; ``None`` once the outcome is known."""
    connection.execute(
        "UPDATE sync_ledger SET intent_marker = %s WHERE integration_id = %s AND interaction_id = %s",
        (marker, item.integration_id, item.interaction_id),
    )


def set_pending(
    connection: Connection, item: SyncItem, pending: dict[str, Any] | None, entity_id: str
) -> None:
    """Record commands about to be sent (one more pull); ``None`` once their outcome is known."""
    connection.execute(
        "UPDATE sync_ledger SET pending = %s, pulls = pulls + %s, entity_id = %s"
        " WHERE integration_id = %s AND interaction_id = %s",
        (
            Jsonb(pending) if pending is not None else None,
            int(pending is not None),
            entity_id,
            item.integration_id,
            item.interaction_id,
        ),
    )


def note_sent(connection: Connection, item: SyncItem, ends: Mapping[int, int]) -> None:
    """Record where the pending commands are in the commands topic: partition → offset after the last."""
    connection.execute(
        "UPDATE sync_ledger SET pending = pending || %s WHERE integration_id = %s AND interaction_id = %s",
        (Jsonb({"ends": list(ends.items())}), item.integration_id, item.interaction_id),
    )


def mark_open_intents(connection: Connection, integration_id: str, marker: str | None, now: datetime) -> int:
    """Mark rows with an open intent as changed remotely, so that a worker looks for the object.

    :param marker: only the row with this marker.
    """
    done = connection.execute(
        "UPDATE sync_ledger SET remote_mark = remote_mark + 1,"
        " next_attempt_at = coalesce(next_attempt_at, %(now)s)"
        " WHERE integration_id = %(integration)s AND intent_marker IS NOT NULL"
        " AND (%(marker)s::text IS NULL OR intent_marker = %(marker)s)",
        {"integration": integration_id, "marker": marker, "now": now},
    )
    return done.rowcount


def want_mirror(connection: Connection, mark: RemoteMark, marker: str, now: datetime) -> None:
    """Request a mirror for an interaction whose object was deleted: found by its marker, or created again."""
    mark_remote(connection, mark, now)
    connection.execute(
        "UPDATE sync_ledger SET intent_marker = %s, attempts = 0, next_attempt_at = %s"
        " WHERE integration_id = %s AND interaction_id = %s",
        (marker, now, mark.integration_id, mark.interaction_id),
    )
