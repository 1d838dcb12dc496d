"""Publish to the integration events topic: CloudEvents, Avro, without customer text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import structlog

from connectors.service.open_session import utc_now
from connectors.store.integrations import Integration
from schemas.avro_codec import Encode
from schemas.cloudevent_headers import AVRO, event_headers
from schemas.errors import Retry
from schemas.identity import derive_id
from schemas.instants import format_instant
from schemas.integration_events import INTEGRATION_EVENT_TYPES, PREFIX
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import INTEGRATION_EVENTS

_log = structlog.get_logger("connectors")


class IntegrationEvents:
    """Build and publish events of integrations.

    :param send: publishes records; raises ``Retry`` while the broker is unavailable.
    """

    def __init__(self, send: Callable[[Sequence[OutgoingRecord]], object], encode: Encode) -> None:
        self.send = send
        self._encode = encode

    def record(
        self,
        kind: str,
        integration: Integration,
        entity_id: str | None,
        data: dict[str, Any],
        correlation_id: str | None = None,
    ) -> OutgoingRecord:
        """Build the record of one event, keyed by the customer or, without one, by the integration.

        :raises pydantic.ValidationError: the data violates ``schemas.integration_events``: a bug.
        """
        name = PREFIX + kind
        event = INTEGRATION_EVENT_TYPES[name].model_validate(
            {"integrationId": integration.id, "provider": integration.provider, **data}
        )
        headers = event_headers(
            AVRO,
            # An outcome that is published again keeps its id.
            id=str(uuid4()) if correlation_id is None else derive_id("answer", correlation_id),
            source=f"/customers/integrations/{integration.id}",
            type=name,
            time=format_instant(utc_now()),
            tenantid=integration.tenant_id,
            organizationid=integration.organization_id,
            entityid=entity_id,
            correlationid=correlation_id,
        )
        value = self._encode(name, event.model_dump(by_alias=True))
        return OutgoingRecord(INTEGRATION_EVENTS, entity_id or integration.id, value, headers)

    def announce(
        self, kind: str, integration: Integration, entity_id: str | None, data: dict[str, Any]
    ) -> None:
        """Publish an event, best effort: if it fails, the event is dropped. The ledger is the truth."""
        try:
            self.send([self.record(kind, integration, entity_id, data)])
        except Exception as error:  # noqa: BLE001 - what was announced is done, and must not be undone by this
            reason = str(error) if isinstance(error, Retry) else type(error).__name__
            _log.warning("connectors.event_not_sent", integration=integration.id, kind=kind, reason=reason)
