"""Derive change marks from an event: the integrations whose mirror may be out of date. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.store.integrations import Integration
from connectors.store.ledger_marks import LocalMark
from schemas import events
from sinks.erasure.erased import ErasedCustomer

#: Events that can make a mirror stale; `due` and `overdue` change no mirrored field.
MIRRORED_EVENTS: Final = frozenset(
    {
        events.CREATED,
        events.UPDATED,
        events.COMPLETED,
        events.CANCELED,
        events.REOPENED,
        events.DELETED,
        events.REVERTED,
    }
)


def erased_customer(event_type: str, payload: Mapping[str, Any]) -> ErasedCustomer | None:
    """Read the erased customer from an event; ``None`` for any other event.

    :param payload: ``schemas.events.EntityErased`` as a dict.
    """
    if event_type != events.ENTITY_ERASED:
        return None
    return ErasedCustomer(
        entity_id=payload["entityId"],
        tenant_id=payload["tenantId"],
        organization_id=payload["organizationId"],
        mirrors=payload["mirrors"],
    )


def marks_for_event(
    event_type: str, payload: Mapping[str, Any], integrations: Iterable[Integration]
) -> list[LocalMark]:
    """Change marks for an event, one per enabled integration of its tenant and organization.

    The integration that the change came from is left out (invariant: a change makes one round trip).

    :param payload: ``schemas.events.InteractionEvent`` as a dict.
    """
    if event_type not in MIRRORED_EVENTS:
        return []
    scope = payload["tenantId"], payload["organizationId"]
    return [
        LocalMark(
            integration_id=integration.id,
            interaction_id=payload["id"],
            tenant_id=payload["tenantId"],
            organization_id=payload["organizationId"],
            entity_id=payload["entityId"],
            version=payload["version"],
        )
        for integration in integrations
        if (integration.tenant_id, integration.organization_id) == scope
        and integration.state != "disabled"
        and payload["syncOrigin"] != integration.id
    ]
