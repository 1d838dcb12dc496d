"""Webhook receipts: a redelivery counts as a duplicate only once the first delivery was processed durably."""

from __future__ import annotations

from datetime import datetime

from runtime.postgres import Connection


def record_delivery(
    connection: Connection,
    integration_id: str,
    event_id: str,
    *,
    tenant_id: str,
    organization_id: str,
    external_id: str,
) -> bool:
    """Record a delivery; ``False`` if it was already processed."""
    row = connection.execute(
        "INSERT INTO webhook_receipts (integration_id, event_id, tenant_id, organization_id, external_id)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (integration_id, event_id)"
        " DO UPDATE SET external_id = excluded.external_id RETURNING processed_at",
        (integration_id, event_id, tenant_id, organization_id, external_id),
    ).fetchone()
    return row is None or row[0] is None


def mark_processed(
    connection: Connection, integration_id: str, event_id: str, outcome: str, now: datetime
) -> None:
    """Record that a delivery was processed durably."""
    connection.execute(
        "UPDATE webhook_receipts SET processed_at = %s, outcome = %s"
        " WHERE integration_id = %s AND event_id = %s AND processed_at IS NULL",
        (now, outcome, integration_id, event_id),
    )


def received_since(connection: Connection, integration_id: str, moment: datetime) -> bool:
    """Report whether a delivery has been processed that was received since a time."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM webhook_receipts"
        " WHERE integration_id = %s AND received_at >= %s AND processed_at IS NOT NULL)",
        (integration_id, moment),
    ).fetchone()
    return row is not None and bool(row[0])
