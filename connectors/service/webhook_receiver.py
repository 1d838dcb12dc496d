"""Receives a webhook: verified, noted, and acknowledged by Kafka before the provider is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.sdk.remote import RemoteChange
from connectors.store.webhook_receipts import mark_processed, record_delivery
from connectors.sync.record_changes import take_one
from connectors.sync.session import Session
from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Reception:
    """What came of one delivery: how many changes were new, and how many were known already."""

    fresh: int
    duplicates: int


#: Puts the fact that changes were received into Kafka; returns when it is acknowledged, or raises Retry.
Acknowledge = Callable[[Session, list[tuple[RemoteChange, str]]], None]


def receive_webhook(
    session: Session,
    connection: Connection,
    headers: Mapping[str, str],
    body: bytes,
    url: str,
    acknowledge: Acknowledge,
) -> Reception:
    """Take a delivery in.

    The marks are committed, then Kafka acknowledges, and only then is the delivery a duplicate when it
    comes again: whatever fails before, the provider's retry does all of it once more.

    :raises Reject: the signature or the body is wrong.
    :raises Retry: Kafka or the database took nothing; the provider must try again.
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
                fresh.append((change, take_one(session, connection, change)))
    if fresh:
        acknowledge(session, fresh)
        with connection.transaction():
            for change, outcome in fresh:
                mark_processed(connection, integration.id, change.event_id, outcome, session.now())
    return Reception(fresh=len(fresh), duplicates=len(changes) - len(fresh))
