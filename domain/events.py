"""Events: what the relay publishes, as a function of a journal entry (values of ``schemas.events``)."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from msgspec import Struct

from domain.journal import Facts, JournalEntry
from domain.model import Interaction, NextInteraction
from schemas.events import NEXT_INTERACTION_UPDATED, SNAPSHOT, SNAPSHOT_INSTANTS
from schemas.identity import derive_id
from schemas.instants import format_instant


class Event(Struct, frozen=True, kw_only=True):
    """One event of a command.

    :param ordinal: 0 for the lifecycle event, 1 for ``customers.next_interaction.updated``.
    :param subject: id of the interaction, or of the entity whose next interaction changed.
    """

    id: str
    type: str
    ordinal: int
    subject: str
    payload: dict[str, Any]


def events_of(entry: JournalEntry) -> tuple[Event, ...]:
    """Build the events of an entry, in order."""
    facts = entry.facts
    if not isinstance(facts, Facts):
        return ()  # published from the outbox, before there was a journal
    events = []
    if facts.event is not None:
        payload = _lifecycle_payload(entry, facts)
        events.append(_event(entry, facts.event, 0, payload))
    if facts.next_changed:
        events.append(_event(entry, NEXT_INTERACTION_UPDATED, 1, _next_payload(entry, facts)))
    return tuple(events)


_VALUES: Final = attrgetter(*SNAPSHOT.values())


def snapshot(row: Interaction) -> dict[str, Any]:
    """Interaction in its API form (``schemas.events.InteractionSnapshot``)."""
    members = dict(zip(SNAPSHOT, _VALUES(row), strict=True))
    for name in SNAPSHOT_INSTANTS:
        if members[name] is not None:
            members[name] = format_instant(members[name])
    return members


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


def _lifecycle_payload(entry: JournalEntry, facts: Facts) -> dict[str, Any]:
    """Value of a lifecycle event (``schemas.events.InteractionEvent``)."""
    before, after = facts.before, facts.after
    row = after if after is not None else before
    assert row is not None
    assert entry.source_timestamp is not None
    old = snapshot(before) if before is not None else None
    new = snapshot(after) if after is not None else None
    changed = []
    if old is not None and new is not None:
        changed = [name for name in old if old[name] != new[name] and name not in ("version", "updatedAt")]
    return {
        "id": row.id,
        "entityId": row.entity_id,
        "tenantId": row.tenant_id,
        "organizationId": row.organization_id,
        "interactionType": row.interaction_type,
        "status": row.status,
        "source": row.source,
        "version": facts.version,
        "entityVersion": entry.entity_version,
        "commandId": entry.given_id,
        "reason": facts.reason,
        "syncOrigin": entry.sync_origin,
        "actorId": entry.actor_id,
        "recordedAt": format_instant(entry.appended_at),
        "sourceTimestamp": format_instant(entry.source_timestamp),
        "occurredAt": format_instant(row.occurred_at) if row.occurred_at is not None else None,
        "before": old,
        "after": new,
        "changedFields": changed,
    }


def _next_payload(entry: JournalEntry, facts: Facts) -> dict[str, Any]:
    """Value of ``customers.next_interaction.updated`` (``schemas.events.NextInteractionUpdated``)."""
    return {
        "id": entry.entity_id,
        "entityId": entry.entity_id,
        "tenantId": entry.tenant_id,
        "organizationId": entry.organization_id,
        "entityVersion": entry.entity_version,
        "commandId": entry.given_id,
        "reason": facts.reason,
        "syncOrigin": entry.sync_origin,
        "recordedAt": format_instant(entry.appended_at),
        "nextInteractionId": facts.next.interaction_id if facts.next is not None else None,
        "previous": next_snapshot(facts.previous),
        "next": next_snapshot(facts.next),
    }


def _event(entry: JournalEntry, event_type: str, ordinal: int, payload: dict[str, Any]) -> Event:
    identity = derive_id("event", entry.tenant_id, entry.organization_id, entry.given_id, event_type)
    return Event(id=identity, type=event_type, ordinal=ordinal, subject=payload["id"], payload=payload)
