"""Undo of changes to signals and drafts: the rows as they were, if they have not changed since."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from domain.decision import Decision
from domain.journal import Facts, JournalEntry, RowChange
from domain.lookup import in_scope
from domain.model import Draft, Entity, Interaction, Signal, SignalOutcome
from domain.outcome import check_version
from domain.row_changes import change_rows, outcome_of_signal, removal_of_signal, version_after
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.signal_events import (
    DRAFT_CREATED,
    DRAFT_REMOVED,
    DRAFT_REVERTED,
    SIGNAL_RECORDED,
    SIGNAL_REVERTED,
)

Rows = Sequence[RowChange]


def undo_rows(work: UnitOfWork, command: Command, entity: Entity, entry: JournalEntry) -> Decision:
    """Undo a command that changed no interaction.

    :raises Reject: ``undo_unsafe``, ``version_conflict`` (against the signal or draft).
    """
    facts, interaction_id = entry.facts, entry.interaction_id
    assert isinstance(facts, Facts)
    assert interaction_id is not None
    first = next(change.row for change in facts.changes if not isinstance(change.row, SignalOutcome))
    current = _current(work, command, first)
    check_version(command.expected_version, current.version if current is not None else 0)
    interaction = work.interactions.get(interaction_id)
    if any(change.after is None and isinstance(change.row, Signal) for change in facts.changes):
        # A stored signal has its interaction, which need not be loaded; one that comes back needs it.
        _check_present(interaction, command)
    return change_rows(
        command,
        entity,
        reverted(work, command, entity, facts.changes),
        reason="undo",
        interaction_id=interaction_id,
        signal_id=facts.signal_id,
        draft_id=facts.draft_id,
        # The result of a fix is about the interaction.
        version=interaction.version if facts.signal_id is None and interaction is not None else None,
    )


def _check_present(interaction: Interaction | None, command: Command) -> None:
    owner = command.envelope.entity_id
    if interaction is None or not in_scope(interaction, command) or interaction.entity_id != owner:
        raise Reject("undo_unsafe", "the interaction has since been deleted", status=409)


def reverted(work: UnitOfWork, command: Command, entity: Entity, done: Rows) -> tuple[RowChange, ...]:
    """Build the changes that restore the rows.

    Outcomes that the command added stay: the history only grows. Those that it removed are restored.

    :raises Reject: ``undo_unsafe``.
    """
    check_unchanged(work, command, done)
    changes: list[RowChange] = []
    for change in done:
        row = change.row
        if isinstance(row, SignalOutcome):
            if change.after is None:
                changes.append(RowChange(after=row))
        elif isinstance(row, Draft):
            changes.append(_reverted_draft(work, command, entity, change))
        else:
            changes += _reverted_signal(work, command, entity, change)
    # A signal that is removed takes its drafts with it.
    return tuple({(type(change.row), change.row.id): change for change in changes}.values())


def check_unchanged(work: UnitOfWork, command: Command, done: Rows) -> None:
    """Check that the rows are as the command left them.

    :raises Reject: ``undo_unsafe``.
    """
    for change in done:
        row, after = change.row, change.after
        if isinstance(row, SignalOutcome):
            continue
        assert not isinstance(after, SignalOutcome)
        current, name = _current(work, command, row), "draft" if isinstance(row, Draft) else "signal"
        if current is None and work.sets[type(row)].get(row.id) is not None:
            raise Reject("undo_unsafe", f"the id of the {name} is in use elsewhere", status=409)
        if current != after:
            raise Reject("undo_unsafe", f"the {name} has since changed", status=409)


def _current(work: UnitOfWork, command: Command, row: Signal | Draft) -> Signal | Draft | None:
    """Return the row as it is now; ``None`` if this customer has none."""
    found: Signal | Draft | None = work.sets[type(row)].get(row.id)
    if found is None or not in_scope(found, command) or found.entity_id != command.envelope.entity_id:
        return None
    return found


def _reverted_draft(work: UnitOfWork, command: Command, entity: Entity, change: RowChange) -> RowChange:
    current, before = work.drafts.get(change.row.id), change.before
    if before is None:
        return RowChange(event=DRAFT_REMOVED, before=current)
    assert isinstance(before, Draft)
    after = replace(before, version=version_after(entity), updated_at=command.appended_at)
    return RowChange(
        event=DRAFT_REVERTED if current is not None else DRAFT_CREATED, before=current, after=after
    )


def _reverted_signal(
    work: UnitOfWork, command: Command, entity: Entity, change: RowChange
) -> tuple[RowChange, ...]:
    current, before = work.signals.get(change.row.id), change.before
    if before is None:
        assert current is not None
        return removal_of_signal(work, current)
    assert isinstance(before, Signal)
    # The draft of a resolution that ended is no longer being written.
    ended = current is None or (current.status, current.resolution) != ("resolving", before.resolution)
    status = "open" if before.status == "resolving" and ended else before.status
    after = replace(before, status=status, version=version_after(entity), updated_at=command.appended_at)
    event = SIGNAL_REVERTED if current is not None else SIGNAL_RECORDED
    restored = RowChange(event=event, before=current, after=after)
    if current is None or current.status == after.status:
        return (restored,)
    return restored, outcome_of_signal(command, after, "reverted")
