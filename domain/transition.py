"""Transition of one interaction, with its consequences: projection, events, undo image, result."""

from __future__ import annotations

from typing import Any

from domain.decision import Decision
from domain.event_payloads import lifecycle_event, next_event, next_snapshot
from domain.model import Entity, Event, Interaction, TypeEntry
from domain.outcome import result
from domain.projection import entity_after
from domain.undo_image import undo_image, undo_token
from domain.unit_of_work import UnitOfWork
from schemas import cache_tags
from schemas.command import Command


def apply_transition(
    work: UnitOfWork,
    command: Command,
    stored: Entity,
    *,
    before: Interaction | None,
    after: Interaction | None,
    event_type: str,
    reason: str,
    version: int,
    warnings: tuple[dict[str, Any], ...] = (),
    new_type: TypeEntry | None = None,
    undoable: bool = True,
) -> Decision:
    """Build the decision that turns ``before`` into ``after``; ``None`` stands for no row.

    :param stored: the entity before the change.
    :param version: version of the interaction after the change; a deletion has its own.
    :param new_type: dictionary entry that the command adds.
    """
    row = after if after is not None else before
    assert row is not None
    entity = entity_after(
        work, stored, before=before, after=after, new_type=new_type, now=command.appended_at
    )
    lifecycle = lifecycle_event(
        command,
        event_type,
        reason,
        before=before,
        after=after,
        version=version,
        entity_version=entity.entity_version,
    )
    events: tuple[Event, ...] = (lifecycle,)
    next_json = next_snapshot(entity.next)
    if entity.next != stored.next:
        events = lifecycle, next_event(command, reason, stored, entity, next_json)
    return Decision(
        command=command,
        outcome="applied",
        result=result(
            command,
            "applied",
            interaction_id=row.id,
            version=version,
            entity=entity,
            next_json=next_json,
            undo_token=undo_token(command.envelope.id) if undoable else None,
            invalidates=(*invalidates(stored, entity), *_of_new_type(entity, new_type)),
            warnings=warnings,
        ),
        events=events,
        undo=undo_image(before, after, version) if undoable else None,
        interaction_id=row.id,
        entity_version=entity.entity_version,
        interaction=after,
        removed=row.id if after is None else None,
        entity=entity,
        type_entry=new_type,
    )


def _of_new_type(entity: Entity, new_type: TypeEntry | None) -> tuple[str, ...]:
    if new_type is None:
        return ()
    return (cache_tags.interaction_types(entity.tenant_id, entity.organization_id),)


def invalidates(stored: Entity, entity: Entity) -> tuple[str, ...]:
    """Cache tags of the views whose content changed."""
    tags = (
        cache_tags.interactions_of_entity(entity.id),
        cache_tags.interaction_list(entity.tenant_id, entity.organization_id),
    )
    if (
        entity.open_count == stored.open_count
        and entity.done_count == stored.done_count
        and entity.overdue_count == stored.overdue_count
        and entity.next == stored.next
        and entity.last == stored.last
    ):
        return tags
    return *tags, cache_tags.next_interaction_of_entity(entity.id)
