"""Webhook receiver: verify, mark, and publish a webhook before the provider gets its response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.sdk.remote import RemoteChange
from connectors.store.webhook_receipts import mark_processed, record_delivery
from connectors.sync.record_changes import record_change
from connectors.sync.session import Session
from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Receipt:
    """Number of new and of already known changes in one webhook."""

    fresh: int
    duplicates: int


#: Publishes the received changes; returns once Kafka has acknowledged them, or raises Retry.
Acknowledge = Callable[[Session, list[tuple[RemoteChange, str]]], None]


def receive_webhook(
    session: Session,
    connection: Connection,
    headers: Mapping[str, str],
    body: bytes,
    url: str,
    acknowledge: Acknowledge,
) -> Receipt:
    """Receive one webhook.

    Order: commit the change marks, wait for Kafka's acknowledgement, then record the webhook as processed. If
    a step fails, the provider's retry repeats all of them.

    :raises Reject: the signature or the body is invalid.
    :raises Retry: Kafka or the database is unavailable; the provider must retry.
    """
    changes = session.provider.verify_and_parse_webhook(headers, body, url)
    integration = session.integration
    fresh: list[tuple[RemoteChange, str]] = []
    with connection.transaction():
        for change in changes:
            new = record_delivery(
                connection,
                integration.id,
                change.event_id,
                tenant_id=integration.tenant_id,
                organization_id=integration.organization_id,
                external_id=change.external_id,
            )
            if new:
                fresh.append((change, record_change(session, connection, change)))
    if fresh:
        acknowledge(session, fresh)
        with connection.transaction():
            for change, outcome in fresh:
                mark_processed(connection, integration.id, change.event_id, outcome, session.now())
    return Receipt(fresh=len(fresh), duplicates=len(changes) - len(fresh))
