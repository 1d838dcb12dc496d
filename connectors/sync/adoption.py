"""Adopt remote objects that carry our marker but have no mapping.

Such an object was created by a run that never saw the response, lost its mapping, or is a manual copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from connectors.store.interactions import read_interaction
from connectors.store.ledger_intents import mark_open_intents
from connectors.store.ledger_marks import RemoteMark, mark_remote
from connectors.store.mappings import Mapping, mapping_of, upsert_mapping
from connectors.store.removal import removed_ids, was_removed
from connectors.sync.mirror_events import announce_mapping
from connectors.sync.session import Session, marker_of
from runtime.postgres import Connection
from schemas.values import UUID_PATTERN


def adopt(session: Session, connection: Connection, external_id: str, marker: str) -> bool:
    """Decide whether an unmapped object with this marker is ours. Call it inside a transaction.

    The object is ours if its create is in flight, if its mapping was lost (the mapping is restored), or if
    its interaction no longer exists (the object is left alone). A copy of a live mirror is not ours. If the
    original is missing, the mirror has moved: the change mark set here makes the next sync restore it.
    """
    integration, now = session.integration, session.now()
    interaction_id = owner_of(session, connection, marker)
    if interaction_id is None:
        return False
    if mark_open_intents(connection, integration.id, marker, now):
        return True
    mapping = mapping_of(connection, integration.id, interaction_id)
    if mapping is not None:
        if mapping.external_id != external_id:
            mark_remote(connection, _mark(session, interaction_id), now)
        return mapping.external_id == external_id
    subject = read_interaction(connection, integration.tenant_id, integration.organization_id, interaction_id)
    if subject is None:
        return True
    upsert_mapping(
        connection,
        Mapping(
            integration_id=integration.id,
            local_id=interaction_id,
            tenant_id=integration.tenant_id,
            organization_id=integration.organization_id,
            external_id=external_id,
            base={},
        ),
    )
    mark_remote(connection, _mark(session, interaction_id), now)
    announce_mapping(session, interaction_id, subject.entity_id)
    return True


def owner_of(session: Session, connection: Connection, marker: str) -> str | None:
    """Interaction id that a marker names, or ``None`` for a marker of another system or tenant.

    Markers of removed integrations in the same tenant and organization count, so their mirrors are adopted.
    """
    own = session.interaction_id_of(marker)
    if own is not None:
        return own
    former_id, _, interaction_id = marker.rpartition(".")
    integration = session.integration
    scope = integration.tenant_id, integration.organization_id
    if re.fullmatch(UUID_PATTERN, interaction_id) and was_removed(connection, *scope, former_id):
        return interaction_id
    return None


def markers_of(session: Session, connection: Connection, interaction_id: str) -> Iterator[str]:
    """Yield the markers an interaction's mirror may carry: ours, then those of removed integrations."""
    yield session.marker(interaction_id)
    integration = session.integration
    scope = integration.tenant_id, integration.organization_id
    for former_id in removed_ids(connection, *scope, integration.provider):
        yield marker_of(former_id, interaction_id)


def _mark(session: Session, interaction_id: str) -> RemoteMark:
    integration = session.integration
    return RemoteMark(
        integration_id=integration.id,
        interaction_id=interaction_id,
        tenant_id=integration.tenant_id,
        organization_id=integration.organization_id,
        event_id=None,
        changed_at=None,
    )
