"""Publish to the integration events topic: CloudEvents, JSON, without customer text."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import structlog

from connectors.producer import AcknowledgedSender, OutRecord
from connectors.service.open_session import utc_now
from connectors.store.integrations import Integration
from schemas.errors import Retry
from schemas.identity import derive_id
from schemas.instants import format_instant
from schemas.integration_events import INTEGRATION_EVENT_TYPES, PREFIX
from schemas.topics import INTEGRATION_EVENTS

_log = structlog.get_logger("connectors")


def event_record(
    kind: str,
    integration: Integration,
    entity_id: str | None,
    data: dict[str, Any],
    correlation_id: str | None = None,
) -> OutRecord:
    """Build the record of one event, keyed by the customer or, without one, by the integration.

    :raises pydantic.ValidationError: the data violates the contract (``schemas.integration_events``): a bug.
    """
    model = INTEGRATION_EVENT_TYPES[PREFIX + kind]
    event = model.model_validate({"integrationId": integration.id, "provider": integration.provider, **data})
    headers: list[tuple[str, str | bytes | None]] = [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        # An outcome that is published again keeps its id.
        ("ce_id", str(uuid4()) if correlation_id is None else derive_id("answer", correlation_id)),
        ("ce_source", f"/customers/integrations/{integration.id}"),
        ("ce_type", PREFIX + kind),
        ("ce_time", format_instant(utc_now())),
        ("ce_tenantid", integration.tenant_id),
        ("ce_organizationid", integration.organization_id),
    ]
    if entity_id is not None:
        headers.append(("ce_entityid", entity_id))
    if correlation_id is not None:
        headers.append(("ce_correlationid", correlation_id))
    value = event.model_dump_json(by_alias=True, exclude_unset=True).encode()
    return OutRecord(INTEGRATION_EVENTS, entity_id or integration.id, value, headers)


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
