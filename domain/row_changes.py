"""Changes of signals, drafts and outcomes, as facts of a decision and rows to store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from domain.decision import Decision
from domain.journal import Facts, RowChange, make_entry
from domain.model import Draft, Entity, Signal, SignalOutcome
from domain.record_set import Record
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.identity import derive_id
from schemas.signal_events import DRAFT_REMOVED, SIGNAL_DELETED


def version_after(entity: Entity) -> int:
    """Version of the rows that a command on this entity changes."""
    return entity.entity_version + 1


def change_rows(
    command: Command,
    entity: Entity,
    changes: tuple[RowChange, ...],
    *,
    reason: str,
    interaction_id: str,
    signal_id: str | None,
    draft_id: str | None = None,
    version: int | None = None,
    warnings: tuple[dict[str, Any], ...] = (),
) -> Decision:
    """Build the decision of a command that changes no interaction.

    :param version: as in the result; that of the changed rows by default.
    """
    after = replace(entity, entity_version=version_after(entity), updated_at=command.appended_at)
    facts = Facts(
        reason=reason,
        version=version if version is not None else after.entity_version,
        undoable=True,
        next=entity.next,
        changes=changes,
        signal_id=signal_id,
        draft_id=draft_id,
        warnings=warnings,
    )
    entry = make_entry(
        command, "applied", facts, interaction_id=interaction_id, entity_version=after.entity_version
    )
    return Decision(command=command, entry=entry, writes=(after, *written(changes)), removes=removed(changes))


def written(changes: Iterable[RowChange]) -> tuple[Record, ...]:
    """Rows to insert or update."""
    return tuple(change.after for change in changes if change.after is not None)


def removed(changes: Iterable[RowChange]) -> tuple[Record, ...]:
    """Rows to delete."""
    return tuple(change.before for change in changes if change.after is None and change.before is not None)


def removal_of_signals(work: UnitOfWork, interaction_id: str) -> tuple[RowChange, ...]:
    """Remove all signals of an interaction, with their outcomes and drafts."""
    return (
        *(RowChange(before=row) for row in work.outcomes.of(interaction_id)),
        *(RowChange(event=DRAFT_REMOVED, before=row) for row in work.drafts.of(interaction_id)),
        *(RowChange(event=SIGNAL_DELETED, before=row) for row in work.signals.of(interaction_id)),
    )


def removal_of_signal(work: UnitOfWork, signal: Signal) -> tuple[RowChange, ...]:
    """Remove one signal with its outcomes and drafts."""
    return tuple(
        change
        for change in removal_of_signals(work, signal.interaction_id)
        if signal.id in (change.row.id, getattr(change.row, "signal_id", None))
    )


def outcome_of_signal(
    command: Command,
    signal: Signal,
    outcome: str,
    *,
    detail: str | None = None,
    draft: Draft | None = None,
) -> RowChange:
    """Add an entry to the history of a signal."""
    envelope = command.envelope
    row = SignalOutcome(
        id=derive_id("outcome", envelope.tenant_id, envelope.organization_id, envelope.id, signal.id),
        tenant_id=signal.tenant_id,
        organization_id=signal.organization_id,
        signal_id=signal.id,
        interaction_id=signal.interaction_id,
        entity_id=signal.entity_id,
        outcome=outcome,
        command_id=envelope.id,
        created_at=command.appended_at,
        detail=detail,
        draft_id=draft.id if draft is not None else None,
        actor_id=envelope.actor_id,
    )
    return RowChange(after=row)
