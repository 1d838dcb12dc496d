"""Values of events and their snapshots as plain dicts, described by ``schemas.events``."""

from __future__ import annotations

from typing import Any

from domain.model import Entity, Event, Interaction, NextInteraction
from schemas.command import Command
from schemas.events import NEXT_INTERACTION_UPDATED
from schemas.identity import derive_id
from schemas.instants import format_instant


def snapshot(row: Interaction) -> dict[str, Any]:
    """Interaction in its API form (``schemas.events.InteractionSnapshot``)."""
    scheduled_at, occurred_at = row.scheduled_at, row.occurred_at
    return {
        "id": row.id,
        "entityId": row.entity_id,
        "dealId": row.deal_id,
        "interactionType": row.interaction_type,
        "title": row.title,
        "body": row.body,
        "status": row.status,
        "scheduledAt": format_instant(scheduled_at) if scheduled_at is not None else None,
        "occurredAt": format_instant(occurred_at) if occurred_at is not None else None,
        "priority": row.priority,
        "authorUserId": row.author_user_id,
        "ownerUserId": row.owner_user_id,
        "appearanceIcon": row.appearance_icon,
        "appearanceColor": row.appearance_color,
        "source": row.source,
        "organizationId": row.organization_id,
        "tenantId": row.tenant_id,
        "version": row.version,
        "createdAt": format_instant(row.created_at),
        "updatedAt": format_instant(row.updated_at),
    }


def next_snapshot(projection: NextInteraction | None) -> dict[str, Any] | None:
    """Next interaction in its API form (``schemas.events.NextInteractionSnapshot``)."""
    if projection is None:
        return None
    return {
        "interactionId": projection.interaction_id,
        "at": format_instant(projection.at),
        "name": projection.name,
        "icon": projection.icon,
        "color": projection.color,
    }


def lifecycle_event(
    command: Command,
    event_type: str,
    reason: str,
    *,
    before: Interaction | None,
    after: Interaction | None,
    version: int,
    entity_version: int,
) -> Event:
    """Build the lifecycle event of a command (``schemas.events.InteractionEvent``)."""
    envelope = command.envelope
    row = after if after is not None else before
    assert row is not None
    old = snapshot(before) if before is not None else None
    new = snapshot(after) if after is not None else None
    changed = []
    if old is not None and new is not None:
        changed = [name for name in old if old[name] != new[name] and name not in ("version", "updatedAt")]
    return _event(
        command,
        event_type,
        0,
        {
            "id": row.id,
            "entityId": row.entity_id,
            "tenantId": row.tenant_id,
            "organizationId": row.organization_id,
            "interactionType": row.interaction_type,
            "status": row.status,
            "source": row.source,
            "version": version,
            "entityVersion": entity_version,
            "commandId": envelope.id,
            "reason": reason,
            "syncOrigin": envelope.sync_origin,
            "actorId": envelope.actor_id,
            "recordedAt": format_instant(command.appended_at),
            "sourceTimestamp": format_instant(command.source_timestamp),
            "occurredAt": format_instant(row.occurred_at) if row.occurred_at is not None else None,
            "before": old,
            "after": new,
            "changedFields": changed,
        },
    )


def next_event(
    command: Command, reason: str, stored: Entity, entity: Entity, next_json: dict[str, Any] | None
) -> Event:
    """Build ``customers.next_interaction.updated`` (``schemas.events.NextInteractionUpdated``).

    :param next_json: snapshot of the entity's next interaction.
    """
    envelope = command.envelope
    projection = entity.next
    return _event(
        command,
        NEXT_INTERACTION_UPDATED,
        1,
        {
            "id": entity.id,
            "entityId": entity.id,
            "tenantId": entity.tenant_id,
            "organizationId": entity.organization_id,
            "entityVersion": entity.entity_version,
            "commandId": envelope.id,
            "reason": reason,
            "syncOrigin": envelope.sync_origin,
            "recordedAt": format_instant(command.appended_at),
            "nextInteractionId": projection.interaction_id if projection is not None else None,
            "previous": next_snapshot(stored.next),
            "next": next_json,
        },
    )


def _event(command: Command, event_type: str, ordinal: int, payload: dict[str, Any]) -> Event:
    envelope = command.envelope
    identity = derive_id("event", envelope.tenant_id, envelope.organization_id, envelope.id, event_type)
    return Event(id=identity, type=event_type, ordinal=ordinal, payload=payload)
