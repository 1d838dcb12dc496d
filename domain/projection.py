"""Projection of one entity: next and last interaction derived, counts updated by deltas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.journal import Facts
from domain.model import Entity, Interaction, LastInteraction, NextInteraction, TypeEntry
from domain.next_interaction import last_projection, next_projection
from domain.unit_of_work import UnitOfWork


def entity_after(
    work: UnitOfWork,
    stored: Entity,
    *,
    changed: Sequence[tuple[Interaction | None, Interaction | None]],
    new_type: TypeEntry | None,
    now: datetime,
) -> Entity:
    """Project the entity after interactions have changed, with its version incremented.

    Next and last are derived from the loaded rows, so a wrong stored projection is corrected by the next
    command that may change it (``domain.read_set``).

    :param changed: each interaction before and after its change; ``None`` stands for no row.
    :param new_type: dictionary entry that the same command adds.
    """
    moved = [before.id for before, _ in changed if before is not None]
    afters = [after for _, after in changed if after is not None]
    next_interaction, last = derive(work, stored, moved, afters, new_type)
    opened, overdue, done = stored.open_count, stored.overdue_count, stored.done_count
    for before, after in changed:
        if before is not None:
            if before.status == "planned":
                opened -= 1
                overdue -= before.due_phase == 2
            elif before.status == "done":
                done -= 1
        if after is not None:
            if after.status == "planned":
                opened += 1
                overdue += after.due_phase == 2
            elif after.status == "done":
                done += 1
    return with_projection(stored, next_interaction, last, (opened, overdue, done), now)


def derive(
    work: UnitOfWork,
    stored: Entity,
    moved: Sequence[str],
    afters: Sequence[Interaction],
    new_type: TypeEntry | None,
) -> tuple[NextInteraction | None, LastInteraction | None]:
    """Derive the next and the last interaction once those in ``moved`` have become those in ``afters``."""
    index = work.interactions.index(stored.id)
    scope = stored.tenant_id, stored.organization_id
    next_interaction: NextInteraction | None = None
    last: LastInteraction | None = None
    identity = index.next_after(moved, afters)
    if identity is not None:
        row = _row(work, afters, identity)
        next_interaction = next_projection(row, _entry(work, scope, row, new_type))
    identity = index.last_after(moved, afters)
    if identity is not None:
        row = _row(work, afters, identity)
        last = last_projection(row, _entry(work, scope, row, new_type))
    return next_interaction, last


def _row(work: UnitOfWork, afters: Sequence[Interaction], identity: str) -> Interaction:
    for row in afters:
        if row.id == identity:
            return row
    return work.interactions[identity]


def with_projection(
    stored: Entity,
    next_interaction: NextInteraction | None,
    last: LastInteraction | None,
    counts: tuple[int, int, int],
    now: datetime,
) -> Entity:
    """Copy the entity with a new projection and its version incremented."""
    return Entity(
        id=stored.id,
        tenant_id=stored.tenant_id,
        organization_id=stored.organization_id,
        kind=stored.kind,
        display_name=stored.display_name,
        primary_email=stored.primary_email,
        primary_phone=stored.primary_phone,
        owner_user_id=stored.owner_user_id,
        entity_version=stored.entity_version + 1,
        next=next_interaction,
        last=last,
        open_count=counts[0],
        overdue_count=counts[1],
        done_count=counts[2],
        created_at=stored.created_at,
        updated_at=now,
    )


def projection_facts(stored: Entity, entity: Entity, **others: Any) -> Facts:
    """Facts of a command that made ``entity`` of the stored one.

    :param others: further facts.
    """
    next_changed = entity.next != stored.next
    return Facts(
        previous=stored.next if next_changed else None,
        next=entity.next,
        next_changed=next_changed,
        projection_changed=(
            next_changed
            or entity.open_count != stored.open_count
            or entity.done_count != stored.done_count
            or entity.overdue_count != stored.overdue_count
            or entity.last != stored.last
        ),
        **others,
    )


def _entry(
    work: UnitOfWork, scope: tuple[str, str], row: Interaction, new_type: TypeEntry | None
) -> TypeEntry | None:
    if new_type is not None and new_type.code == row.interaction_type:
        return new_type
    return work.type_entry(scope, row.interaction_type)
