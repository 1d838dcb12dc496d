"""Drafts: edit, mark as sent, delete, restore.

draft ──mark_sent──▶ sent (for good)      draft ──delete──▶ deleted ──restore──▶ draft
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from domain.decision import Decision
from domain.journal import RowChange
from domain.lookup import require_draft, require_entity
from domain.model import Draft, Entity
from domain.outcome import check_version, no_op_on_draft
from domain.row_changes import change_rows, version_after
from domain.signals import changed_fields, check_not_blank
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.signal_events import DRAFT_DELETED, DRAFT_RESTORED, DRAFT_SENT, DRAFT_UPDATED
from schemas.signal_payloads import DraftDelete, DraftMarkSent, DraftRestore, DraftUpdate


def update(work: UnitOfWork, command: Command, payload: DraftUpdate) -> Decision:
    """Change the text.

    :raises Reject: ``draft_not_found``, ``entity_mismatch``, ``version_conflict``, ``draft_sent``,
        ``draft_deleted``, ``blank_draft``.
    """
    entity, draft = _require(work, command, payload.id)
    _check_unsent(draft)
    _check_not_deleted(draft)
    changes = changed_fields(draft, payload.changes())
    if not changes:
        return no_op_on_draft(command, entity, draft)
    if "body" in changes:
        check_not_blank(changes["body"])
    return _decide(command, entity, draft, changes, event=DRAFT_UPDATED, reason="updated")


def mark_sent(work: UnitOfWork, command: Command, payload: DraftMarkSent) -> Decision:
    """Note that a person has sent the draft.

    :raises Reject: ``draft_not_found``, ``entity_mismatch``, ``version_conflict``, ``draft_deleted``.
    """
    entity, draft = _require(work, command, payload.id)
    if draft.status == "sent":
        return no_op_on_draft(command, entity, draft)
    _check_not_deleted(draft)
    sent_at = payload.sent_at if payload.sent_at is not None else command.source_timestamp
    changes = {"status": "sent", "sent_at": sent_at}
    return _decide(command, entity, draft, changes, event=DRAFT_SENT, reason="sent")


def delete(work: UnitOfWork, command: Command, payload: DraftDelete) -> Decision:
    """Delete the draft for its readers; the row stays, and its signal stays resolved.

    :raises Reject: ``draft_not_found``, ``entity_mismatch``, ``version_conflict``, ``draft_sent``.
    """
    entity, draft = _require(work, command, payload.id)
    if draft.status == "deleted":
        return no_op_on_draft(command, entity, draft)
    _check_unsent(draft)
    return _decide(command, entity, draft, {"status": "deleted"}, event=DRAFT_DELETED, reason="deleted")


def restore(work: UnitOfWork, command: Command, payload: DraftRestore) -> Decision:
    """Restore a deleted draft.

    :raises Reject: ``draft_not_found``, ``entity_mismatch``, ``version_conflict``, ``draft_sent``.
    """
    entity, draft = _require(work, command, payload.id)
    if draft.status == "draft":
        return no_op_on_draft(command, entity, draft)
    _check_unsent(draft)
    return _decide(command, entity, draft, {"status": "draft"}, event=DRAFT_RESTORED, reason="restored")


def _require(work: UnitOfWork, command: Command, identity: str) -> tuple[Entity, Draft]:
    draft = require_draft(work, command, identity)
    check_version(command.expected_version, draft.version)
    return require_entity(work, command), draft


def _check_unsent(draft: Draft) -> None:
    if draft.status == "sent":
        raise Reject("draft_sent", "the draft is sent and can no longer change", pointer="/id", status=409)


def _check_not_deleted(draft: Draft) -> None:
    if draft.status == "deleted":
        raise Reject("draft_deleted", "the draft is deleted; restore it first", pointer="/id", status=409)


def _decide(
    command: Command, entity: Entity, draft: Draft, changes: dict[str, Any], *, event: str, reason: str
) -> Decision:
    after = replace(draft, **changes, version=version_after(entity), updated_at=command.appended_at)
    return change_rows(
        command,
        entity,
        (RowChange(event=event, before=draft, after=after),),
        reason=reason,
        interaction_id=draft.interaction_id,
        signal_id=draft.signal_id,
        draft_id=draft.id,
    )
