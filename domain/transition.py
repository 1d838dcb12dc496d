"""Transition of an interaction, and of the next step with it, with the consequences for the projection."""

from __future__ import annotations

from typing import Any

from domain.decision import Decision
from domain.journal import RowChange, StepChange, make_entry
from domain.model import Entity, Interaction, RetiredInteraction, TypeEntry
from domain.projection import entity_after, projection_facts
from domain.record_changes import type_change
from domain.record_set import Record
from domain.row_changes import removal_of_signals, removed, written
from domain.unit_of_work import UnitOfWork
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
    changes: tuple[RowChange, ...] = (),
    step: StepChange | None = None,
) -> Decision:
    """Build the decision that turns ``before`` into ``after``; ``None`` stands for no row.

    :param stored: the entity before the change.
    :param version: version of the interaction after the change; a deletion has its own.
    :param new_type: dictionary entry that the command adds.
    :param changes: signals, drafts and outcomes that change with it. Those of a removed interaction are
        removed in any case.
    :param step: change of the next step, which has no signals if it is removed.
    """
    row = after if after is not None else before
    assert row is not None
    changed = [(before, after)] if step is None else [(before, after), (step.before, step.after)]
    entity = entity_after(work, stored, changed=changed, new_type=new_type, now=command.appended_at)
    if after is None:
        changes = removal_of_signals(work, row.id)
    facts = projection_facts(
        stored,
        entity,
        event=event_type,
        reason=reason,
        before=before,
        after=after,
        version=version,
        step=step,
        undoable=undoable,
        new_type=new_type.code if new_type is not None else None,
        record=type_change(None, new_type) if new_type is not None else None,
        changes=changes,
        warnings=warnings,
    )
    entry = make_entry(command, "applied", facts, interaction_id=row.id, entity_version=entity.entity_version)
    writes: list[Record] = [record for record in (after, entity, new_type) if record is not None]
    removes: list[Record] = [*removed(changes)]
    if after is None:
        removes.append(row)
    if step is not None:
        _store_step(step, writes, removes)
    return Decision(command=command, entry=entry, writes=(*writes, *written(changes)), removes=tuple(removes))


def _store_step(step: StepChange, writes: list[Record], removes: list[Record]) -> None:
    row = step.row
    if step.after is not None:
        writes.append(row)
        return
    removes.append(row)
    # Hazard: the journal entry is that of the completed interaction, so it does not show that this one was
    # deleted, and with which version.
    writes.append(RetiredInteraction(row.id, row.tenant_id, row.organization_id, step.version))
