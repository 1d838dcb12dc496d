"""Publish to the integration events topic: CloudEvents, JSON, without customer text."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import structlog

from connectors.producer import AcknowledgedSender
from connectors.service.open_session import utc_now
from connectors.store.integrations import Integration
from schemas.cloudevent_headers import JSON, event_headers
from schemas.errors import Retry
from schemas.identity import derive_id
from schemas.instants import format_instant
from schemas.integration_events import INTEGRATION_EVENT_TYPES, PREFIX
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import INTEGRATION_EVENTS

_log = structlog.get_logger("connectors")


def event_record(
    kind: str,
    integration: Integration,
    entity_id: str | None,
    data: dict[str, Any],
    correlation_id: str | None = None,
) -> OutgoingRecord:
    """Build the record of one event, keyed by the customer or, without one, by the integration.

    :raises pydantic.ValidationError: the data violates the contract (``schemas.integration_events``): a bug.
    """
    model = INTEGRATION_EVENT_TYPES[PREFIX + kind]
    event = model.model_validate({"integrationId": integration.id, "provider": integration.provider, **data})
    headers = event_headers(
        JSON,
        # An outcome that is published again keeps its id.
        id=str(uuid4()) if correlation_id is None else derive_id("answer", correlation_id),
        source=f"/customers/integrations/{integration.id}",
        type=PREFIX + kind,
        time=format_instant(utc_now()),
        tenantid=integration.tenant_id,
        organizationid=integration.organization_id,
        entityid=entity_id,
        correlationid=correlation_id,
    )
    value = event.model_dump_json(by_alias=True, exclude_unset=True).encode()
    return OutgoingRecord(INTEGRATION_EVENTS, entity_id or integration.id, value, headers)


class Announcer:
    """Publish events, best effort: a failure is logged and the event dropped. The ledger is the truth."""

    def __init__(self, sender: AcknowledgedSender) -> None:
        self._sender = sender

    def __call__(
        self, kind: str, integration: Integration, entity_id: str | None, data: dict[str, Any]
    ) -> None:
        try:
            self._sender.send([event_record(kind, integration, entity_id, data)])
        except Retry as error:
            _log.warning(
                "connectors.event_not_sent", integration=integration.id, kind=kind, reason=str(error)
            )
