"""Due and overdue: a schedule is announced once, until it is armed anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from domain.decision import Decision
from domain.lookup import in_scope
from domain.outcome import check_version, no_op, warning
from domain.transition import apply_transition
from domain.undo_image import evolve
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.events import DUE, OVERDUE
from schemas.payloads import InteractionMarkDue

#: How far the database's clock, by which the timers go, may be ahead of the broker's.
_MAX_CLOCK_SKEW: Final = timedelta(minutes=5)
_PHASES: Final = {"due": (1, DUE), "overdue": (2, OVERDUE)}


def mark_due(work: UnitOfWork, command: Command, payload: InteractionMarkDue) -> Decision:
    """Announce a schedule, if the timer's view of it is still true; else nothing happens.

    The entity's version grows, the interaction's does not: nobody edited it.
    """
    row = work.interactions.get(payload.id)
    entity = work.entities.get(command.envelope.entity_id)
    if row is None or entity is None or not in_scope(row, command) or row.entity_id != entity.id:
        return no_op(command, None, None, warning("not_armed", "the interaction is gone", "id"))
    check_version(command.expected_version, row.version)
    phase, event_type = _PHASES[payload.phase]
    if row.status != "planned" or row.schedule_version != payload.schedule_version or row.due_phase >= phase:
        return no_op(command, entity, row, warning("not_armed", "the schedule changed or was announced"))
    if row.scheduled_at is None or row.scheduled_at - command.appended_at > _MAX_CLOCK_SKEW:
        return no_op(command, entity, row, warning("not_armed", "the scheduled moment has not come"))
    return apply_transition(
        work,
        command,
        entity,
        before=row,
        after=evolve(row, {"due_phase": phase}),
        event_type=event_type,
        reason=payload.phase,
        version=row.version,
        undoable=False,
    )


def reset_timers(changes: dict[str, Any], version: int) -> None:
    """Arm the timers anew: a new schedule, or the old one of an interaction that is planned again."""
    changes["schedule_version"] = version
    changes["due_phase"] = 0
