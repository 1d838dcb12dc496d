"""Announce mirror changes, so that clients invalidate cached views (spec "Cache Policy")."""

from __future__ import annotations

from typing import Any

from connectors.store.integrations import Integration
from connectors.sync.session import Session
from schemas import cache_tags


def mapping_changed(integration: Integration, interaction_id: str, entity_id: str | None) -> dict[str, Any]:
    """Payload of a ``mapping_changed`` event."""
    scope = integration.tenant_id, integration.organization_id
    tags = cache_tags.of_mirror(integration.id, *scope, entity_id)
    return {"interactionId": interaction_id, "invalidates": list(tags)}


def announce_mapping(session: Session, interaction_id: str, entity_id: str | None) -> None:
    """Announce a mirror that was created, changed, adopted, blocked, archived or removed."""
    integration = session.integration
    data = mapping_changed(integration, interaction_id, entity_id)
    session.announce("mapping_changed", integration, entity_id, data)


def announce_state(session: Session, state: str) -> None:
    """Announce that the integration stopped by itself; views of all its mirrors are invalidated."""
    integration = session.integration
    tags = cache_tags.of_mirror(integration.id, integration.tenant_id, integration.organization_id)
    session.announce("state_changed", integration, None, {"state": state, "invalidates": list(tags)})
