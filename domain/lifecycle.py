"""The life of an interaction: created, completed, canceled, reopened, deleted.

    planned ──complete──▶ done          planned ──cancel──▶ canceled
    done, canceled ──reopen──▶ planned  any ──delete──▶ gone

A change of status that is older than the known one (last-write-wins) is no error: nothing happens, with
a warning. Any other illegal change is rejected by its name.
"""

from __future__ import annotations

from typing import Any, Final

from domain.decision import Decision
from domain.dictionary import resolve_type
from domain.due import reset_timers
from domain.lookup import check_deal, check_id_available, require_entity, require_interaction
from domain.merge import merge, superseded
from domain.model import Interaction
from domain.outcome import check_version, no_op
from domain.transition import apply_transition
from domain.undo_image import evolve
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.events import CANCELED, COMPLETED, CREATED, DELETED, REOPENED
from schemas.identity import derive_id
from schemas.payloads import (
    InteractionCancel,
    InteractionComplete,
    InteractionCreate,
    InteractionDelete,
    InteractionReopen,
)

#: (current status, wanted status) → name and sentence of the rejection.
ILLEGAL: Final = {
    ("done", "done"): ("already_done", "the interaction is done already"),
    ("canceled", "done"): (
        "complete_canceled",
        "a canceled interaction cannot be completed; reopen it first",
    ),
    ("canceled", "canceled"): ("already_canceled", "the interaction is canceled already"),
    ("done", "canceled"): ("cancel_done", "a done interaction cannot be canceled; reopen it first"),
    ("planned", "planned"): ("already_planned", "the interaction is planned; there is nothing to reopen"),
}


def created_id(command: Command) -> str:
    """The id of the interaction that a create without an id makes: the same at every retry."""
    envelope = command.envelope
    return derive_id("interaction", envelope.tenant_id, envelope.organization_id, envelope.id)


def create(work: UnitOfWork, command: Command, payload: InteractionCreate) -> Decision:
    """Plan an interaction, or log one that happened.

    The version is 1, or one more than the last when the given id is a deleted interaction's. Status: as
    given, else ``done`` when ``occurredAt`` is given, else ``planned``; what is done occurred
    at the source timestamp unless told.

    :raises Reject: ``entity_not_found``, ``interaction_exists``, ``id_not_available``,
        ``version_conflict`` (only 0 can be expected), ``deal_not_found``, ``deal_of_other_entity``,
        ``unknown_interaction_type``.
    """
    entity = require_entity(work, command)
    identity = payload.id if payload.id is not None else created_id(command)
    existing = work.interactions.get(identity)
    if existing is not None:
        check_id_available(existing, command)
        raise Reject(
            "interaction_exists",
            "an interaction with this id exists; change it with update, or choose another id",
            pointer="/id",
            status=409,
        )
    check_version(command.expected_version, 0)
    if payload.deal_id is not None:
        check_deal(work, command, payload.deal_id)
    new_type = resolve_type(work, command, payload.interaction_type)
    made, now = command.source_timestamp, command.appended_at
    status, occurred_at = payload.status, payload.occurred_at
    if status is None:
        status = "done" if occurred_at is not None else "planned"
    if status == "done" and occurred_at is None:
        occurred_at = made
    # An id that was in use before goes on where its deletion left off: a version is never given twice.
    version = work.deleted_versions.get(identity, 0) + 1
    row = Interaction(
        id=identity,
        tenant_id=entity.tenant_id,
        organization_id=entity.organization_id,
        entity_id=entity.id,
        interaction_type=payload.interaction_type,
        status=status,
        deal_id=payload.deal_id,
        title=payload.title,
        body=payload.body,
        scheduled_at=payload.scheduled_at,
        occurred_at=occurred_at,
        priority=payload.priority,
        author_user_id=payload.author_user_id,
        owner_user_id=payload.owner_user_id,
        appearance_icon=payload.appearance_icon,
        appearance_color=payload.appearance_color,
        source=payload.source,
        version=version,
        schedule_version=version,
        status_as_of=made,
        scheduled_as_of=made,
        occurred_as_of=made,
        created_at=min(payload.created_at, now) if payload.created_at is not None else now,
        updated_at=now,
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
    """planned → done; it occurred when told, else at the source timestamp.

    :raises Reject: ``already_done``, ``complete_canceled``, and those of ``_change_status``.
    """
    occurred_at = payload.occurred_at if payload.occurred_at is not None else command.source_timestamp
    wanted = {"status": "done", "occurred_at": occurred_at}
    return _change_status(work, command, payload.id, wanted, event_type=COMPLETED, reason="completed")


def cancel(work: UnitOfWork, command: Command, payload: InteractionCancel) -> Decision:
    """planned → canceled.

    :raises Reject: ``already_canceled``, ``cancel_done``, and those of ``_change_status``.
    """
    return _change_status(
        work, command, payload.id, {"status": "canceled"}, event_type=CANCELED, reason="canceled"
    )


def reopen(work: UnitOfWork, command: Command, payload: InteractionReopen) -> Decision:
    """done or canceled → planned; it has not occurred any more, and its schedule is armed anew.

    :raises Reject: ``already_planned``, and those of ``_change_status``.
    """
    wanted = {"status": "planned", "occurred_at": None}
    return _change_status(work, command, payload.id, wanted, event_type=REOPENED, reason="reopened")


def delete(work: UnitOfWork, command: Command, payload: InteractionDelete) -> Decision:
    """Remove the row for good; the deletion has a version of its own, so that versions only grow.

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
) -> Decision:
    """Change the status, and what goes with it.

    :raises Reject: ``interaction_not_found``, ``entity_mismatch``, ``version_conflict``, or an illegal
        change by its name (``ILLEGAL``).
    """
    row = require_interaction(work, command, identity)
    entity = require_entity(work, command)
    check_version(command.expected_version, row.version)
    if command.source_timestamp < row.status_as_of:
        # A stale change of status falls as a whole: its occurredAt belongs to it.
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
    return apply_transition(
        work,
        command,
        entity,
        before=row,
        after=evolve(row, changes),
        event_type=event_type,
        reason=reason,
        version=version,
        warnings=warnings,
    )
