"""Fix an interaction and its signals in one command: all of it or nothing."""

from __future__ import annotations

from msgspec.structs import replace

from domain.decision import Decision
from domain.journal import RowChange
from domain.lookup import require_entity, require_interaction, require_signal
from domain.model import Entity, Interaction
from domain.outcome import check_version, no_op
from domain.row_changes import change_rows, version_after
from domain.signals import changed_fields
from domain.transition import apply_transition
from domain.unit_of_work import UnitOfWork
from domain.update import planned_update
from schemas.command import Command
from schemas.errors import Reject
from schemas.payloads import InteractionFix
from schemas.signal_events import SIGNAL_UPDATED


def fix(work: UnitOfWork, command: Command, payload: InteractionFix) -> Decision:
    """Change the fields of an interaction, as ``update`` does, and of its signals.

    :raises Reject: those of ``domain.update.update``, ``signal_not_found``, ``signal_of_other_interaction``,
        ``repeated_signal``.
    """
    row = require_interaction(work, command, payload.id)
    entity = require_entity(work, command)
    check_version(command.expected_version, row.version)
    changes = _signal_changes(work, command, entity, row, payload)
    planned = planned_update(work, command, row, payload)
    if planned.after is not None:
        return apply_transition(
            work,
            command,
            entity,
            before=row,
            after=planned.after,
            event_type=planned.event_type,
            reason=planned.reason,
            version=planned.after.version,
            warnings=planned.warnings,
            new_type=planned.new_type,
            changes=changes,
        )
    if not changes:
        return no_op(command, entity, row, *planned.warnings)
    return change_rows(
        command,
        entity,
        changes,
        reason="updated",
        interaction_id=row.id,
        signal_id=None,
        version=row.version,
        warnings=planned.warnings,
    )


def _signal_changes(
    work: UnitOfWork, command: Command, entity: Entity, row: Interaction, payload: InteractionFix
) -> tuple[RowChange, ...]:
    changes = []
    seen: set[str] = set()
    for number, wanted in enumerate(payload.signals):
        pointer = f"/signals/{number}/id"
        if wanted.id in seen:
            raise Reject("repeated_signal", "the signal is listed twice", pointer=pointer)
        seen.add(wanted.id)
        signal = require_signal(work, command, wanted.id, pointer)
        if signal.interaction_id != row.id:
            raise Reject(
                "signal_of_other_interaction",
                "the signal belongs to another interaction",
                pointer=pointer,
                status=409,
            )
        fields = changed_fields(signal, wanted.changes())
        if fields:
            after = replace(signal, **fields, version=version_after(entity), updated_at=command.appended_at)
            changes.append(RowChange(event=SIGNAL_UPDATED, before=signal, after=after))
    return tuple(changes)
