"""Turn a journal entry into Kafka records: events and their states, or commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

from domain.events import Event
from domain.journal import JournalEntry
from domain.model import Deal, Entity, TypeEntry
from domain.recompute import relabel_command_id
from domain.snapshots import deal_snapshot, entity_state, type_snapshot
from schemas.avro_codec import Encode
from schemas.avro_schemas import DEAL_STATE as DEAL_STATE_TYPE
from schemas.avro_schemas import DRAFT_STATE as DRAFT_STATE_TYPE
from schemas.avro_schemas import ENTITY_STATE as ENTITY_STATE_TYPE
from schemas.avro_schemas import INTERACTION_STATE as INTERACTION_STATE_TYPE
from schemas.avro_schemas import NEXT_INTERACTION_STATE as NEXT_STATE_TYPE
from schemas.avro_schemas import SIGNAL_STATE as SIGNAL_STATE_TYPE
from schemas.avro_schemas import TYPE_STATE as TYPE_STATE_TYPE
from schemas.cloudevent_headers import AVRO, JSON, event_headers
from schemas.identity import derive_id, escaped
from schemas.instants import format_instant
from schemas.outgoing_record import OutgoingRecord
from schemas.sources import PIPELINE
from schemas.topics import (
    COMMANDS,
    DEAL_STATE,
    DRAFT_STATE,
    ENTITY_STATE,
    EVENTS,
    INTERACTION_STATE,
    NEXT_INTERACTION_STATE,
    SIGNAL_STATE,
    TYPE_STATE,
)

#: Topics whose states are the last events' images → type of the state.
_KIND_OF: Final = {
    INTERACTION_STATE: INTERACTION_STATE_TYPE,
    SIGNAL_STATE: SIGNAL_STATE_TYPE,
    DRAFT_STATE: DRAFT_STATE_TYPE,
}
#: The other topics of a customer's states.
_OTHER_KINDS: Final = {
    NEXT_INTERACTION_STATE: NEXT_STATE_TYPE,
    ENTITY_STATE: ENTITY_STATE_TYPE,
    DEAL_STATE: DEAL_STATE_TYPE,
}
_RECOMPUTE: Final = "customers.interaction.recompute_next"


def event_records(entry: JournalEntry, events: Iterable[Event], encode: Encode) -> Iterator[OutgoingRecord]:
    """Yield the events and commands of an entry, in order."""
    for event in events:
        headers = _headers(entry, event, event.type)
        yield OutgoingRecord(EVENTS, event.key, encode(event.type, event.payload), headers)
    # The commands go through the commands topic, so that each projection is written in its own partition's
    # order by its single writer (ordering and single-writer invariants).
    for entity_id in entry.facts.relabeled:
        yield _recompute(entry, entity_id)


def state_record(topic: str, entry: JournalEntry, event: Event, encode: Encode) -> OutgoingRecord:
    """Build the state that an event leaves, or its tombstone."""
    payload = event.payload
    if topic == NEXT_INTERACTION_STATE:
        kind, state = NEXT_STATE_TYPE, None
        if payload["next"] is not None:
            names = ("entityId", "tenantId", "organizationId", "entityVersion", "next")
            state = {name: payload[name] for name in names}
    else:
        kind, state = _KIND_OF[topic], payload["after"]
    value = encode(kind, state) if state is not None else None
    return OutgoingRecord(topic, event.subject, value, _headers(entry, event, kind))


def tombstone(topic: str, key: str, entry: JournalEntry) -> OutgoingRecord:
    """Build the tombstone of a state that ended with the erasure of its customer."""
    assert entry.entity_id is not None
    event = Event(
        id=derive_id(
            "tombstone", topic, key, entry.tenant_id, entry.organization_id, escaped(entry.given_id)
        ),
        type=entry.command_type,
        key=entry.entity_id,
        sequence=None,
        subject=key,
        payload={},
    )
    kind = _KIND_OF.get(topic) or _OTHER_KINDS[topic]
    return OutgoingRecord(topic, key, None, _headers(entry, event, kind))


def stored_record(row: Entity | Deal | TypeEntry, encode: Encode) -> OutgoingRecord:
    """Build the state of a customer, deal or interaction type from its row."""
    version: int | None
    if isinstance(row, Entity):
        place = ENTITY_STATE, ENTITY_STATE_TYPE, row.id, row.id
        state, version = entity_state(row), row.entity_version
    elif isinstance(row, Deal):
        place = DEAL_STATE, DEAL_STATE_TYPE, row.id, row.entity_id
        state, version = deal_snapshot(row), row.version
    else:
        place = TYPE_STATE, TYPE_STATE_TYPE, "/".join(row.key), row.organization_id
        state, version = type_snapshot(row), None
    topic, kind, key, entity = place
    value = encode(kind, state)
    headers = event_headers(
        AVRO,
        source=PIPELINE,
        # The same state always has the same id.
        id=derive_id("state", topic, escaped(key), blake2b(value, digest_size=16).hexdigest()),
        type=kind,
        time=state.get("updatedAt"),
        tenantid=row.tenant_id,
        organizationid=row.organization_id,
        entityid=entity,
        subject=key,
        sequence=f"{version:020d}" if version is not None else None,
    )
    return OutgoingRecord(topic, key, value, headers)


def _headers(entry: JournalEntry, event: Event, kind: str) -> dict[str, str | bytes | None]:
    return event_headers(
        AVRO,
        source=PIPELINE,
        time=format_instant(entry.appended_at),
        tenantid=entry.tenant_id,
        organizationid=entry.organization_id,
        entityid=event.key,
        causationid=entry.given_id,
        correlationid=entry.correlation_id or entry.given_id,
        syncorigin=entry.sync_origin,
        actorid=entry.actor_id,
        traceparent=entry.traceparent,
        id=event.id,
        type=kind,
        subject=event.subject,
        sequence=f"{event.sequence:020d}" if event.sequence is not None else None,
    )


def _recompute(entry: JournalEntry, entity_id: str) -> OutgoingRecord:
    cause = entry.given_id
    headers = event_headers(
        JSON,
        source=PIPELINE,
        id=relabel_command_id(entry.tenant_id, entry.organization_id, cause, entity_id),
        type=_RECOMPUTE,
        time=format_instant(entry.appended_at),
        tenantid=entry.tenant_id,
        organizationid=entry.organization_id,
        entityid=entity_id,
        causationid=cause,
        correlationid=entry.correlation_id or cause,
    )
    return OutgoingRecord(COMMANDS, entity_id, b"{}", headers)
