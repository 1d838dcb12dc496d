"""Events: what the relay publishes, as a function of a journal entry (values of ``schemas.events``)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from domain.journal import Erased, Facts, JournalEntry, RecordChange, RowChange, StepChange
from domain.model import Draft, Signal
from domain.snapshots import draft_snapshot, interaction_snapshot, next_snapshot, signal_snapshot
from schemas.events import ENTITY_ERASED, NEXT_INTERACTION_UPDATED
from schemas.identity import derive_id, escaped
from schemas.instants import format_instant


class Event(Struct, frozen=True, kw_only=True):
    """One event of a command.

    :param key: record key: the entity, or the organization of an interaction type.
    :param sequence: increases with each event of the entity; ``None`` where nothing counts the changes.
    :param subject: id of what changed.
    """

    id: str
    type: str
    key: str
    sequence: int | None
    subject: str
    payload: dict[str, Any]


def events_of(entry: JournalEntry) -> tuple[Event, ...]:
    """Build the events of an entry, in order."""
    facts = entry.facts
    if not isinstance(facts, Facts):
        return ()  # published from the outbox, before there was a journal
    events = []
    if facts.event is not None:
        payload = _lifecycle_payload(entry, facts.reason, facts)
        events.append(_event(entry, facts.event, _sequence(entry, 0), payload))
    step = facts.step
    if step is not None:
        payload = _lifecycle_payload(entry, facts.reason, step)
        events.append(_event(entry, step.event, _sequence(entry, 1), payload))
    if facts.next_changed:
        payload = _next_payload(entry, facts)
        ordinal = 1 if step is None else 2
        events.append(_event(entry, NEXT_INTERACTION_UPDATED, _sequence(entry, ordinal), payload))
    record = facts.record
    if record is not None:
        kind = f"customers.{record.kind}.{'created' if record.before is None else 'updated'}"
        sequence = _sequence(entry, 0) if record.kind == "entity" else None
        events.append(_event(entry, kind, sequence, _record_payload(entry, record)))
    if facts.erased is not None:
        payload = _erased_payload(entry, facts.erased)
        events.append(_event(entry, ENTITY_ERASED, _sequence(entry, 0), payload))
    events += [
        _child_event(entry, facts, change, change.event)
        for change in facts.changes
        if change.event is not None
    ]
    return tuple(events)


def _lifecycle_payload(entry: JournalEntry, reason: str | None, change: Facts | StepChange) -> dict[str, Any]:
    """Value of a lifecycle event (``schemas.events.InteractionEvent``)."""
    before, after = change.before, change.after
    row = after if after is not None else before
    assert row is not None
    assert entry.source_timestamp is not None
    old = interaction_snapshot(before) if before is not None else None
    new = interaction_snapshot(after) if after is not None else None
    return {
        "id": row.id,
        "entityId": row.entity_id,
        "tenantId": row.tenant_id,
        "organizationId": row.organization_id,
        "interactionType": row.interaction_type,
        "status": row.status,
        "source": row.source,
        "version": change.version,
        "entityVersion": entry.entity_version,
        "commandId": entry.given_id,
        "reason": reason,
        "syncOrigin": entry.sync_origin,
        "actorId": entry.actor_id,
        "recordedAt": format_instant(entry.appended_at),
        "sourceTimestamp": format_instant(entry.source_timestamp),
        "occurredAt": format_instant(row.occurred_at) if row.occurred_at is not None else None,
        "before": old,
        "after": new,
        "changedFields": _changed_fields(old, new),
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


def _record_payload(entry: JournalEntry, record: RecordChange) -> dict[str, Any]:
    """Value of an event of a customer, deal or interaction type (``schemas.events.RecordEvent``)."""
    assert entry.source_timestamp is not None
    of_type = record.kind == "interaction_type"
    return {
        "id": record.id,
        "entityId": entry.organization_id if of_type else entry.entity_id,
        "tenantId": entry.tenant_id,
        "organizationId": entry.organization_id,
        "entityVersion": None if of_type else entry.entity_version,
        "commandId": entry.given_id,
        "syncOrigin": entry.sync_origin,
        "actorId": entry.actor_id,
        "recordedAt": format_instant(entry.appended_at),
        "sourceTimestamp": format_instant(entry.source_timestamp),
        "before": record.before,
        "after": record.after,
        "changedFields": _changed_fields(record.before, record.after),
    }


def _erased_payload(entry: JournalEntry, erased: Erased) -> dict[str, Any]:
    """Value of ``customers.entity.erased`` (``schemas.events.EntityErased``): counts, no ids of rows."""
    assert entry.source_timestamp is not None
    return {
        "id": entry.entity_id,
        "entityId": entry.entity_id,
        "tenantId": entry.tenant_id,
        "organizationId": entry.organization_id,
        "entityVersion": entry.entity_version,
        "commandId": entry.given_id,
        "syncOrigin": entry.sync_origin,
        "actorId": entry.actor_id,
        "recordedAt": format_instant(entry.appended_at),
        "sourceTimestamp": format_instant(entry.source_timestamp),
        "mirrors": erased.mirrors,
        "interactions": len(erased.interactions),
        "deals": len(erased.deals),
        "signals": len(erased.signals),
        "drafts": len(erased.drafts),
    }


def _child_event(entry: JournalEntry, facts: Facts, change: RowChange, event_type: str) -> Event:
    """Build the event of a signal or draft (``schemas.signal_events``).

    A command may change several of them, so the id contains theirs.
    """
    row = change.row
    assert isinstance(row, Signal | Draft)
    assert entry.source_timestamp is not None
    snapshot = signal_snapshot if isinstance(row, Signal) else draft_snapshot
    old = snapshot(change.before) if change.before is not None else None
    new = snapshot(change.after) if change.after is not None else None
    payload = {
        "id": row.id,
        "interactionId": row.interaction_id,
        "entityId": row.entity_id,
        "tenantId": row.tenant_id,
        "organizationId": row.organization_id,
        "version": entry.entity_version,
        "entityVersion": entry.entity_version,
        "commandId": entry.given_id,
        "reason": facts.reason,
        "syncOrigin": entry.sync_origin,
        "actorId": entry.actor_id,
        "recordedAt": format_instant(entry.appended_at),
        "sourceTimestamp": format_instant(entry.source_timestamp),
        "before": old,
        "after": new,
        "changedFields": _changed_fields(old, new),
    }
    if isinstance(row, Draft):
        payload["signalId"] = row.signal_id
    return Event(
        id=derive_id(
            "event", entry.tenant_id, entry.organization_id, escaped(entry.given_id), event_type, row.id
        ),
        type=event_type,
        key=row.entity_id,
        sequence=None,
        subject=row.id,
        payload=payload,
    )


def _changed_fields(old: dict[str, Any] | None, new: dict[str, Any] | None) -> list[str]:
    if old is None or new is None:
        return []
    return [name for name in old if old[name] != new[name] and name not in ("version", "updatedAt")]


def _sequence(entry: JournalEntry, ordinal: int) -> int:
    return (entry.entity_version or 0) * 10 + ordinal


def _event(entry: JournalEntry, event_type: str, sequence: int | None, payload: dict[str, Any]) -> Event:
    identity = derive_id("event", entry.tenant_id, entry.organization_id, entry.given_id, event_type)
    return Event(
        id=identity,
        type=event_type,
        key=payload["entityId"],
        sequence=sequence,
        subject=payload["id"],
        payload=payload,
    )
