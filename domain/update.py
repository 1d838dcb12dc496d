"""Update the fields of an interaction. An update never creates: an unknown id is rejected.

An update can include the status, so that fields and status change atomically. It sets the target state from
any status: the stored status again is no change, and a canceled interaction can become done. The strict
transitions (complete, cancel, reopen) are in ``domain.lifecycle``.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from domain.decision import Decision
from domain.dictionary import resolve_type
from domain.due import reset_timers
from domain.lookup import check_deal, require_entity, require_interaction
from domain.merge import merge
from domain.model import Interaction, TypeEntry
from domain.outcome import check_version, no_op, warning
from domain.transition import apply_transition
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.events import CANCELED, COMPLETED, REOPENED, UPDATED
from schemas.payloads import InteractionUpdate

#: New status → event type and reason of an update that sets it.
_STATUS_EVENTS: Final = {
    "done": (COMPLETED, "completed"),
    "canceled": (CANCELED, "canceled"),
    "planned": (REOPENED, "reopened"),
}


def update(work: UnitOfWork, command: Command, payload: InteractionUpdate) -> Decision:
    """Set and clear fields, in any status, and change the status.

    :raises Reject: ``interaction_not_found``, ``entity_mismatch``, ``version_conflict``,
        ``deal_not_found``, ``deal_of_other_entity``, ``unknown_interaction_type``.
    """
    row = require_interaction(work, command, payload.id)
    entity = require_entity(work, command)
    check_version(command.expected_version, row.version)
    planned = planned_update(work, command, row, payload)
    if planned.after is None:
        return no_op(command, entity, row, *planned.warnings)
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
    )


class PlannedUpdate(Struct, frozen=True):
    """The row after an update; ``None`` when nothing changes."""

    after: Interaction | None
    event_type: str
    reason: str
    warnings: tuple[dict[str, Any], ...]
    new_type: TypeEntry | None


def planned_update(
    work: UnitOfWork, command: Command, row: Interaction, payload: InteractionUpdate
) -> PlannedUpdate:
    """Work out the row after an update.

    :raises Reject: ``deal_not_found``, ``deal_of_other_entity``, ``unknown_interaction_type``.
    """
    wanted, implied_warnings = _with_implied_occurred_at(row, payload.changes(), command)
    changes, warnings = merge(row, wanted, command.source_timestamp)
    warnings += implied_warnings
    if not changes:
        return PlannedUpdate(None, UPDATED, "updated", warnings, None)
    check_deal(work, command, changes.get("deal_id"))
    new_type = (
        resolve_type(work, command, changes["interaction_type"]) if "interaction_type" in changes else None
    )
    version = row.version + 1
    changes["version"] = version
    changes["updated_at"] = command.appended_at
    if "scheduled_at" in changes or changes.get("status") == "planned":
        reset_timers(changes, version)
    event_type, reason = _STATUS_EVENTS[changes["status"]] if "status" in changes else (UPDATED, "updated")
    return PlannedUpdate(replace(row, **changes), event_type, reason, warnings, new_type)


def _with_implied_occurred_at(
    row: Interaction, wanted: dict[str, Any], command: Command
) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """Add the change of ``occurred_at`` that a status change implies.

    :returns: the requested changes, and a warning when ``occurred_at`` is dropped with a stale status.
    """
    status = wanted.get("status")
    if status is None:
        return wanted, ()
    if command.source_timestamp < row.status_as_of:
        # A stale status change is dropped as a whole, including its occurredAt.
        kept = {name: value for name, value in wanted.items() if name != "occurred_at"}
        detail = "occurredAt depends on the status, which was changed at its source after this change"
        lost = () if len(kept) == len(wanted) else (warning("superseded", detail, "occurredAt"),)
        return kept, lost
    if status != row.status and status == "done" and wanted.get("occurred_at") is None:
        return {**wanted, "occurred_at": command.source_timestamp}, ()
    if status != row.status and status == "planned":
        return {"occurred_at": None, **wanted}, ()
    return wanted, ()
