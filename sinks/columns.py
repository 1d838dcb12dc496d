"""Row mapping: columns in order, and conversion between rows and domain objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import orjson

from domain.journal import Facts, JournalEntry, OldFacts, deleted_version, published_count
from domain.model import Deal, Entity, Interaction, LastInteraction, NextInteraction
from sinks.column_types import column_type

INTERACTION: Final = (
    "id", "tenant_id", "organization_id", "entity_id", "interaction_type", "status", "deal_id", "title",
    "body", "scheduled_at", "occurred_at", "priority", "author_user_id", "owner_user_id",
    "appearance_icon", "appearance_color", "source", "version", "schedule_version", "due_phase",
    "status_as_of", "scheduled_as_of", "occurred_as_of", "created_at", "updated_at",
)  # fmt: skip

ENTITY: Final = (
    "id", "tenant_id", "organization_id", "kind", "display_name", "primary_email", "primary_phone",
    "owner_user_id", "entity_version", "next_interaction_at", "next_interaction_name",
    "next_interaction_ref_id", "next_interaction_icon", "next_interaction_color", "last_interaction_at",
    "last_interaction_name", "last_interaction_ref_id", "open_count", "overdue_count", "done_count",
    "created_at", "updated_at",
)  # fmt: skip

DEAL: Final = (
    "id", "tenant_id", "organization_id", "entity_id", "title", "status", "version",
    "created_at", "updated_at",
)  # fmt: skip

JOURNAL: Final = (
    "tenant_id", "organization_id", "command_id", "command_type", "entity_id", "interaction_id",
    "partition", "offset", "fingerprint", "outcome", "entity_version", "actor_id", "sync_origin",
    "correlation_id", "traceparent", "source_timestamp", "appended_at", "facts", "retired_version", "events",
)  # fmt: skip

_OF_AN_ENTRY: Final = JOURNAL[:17]
#: Expressions for the columns of an entry, of the table with alias ``j``. The last two are those of rows from
#: before the journal.
ENTRY: Final = ", ".join(
    (
        *(f'j."{name}"{"::text" if column_type(name) == "uuid" else ""}' for name in _OF_AN_ENTRY),
        "j.facts::text AS facts",
        "j.result::text AS result",
        "j.undo::text AS undo",
    )
)

_encode_facts: Final = msgspec.json.Encoder().encode
_decode_facts: Final = msgspec.json.Decoder(Facts).decode


def interaction_row(value: Interaction) -> tuple[Any, ...]:
    """Convert an interaction to a row in the order of ``INTERACTION``."""
    return (
        value.id, value.tenant_id, value.organization_id, value.entity_id, value.interaction_type,
        value.status, value.deal_id, value.title, value.body, value.scheduled_at, value.occurred_at,
        value.priority, value.author_user_id, value.owner_user_id, value.appearance_icon,
        value.appearance_color, value.source, value.version, value.schedule_version, value.due_phase,
        value.status_as_of, value.scheduled_as_of, value.occurred_as_of, value.created_at,
        value.updated_at,
    )  # fmt: skip


def interaction_of(row: tuple[Any, ...]) -> Interaction:
    """Convert a row in the order of ``INTERACTION`` to an interaction."""
    return Interaction(**dict(zip(INTERACTION, row, strict=True)))


def entity_row(value: Entity) -> tuple[Any, ...]:
    """Convert an entity to a row in the order of ``ENTITY``."""
    following, last = value.next, value.last
    return (
        value.id, value.tenant_id, value.organization_id, value.kind, value.display_name,
        value.primary_email, value.primary_phone, value.owner_user_id, value.entity_version,
        *(
            (following.at, following.name, following.interaction_id, following.icon, following.color)
            if following
            else (None, None, None, None, None)
        ),
        *((last.at, last.name, last.interaction_id) if last else (None, None, None)),
        value.open_count, value.overdue_count, value.done_count, value.created_at, value.updated_at,
    )  # fmt: skip


def entity_of(row: tuple[Any, ...]) -> Entity:
    """Convert a row in the order of ``ENTITY`` to an entity."""
    following = (
        NextInteraction(interaction_id=row[11], at=row[9], name=row[10], icon=row[12], color=row[13])
        if row[11] is not None
        else None
    )
    last = LastInteraction(interaction_id=row[16], at=row[14], name=row[15]) if row[16] is not None else None
    return Entity(
        id=row[0], tenant_id=row[1], organization_id=row[2], kind=row[3], display_name=row[4],
        primary_email=row[5], primary_phone=row[6], owner_user_id=row[7], entity_version=row[8],
        next=following, last=last, open_count=row[17], overdue_count=row[18], done_count=row[19],
        created_at=row[20], updated_at=row[21],
    )  # fmt: skip


def deal_row(value: Deal) -> tuple[Any, ...]:
    """Convert a deal to a row in the order of ``DEAL``."""
    return (
        value.id, value.tenant_id, value.organization_id, value.entity_id, value.title, value.status,
        value.version, value.created_at, value.updated_at,
    )  # fmt: skip


def deal_of(row: tuple[Any, ...]) -> Deal:
    """Convert a row in the order of ``DEAL`` to a deal."""
    return Deal(**dict(zip(DEAL, row, strict=True)))


def journal_row(entry: JournalEntry) -> tuple[Any, ...]:
    """Convert an entry to a row in the order of ``JOURNAL``."""
    facts = entry.facts
    assert isinstance(facts, Facts)
    return (
        entry.tenant_id, entry.organization_id, entry.command_id, entry.command_type, entry.entity_id,
        entry.interaction_id, entry.partition, entry.offset, entry.fingerprint, entry.outcome,
        entry.entity_version, entry.actor_id, entry.sync_origin, entry.correlation_id, entry.traceparent,
        entry.source_timestamp, entry.appended_at, _encode_facts(facts).decode(), deleted_version(entry),
        published_count(facts),
    )  # fmt: skip


def entry_of(row: Sequence[Any]) -> JournalEntry:
    """Convert a row of ``ENTRY`` to an entry."""
    *columns, facts, result, undo = row
    found: Facts | OldFacts
    if facts is not None:
        found = _decode_facts(facts)
    else:
        found = OldFacts(result=orjson.loads(result), undo=orjson.loads(undo) if undo is not None else None)
    return JournalEntry(**dict(zip(_OF_AN_ENTRY, columns, strict=True)), facts=found)
