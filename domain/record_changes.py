"""Changes of customers, deals and interaction types, as facts of a decision."""

from __future__ import annotations

from domain.journal import RecordChange
from domain.model import Deal, Entity, TypeEntry
from domain.snapshots import deal_snapshot, entity_snapshot, type_snapshot


def entity_change(before: Entity | None, after: Entity) -> RecordChange:
    """Describe a new or changed customer."""
    old = entity_snapshot(before) if before is not None else None
    return RecordChange(kind="entity", id=after.id, before=old, after=entity_snapshot(after))


def deal_change(before: Deal | None, after: Deal) -> RecordChange:
    """Describe a new or changed deal."""
    old = deal_snapshot(before) if before is not None else None
    return RecordChange(kind="deal", id=after.id, before=old, after=deal_snapshot(after))


def type_change(before: TypeEntry | None, after: TypeEntry) -> RecordChange:
    """Describe a new or changed entry of a dictionary."""
    old = type_snapshot(before) if before is not None else None
    return RecordChange(kind="interaction_type", id=after.code, before=old, after=type_snapshot(after))
