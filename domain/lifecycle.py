"""Lifecycle of an interaction: create, complete, cancel, reopen, delete.

    planned ──complete──▶ done          planned ──cancel──▶ canceled
    done, canceled ──reopen──▶ planned  any ──delete──▶ deleted

A status change that is older than the stored one (last-write-wins) is a ``no_op`` with a warning. Any other
illegal transition is rejected with its own code.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from domain import next_step
from domain.decision import Decision
from domain.dictionary import resolve_type
from domain.due import OVERDUE_PHASE, reset_timers
from domain.lookup import check_deal, check_id_available, require_entity, require_interaction
from domain.merge import merge, superseded
from domain.model import Interaction
from domain.outcome import check_version, no_op
from domain.transition import apply_transition
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.events import CANCELED, COMPLETED, CREATED, DELETED, REOPENED
from schemas.identity import derive_id
from schemas.interaction_fields import EDITABLE
from schemas.next_step import NextStep
from schemas.payloads import (
    InteractionCancel,
    InteractionComplete,
    InteractionCreate,
    InteractionDelete,
    InteractionReopen,
)

#: Beginning of the ``source`` of interactions that were moved from another system.
MIGRATION_SOURCE: Final = "migration:"
#: (current status, requested status) → code and detail of the rejection.
ILLEGAL: Final = {
    ("done", "done"): ("already_done", "the interaction is already done"),
    ("canceled", "done"): (
        "complete_canceled",
        "a canceled interaction cannot be completed; reopen it first",
    ),
    ("canceled", "canceled"): ("already_canceled", "the interaction is already canceled"),
    ("done", "canceled"): ("cancel_done", "a done interaction cannot be canceled; reopen it first"),
    ("planned", "planned"): (
        "already_planned",
        "the interaction is already planned; there is nothing to reopen",
    ),
}


def created_id(command: Command) -> str:
    """Id of an interaction created without one: derived from the command id, so the same on every retry."""
    envelope = command.envelope
    return derive_id("interaction", envelope.tenant_id, envelope.organization_id, envelope.id)


def create(work: UnitOfWork, command: Command, payload: InteractionCreate) -> Decision:
    """Plan an interaction, or record one that took place.

    The version is 1, or continues from the last version when the id is that of a deleted interaction. The
    status defaults to ``done`` when ``occurredAt`` is given and to ``planned`` otherwise. ``occurredAt`` of
    a done interaction defaults to the source timestamp.

    :raises Reject: ``entity_not_found``, ``interaction_exists``, ``id_not_available``,
        ``version_conflict`` (only 0 can be expected), ``deal_not_found``, ``deal_of_other_entity``,
        ``unknown_interaction_type``, ``history_not_allowed``.
    """
    entity = require_entity(work, command)
    identity = payload.id if payload.id is not None else created_id(command)
    existing = work.interactions.get(identity)
    if existing is not None:
        check_id_available(existing, command)
        raise Reject(
            "interaction_exists",
            "an interaction with this id already exists; change it with update, or choose another id",
            pointer="/id",
            status=409,
        )
    check_version(command.expected_version, 0)
    migrated = (payload.source or "").startswith(MIGRATION_SOURCE)
    if payload.updated_at is not None and not migrated:
        raise Reject(
            "history_not_allowed",
            f"only an interaction whose source begins with {MIGRATION_SOURCE} has a given updatedAt",
            pointer="/updatedAt",
        )
    if payload.deal_id is not None:
        check_deal(work, command, payload.deal_id)
    new_type = resolve_type(work, command, payload.interaction_type)
    source_timestamp, now = command.source_timestamp, command.appended_at
    status, occurred_at = payload.status, payload.occurred_at
    if status is None:
        status = "done" if occurred_at is not None else "planned"
    if status == "done" and occurred_at is None:
        occurred_at = source_timestamp
    # The schedule of a migrated interaction that has passed was announced in the system it comes from.
    past = (
        migrated and status == "planned" and payload.scheduled_at is not None and payload.scheduled_at <= now
    )
    # Invariant: a version of an id is never assigned twice, also across a deletion.
    version = work.deleted_versions.get(identity, 0) + 1
    fields = {name: getattr(payload, name) for name in EDITABLE}
    fields["occurred_at"] = occurred_at
    row = Interaction(
        id=identity,
        tenant_id=entity.tenant_id,
        organization_id=entity.organization_id,
        entity_id=entity.id,
        interaction_type=payload.interaction_type,
        status=status,
        source=payload.source,
        version=version,
        schedule_version=version,
        status_as_of=source_timestamp,
        scheduled_as_of=source_timestamp,
        occurred_as_of=source_timestamp,
        created_at=min(payload.created_at, now) if payload.created_at is not None else now,
        updated_at=min(payload.updated_at, now) if payload.updated_at is not None else now,
        due_phase=OVERDUE_PHASE if past else 0,
        **fields,
    )
    return apply_transition(
        work,
        command,
        entity,
        before=None,
        after=row,
        event_type=CREATED,
        reason="created",
        version=version,
        new_type=new_type,
    )


def complete(work: UnitOfWork, command: Command, payload: InteractionComplete) -> Decision:
    """planned → done; ``occurredAt`` defaults to the source timestamp. Plan the next step, if one is given.

    :raises Reject: ``already_done``, ``complete_canceled``, those of ``_change_status``, and those of
        ``domain.next_step.plan``.
    """
    occurred_at = payload.occurred_at if payload.occurred_at is not None else command.source_timestamp
    wanted = {"status": "done", "occurred_at": occurred_at}
    if payload.feedback is not None:
        wanted["feedback"] = payload.feedback
    return _change_status(
        work, command, payload.id, wanted, event_type=COMPLETED, reason="completed", following=payload.next
    )


def cancel(work: UnitOfWork, command: Command, payload: InteractionCancel) -> Decision:
    """planned → canceled.

    :raises Reject: ``already_canceled``, ``cancel_done``, and those of ``_change_status``.
    """
    return _change_status(
        work, command, payload.id, {"status": "canceled"}, event_type=CANCELED, reason="canceled"
    )


def reopen(work: UnitOfWork, command: Command, payload: InteractionReopen) -> Decision:
    """done or canceled → planned; clear ``occurred_at`` and reset the timers.

    :raises Reject: ``already_planned``, and those of ``_change_status``.
    """
    wanted = {"status": "planned", "occurred_at": None}
    return _change_status(work, command, payload.id, wanted, event_type=REOPENED, reason="reopened")


def delete(work: UnitOfWork, command: Command, payload: InteractionDelete) -> Decision:
    """Delete the row; the deletion gets a version of its own, so that versions only increase.

    :raises Reject: ``interaction_not_found``, ``entity_mismatch``, ``version_conflict``.
    """
    row = require_interaction(work, command, payload.id)
    check_version(command.expected_version, row.version)
    return apply_transition(
        work,
        command,
        require_entity(work, command),
        before=row,
        after=None,
        event_type=DELETED,
        reason="deleted",
        version=row.version + 1,
    )


def _change_status(
    work: UnitOfWork,
    command: Command,
    identity: str,
    wanted: dict[str, Any],
    *,
    event_type: str,
    reason: str,
    following: NextStep | None = None,
) -> Decision:
    """Change the status, together with the fields that depend on it.

    :param wanted: new values by field: ``status`` and those that change with it.
    :param following: next step to plan.
    :raises Reject: ``interaction_not_found``, ``entity_mismatch``, ``version_conflict``, or the code of an
        illegal transition (``ILLEGAL``).
    """
    row = require_interaction(work, command, identity)
    entity = require_entity(work, command)
    check_version(command.expected_version, row.version)
    if command.source_timestamp < row.status_as_of:
        # A stale status change is dropped as a whole, including its occurredAt.
        return no_op(command, entity, row, superseded(row, "status"))
    illegal = ILLEGAL.get((row.status, wanted["status"]))
    if illegal is not None:
        raise Reject(illegal[0], illegal[1], pointer="/id", status=409)
    changes, warnings = merge(row, wanted, command.source_timestamp)
    version = row.version + 1
    changes["version"] = version
    changes["updated_at"] = command.appended_at
    if wanted["status"] == "planned":
        reset_timers(changes, version)
    after = replace(row, **changes)
    step, new_type = (
        next_step.plan(work, command, after, following) if following is not None else (None, None)
    )
    return apply_transition(
        work,
        command,
        entity,
        before=row,
        after=after,
        event_type=event_type,
        reason=reason,
        version=version,
        warnings=warnings,
        new_type=new_type,
        step=step,
    )
