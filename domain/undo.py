"""Undo: revert one command if nothing has changed since (spec "Transaction & Undo Contract").

One rule covers every command. The journal keeps the row as it was before (``domain.undo_image``). Undo
restores it if the current row is exactly the one that the command left. An undo is a change like any other:
it has its own version, event and journal entry, so it can itself be undone.
"""

from __future__ import annotations

from typing import Any, Final, cast

from msgspec.structs import replace

from domain.decision import Decision
from domain.due import reset_timers
from domain.journal import Facts, JournalEntry, RowChange, StepChange
from domain.log_identity import logged_id
from domain.lookup import in_scope, require_entity
from domain.merge import LAST_WRITE_WINS
from domain.model import Interaction
from domain.outcome import check_version
from domain.row_undo import check_unchanged, reverted, undo_rows
from domain.transition import apply_transition
from domain.undo_image import UndoImage, command_id_of, undo_image
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.events import CREATED, DELETED, REVERTED
from schemas.interaction_fields import EDITABLE
from schemas.payloads import InteractionUndo

#: Fields that users and providers can change, and that undo therefore restores.
RESTORED_FIELDS: Final = ("interaction_type", "status", *EDITABLE, "source")


def target_command_id(command: Command) -> str | None:
    """``command_id`` in the journal of the command that an undo names; ``None`` when its token is invalid."""
    payload = cast("InteractionUndo", command.payload)
    identity = payload.command_id
    if payload.undo_token is not None:
        identity = command_id_of(payload.undo_token)
    return logged_id(identity) if identity is not None else None


def undo(work: UnitOfWork, command: Command, payload: InteractionUndo) -> Decision:
    """Undo one applied command of this entity.

    :raises Reject: ``undo_not_found``, ``undo_not_available`` (the command was not applied, or its type has
        no undo), ``undo_unsafe`` (the interaction or its next step has changed since), ``version_conflict``.
    """
    entry = _target(work, command, payload)
    facts = entry.facts
    done = facts.changes
    if done and isinstance(facts, Facts) and facts.event is None:
        return undo_rows(work, command, require_entity(work, command), entry)
    image = undo_image(entry)
    if entry.outcome != "applied" or image is None or entry.interaction_id is None:
        raise Reject(
            "undo_not_available",
            "only an applied command on an interaction can be undone",
            status=409,
        )
    entity = require_entity(work, command)
    current = work.interactions.get(entry.interaction_id)
    if current is not None and in_scope(current, command):
        check_version(command.expected_version, current.version)
    else:
        check_version(command.expected_version, 0)
    _check_safe(command, current, image)
    step = _reverted_step(work, command, entry)
    version = 1 + (
        current.version
        if current is not None
        else max(image.last_version, work.deleted_versions.get(entry.interaction_id, 0))
    )
    if image.before is None:
        assert current is not None
        _check_no_signals_since(work, command, current, done)
        return apply_transition(
            work,
            command,
            entity,
            before=current,
            after=None,
            event_type=DELETED,
            reason="undo",
            version=version,
        )
    row = _restored(command, current, image.before, version)
    return apply_transition(
        work,
        command,
        entity,
        before=current,
        after=row,
        event_type=CREATED if current is None else REVERTED,
        reason="undo",
        version=version,
        changes=reverted(work, command, entity, done),
        step=step,
    )


def _reverted_step(work: UnitOfWork, command: Command, entry: JournalEntry) -> StepChange | None:
    """Take the next step back, or restore the one that the undone undo took back.

    :raises Reject: ``undo_unsafe``.
    """
    step = entry.facts.step
    if step is None:
        return None
    row = step.row
    current = work.interactions.get(row.id)
    image = UndoImage(
        before=step.before,
        after_version=step.version if step.after is not None else None,
        last_version=step.version,
        created_at=row.created_at,
    )
    _check_safe(command, current, image, "the next step")
    if step.before is None:
        assert current is not None
        _check_no_signals_since(work, command, current, ())
        return StepChange(event=DELETED, before=current, version=current.version + 1)
    version = 1 + max(step.version, work.deleted_versions.get(row.id, 0))
    restored = _restored(command, None, step.before, version)
    return StepChange(event=CREATED, after=restored, version=version)


def _check_no_signals_since(
    work: UnitOfWork, command: Command, current: Interaction, done: tuple[RowChange, ...]
) -> None:
    """Check that an interaction to remove has no other signals than those that its command restored.

    :raises Reject: ``undo_unsafe``.
    """
    check_unchanged(work, command, done)
    left = {change.row.id for change in done}
    if any(row.id not in left for row in (*work.signals.of(current.id), *work.drafts.of(current.id))):
        raise Reject("undo_unsafe", "signals of the interaction have been recorded since", status=409)


def _target(work: UnitOfWork, command: Command, payload: InteractionUndo) -> JournalEntry:
    envelope = command.envelope
    identity = target_command_id(command)
    entry = work.journal.get((envelope.tenant_id, envelope.organization_id, identity)) if identity else None
    if entry is None or entry.entity_id != envelope.entity_id:
        pointer = "/undoToken" if payload.undo_token is not None else "/commandId"
        raise Reject("undo_not_found", "unknown command of this entity", pointer=pointer, status=404)
    return entry


def _check_safe(
    command: Command, current: Interaction | None, image: UndoImage, name: str = "the interaction"
) -> None:
    after_version = image.after_version
    if after_version is None:
        if current is None:
            return
        detail = "another interaction has since been created with this id"
    elif current is None or not in_scope(current, command):
        detail = f"{name} has since been deleted; the command left version {after_version}"
    elif current.created_at != image.created_at:
        detail = f"{name} has since been deleted, and another one was created with its id"
    elif current.version != after_version:
        detail = (
            f"{name} has since changed: it is at version {current.version}, the command left"
            f" version {after_version}"
        )
    else:
        return
    raise Reject("undo_unsafe", detail, status=409)


def _restored(
    command: Command, current: Interaction | None, before: Interaction, version: int
) -> Interaction:
    """The restored row: the old values under a new version, with the timers reset where required."""
    changes: dict[str, Any] = {"version": version, "updated_at": command.appended_at}
    if current is None:
        reset_timers(changes, version)
        return replace(before, **changes)
    for name in RESTORED_FIELDS:
        value = getattr(before, name)
        if value != getattr(current, name):
            changes[name] = value
            if name in LAST_WRITE_WINS:
                as_of = LAST_WRITE_WINS[name][0]
                changes[as_of] = max(getattr(current, as_of), command.source_timestamp)
    if "scheduled_at" in changes or changes.get("status") == "planned":
        reset_timers(changes, version)
    # From the current row, not the image: a schedule announced since stays announced.
    return replace(current, **changes)
