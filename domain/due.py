"""Due and overdue: each schedule is announced once, until its timers are reset."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from msgspec.structs import replace

from domain.decision import Decision
from domain.lookup import in_scope
from domain.outcome import check_version, no_op, warning
from domain.transition import apply_transition
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.events import DUE, OVERDUE
from schemas.payloads import InteractionMarkDue

#: Tolerated lead of the database's clock, which drives the timers, over the broker's.
_MAX_CLOCK_SKEW: Final = timedelta(minutes=5)
#: ``due_phase`` of an interaction whose ``overdue`` was announced.
OVERDUE_PHASE: Final = 2
_PHASES: Final = {"due": (1, DUE), "overdue": (OVERDUE_PHASE, OVERDUE)}


def mark_due(work: UnitOfWork, command: Command, payload: InteractionMarkDue) -> Decision:
    """Announce that a schedule is due or overdue; a ``no_op`` with a warning if the schedule has changed.

    The entity's version increases. The interaction's version does not, because no user edited it.
    """
    row = work.interactions.get(payload.id)
    entity = work.entities.get(command.envelope.entity_id)
    if row is None or entity is None or not in_scope(row, command) or row.entity_id != entity.id:
        return no_op(command, None, None, warning("not_armed", "the interaction does not exist", "id"))
    check_version(command.expected_version, row.version)
    phase, event_type = _PHASES[payload.phase]
    if row.status != "planned" or row.schedule_version != payload.schedule_version or row.due_phase >= phase:
        return no_op(
            command, entity, row, warning("not_armed", "the schedule changed or was already announced")
        )
    if row.scheduled_at is None or row.scheduled_at - command.appended_at > _MAX_CLOCK_SKEW:
        return no_op(command, entity, row, warning("not_armed", "the scheduled time has not been reached"))
    return apply_transition(
        work,
        command,
        entity,
        before=row,
        after=replace(row, due_phase=phase),
        event_type=event_type,
        reason=payload.phase,
        version=row.version,
        undoable=False,
    )


def reset_timers(changes: dict[str, Any], version: int) -> None:
    """Reset the timers, for a changed schedule or an interaction that becomes planned again."""
    changes["schedule_version"] = version
    changes["due_phase"] = 0
