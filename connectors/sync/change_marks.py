"""From an event to marks: which integrations have something to look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.store.integrations import Integration
from connectors.store.ledger_marks import LocalMark
from schemas import events

#: Events after which a mirror may be out of date; `due` and `overdue` change nothing that is mirrored.
TELLING: Final = frozenset(
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


def marks_of(
    event_type: str, payload: Mapping[str, Any], integrations: Iterable[Integration]
) -> list[LocalMark]:
    """The marks that an event makes: one for each integration of its tenant and organization, but not for
    the one that the change came from (law 5: a change goes round once).

    :param payload: ``schemas.events.InteractionEvent`` as a dict.
    """
    if event_type not in TELLING:
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
