"""Turn a journal entry into Kafka records: events and their states, or commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from domain.events import Event, events_of
from domain.journal import JournalEntry
from domain.recompute import relabel_command_id
from schemas.avro_schemas import INTERACTION_STATE as INTERACTION_STATE_TYPE
from schemas.avro_schemas import NEXT_INTERACTION_STATE as NEXT_STATE_TYPE
from schemas.cloudevent_headers import AVRO, JSON, event_headers
from schemas.events import DUE, OVERDUE
from schemas.instants import format_instant
from schemas.outgoing_record import OutgoingRecord
from schemas.sources import PIPELINE
from schemas.topics import COMMANDS, EVENTS, INTERACTION_STATE, NEXT_INTERACTION_STATE

#: ``(model name, data) -> Confluent Avro``.
Encode = Callable[[str, dict[str, Any]], bytes]
_RECOMPUTE: Final = "customers.interaction.recompute_next"


def records_of(entry: JournalEntry, encode: Encode) -> Iterator[OutgoingRecord]:
    """Yield the records of an entry, in order."""
    for event in events_of(entry):
        yield from _event_and_state(entry, event, encode)
    # The commands go through the commands topic, so that each projection is written in its own partition's
    # order by its single writer (ordering and single-writer invariants).
    for entity_id in entry.facts.relabeled:
        yield _recompute(entry, entity_id)


def _event_and_state(entry: JournalEntry, event: Event, encode: Encode) -> Iterator[OutgoingRecord]:
    headers = event_headers(
        AVRO,
        source=PIPELINE,
        time=format_instant(entry.appended_at),
        tenantid=entry.tenant_id,
        organizationid=entry.organization_id,
        entityid=entry.entity_id,
        causationid=entry.given_id,
        correlationid=entry.correlation_id or entry.given_id,
        syncorigin=entry.sync_origin,
        actorid=entry.actor_id,
        traceparent=entry.traceparent,
        id=event.id,
        type=event.type,
        subject=event.subject,
        sequence=f"{(entry.entity_version or 0) * 10 + event.ordinal:020d}",
    )
    payload = event.payload
    yield OutgoingRecord(EVENTS, entry.entity_id, encode(event.type, payload), headers)
    if event.ordinal == 1:
        value = None
        if payload["next"] is not None:
            state = {
                name: payload[name] for name in ("entityId", "tenantId", "organizationId", "entityVersion")
            }
            value = encode(NEXT_STATE_TYPE, {**state, "next": payload["next"]})
        of_state = {**headers, "ce_type": NEXT_STATE_TYPE}
        yield OutgoingRecord(NEXT_INTERACTION_STATE, entry.entity_id, value, of_state)
    elif event.type not in (DUE, OVERDUE):
        after = payload["after"]
        value = encode(INTERACTION_STATE_TYPE, after) if after is not None else None
        of_state = {**headers, "ce_type": INTERACTION_STATE_TYPE}
        yield OutgoingRecord(INTERACTION_STATE, payload["id"], value, of_state)


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
