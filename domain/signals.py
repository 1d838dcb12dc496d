"""Signals: record, update, resolve, attach a draft, fail, skip, reopen.

    open ──resolve──▶ resolving ──attach_draft──▶ resolved    resolving ──fail_draft──▶ open
    open ──skip──▶ skipped                                    resolved, skipped ──reopen──▶ open

A signal becomes resolved together with its draft: there is no resolved signal without a draft.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from domain.decision import Decision
from domain.journal import RowChange
from domain.lookup import check_id_available, require_entity, require_interaction, require_signal
from domain.model import Draft, Entity, Signal
from domain.outcome import check_version, no_op_on_signal
from domain.row_changes import change_rows, outcome_of_signal, version_after
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.identity import derive_id
from schemas.signal_events import (
    DRAFT_CREATED,
    SIGNAL_FAILED,
    SIGNAL_RECORDED,
    SIGNAL_REOPENED,
    SIGNAL_RESOLVED,
    SIGNAL_RESOLVING,
    SIGNAL_SKIPPED,
    SIGNAL_UPDATED,
)
from schemas.signal_payloads import (
    MAX_SIGNALS,
    SignalAttachDraft,
    SignalFailDraft,
    SignalRecord,
    SignalReopen,
    SignalResolve,
    SignalSkip,
    SignalUpdate,
)

#: Fields of the last resolution that a new one, or a reopening, resets.
_UNRESOLVED: Final[dict[str, Any]] = {
    "draft_id": None,
    "resolved_at": None,
    "failure": None,
    "failure_detail": None,
}


def recorded_id(command: Command) -> str:
    """Id of a signal recorded without one: derived from the command id, so the same on every retry."""
    envelope = command.envelope
    return derive_id("signal", envelope.tenant_id, envelope.organization_id, envelope.id)


def record(work: UnitOfWork, command: Command, payload: SignalRecord) -> Decision:
    """Record an open signal of an interaction.

    :raises Reject: ``entity_not_found``, ``interaction_not_found``, ``entity_mismatch``, ``signal_exists``,
        ``id_not_available``, ``too_many_signals``, ``version_conflict`` (only 0 can be expected).
    """
    entity = require_entity(work, command)
    interaction = require_interaction(work, command, payload.interaction_id, "/interactionId")
    identity = payload.id if payload.id is not None else recorded_id(command)
    existing = work.signals.get(identity)
    if existing is not None:
        check_id_available(existing, command)
        raise Reject(
            "signal_exists",
            "a signal with this id already exists; change it with update, or choose another id",
            pointer="/id",
            status=409,
        )
    check_version(command.expected_version, 0)
    if len(work.signals.of(interaction.id)) >= MAX_SIGNALS:
        raise Reject(
            "too_many_signals",
            f"an interaction has at most {MAX_SIGNALS} signals",
            pointer="/interactionId",
            status=409,
        )
    signal = Signal(
        id=identity,
        tenant_id=entity.tenant_id,
        organization_id=entity.organization_id,
        interaction_id=interaction.id,
        entity_id=entity.id,
        kind=payload.kind,
        title=payload.title,
        body=payload.body,
        person_id=payload.person_id,
        confidence=payload.confidence,
        status="open",
        detected_at=payload.detected_at if payload.detected_at is not None else command.source_timestamp,
        created_at=command.appended_at,
        updated_at=command.appended_at,
        version=version_after(entity),
    )
    return _decide(command, entity, None, signal, event=SIGNAL_RECORDED, reason="recorded")


def update(work: UnitOfWork, command: Command, payload: SignalUpdate) -> Decision:
    """Change the fields of a signal.

    :raises Reject: ``signal_not_found``, ``entity_mismatch``, ``version_conflict``.
    """
    entity, signal = _require(work, command, payload.id)
    changes = changed_fields(signal, payload.changes())
    if not changes:
        return no_op_on_signal(command, entity, signal)
    after = _changed(command, entity, signal, changes)
    return _decide(command, entity, signal, after, event=SIGNAL_UPDATED, reason="updated")


def changed_fields(row: Signal | Draft, wanted: dict[str, Any]) -> dict[str, Any]:
    """Keep the requested values that differ from the stored ones."""
    return {name: value for name, value in wanted.items() if getattr(row, name) != value}


def resolve(work: UnitOfWork, command: Command, payload: SignalResolve) -> Decision:
    """Begin to resolve: the drafts role writes a draft.

    :raises Reject: ``signal_not_found``, ``entity_mismatch``, ``version_conflict``, ``signal_skipped``,
        ``person_required``.
    """
    entity, signal = _require(work, command, payload.id)
    if signal.status in ("resolving", "resolved"):
        return no_op_on_signal(command, entity, signal)
    if signal.status == "skipped":
        raise Reject("signal_skipped", "the signal is skipped; reopen it first", pointer="/id", status=409)
    if recipient(signal, entity) is None:
        raise _person_required()
    wanted = {
        **_UNRESOLVED,
        "status": "resolving",
        "channel": payload.channel,
        "instruction": payload.instruction,
        "language": payload.language,
        "resolved_by": command.envelope.actor_id,
        "resolution": version_after(entity),
        "requested_at": command.appended_at,
    }
    after = _changed(command, entity, signal, wanted)
    return _decide(command, entity, signal, after, event=SIGNAL_RESOLVING, reason="resolving")


def recipient(signal: Signal, entity: Entity) -> str | None:
    """Id of the person to contact; ``None`` when the signal names none and the customer is a company."""
    if signal.person_id is not None:
        return signal.person_id
    return entity.id if entity.kind == "person" else None


def _person_required() -> Reject:
    return Reject(
        "person_required",
        "the signal has no person to contact; set its personId with signal.update first",
        pointer="/personId",
        status=409,
    )


def drafted_id(signal: Signal, resolution: int) -> str:
    """Id of the draft of one resolution, so the same for every attempt to write it."""
    return derive_id("draft", signal.tenant_id, signal.organization_id, signal.id, str(resolution))


def attach_draft(work: UnitOfWork, command: Command, payload: SignalAttachDraft) -> Decision:
    """Store the draft and mark the signal as resolved, together.

    Scope, customer, person, user, channel and language come from the stored rows, never from the writer.

    :raises Reject: ``signal_not_found``, ``entity_mismatch``, ``not_resolving``, ``blank_draft``,
        ``person_required`` (the person was removed meanwhile).
    """
    entity, signal = _require(work, command, payload.id)
    identity = drafted_id(signal, payload.resolution)
    if signal.draft_id == identity:
        return no_op_on_signal(command, entity, signal)
    _check_resolving(signal, payload.resolution)
    check_not_blank(payload.body)
    person_id = recipient(signal, entity)
    if person_id is None:
        raise _person_required()
    assert signal.channel is not None
    assert signal.language is not None
    draft = Draft(
        id=identity,
        tenant_id=signal.tenant_id,
        organization_id=signal.organization_id,
        signal_id=signal.id,
        interaction_id=signal.interaction_id,
        entity_id=signal.entity_id,
        person_id=person_id,
        user_id=signal.resolved_by,
        channel=signal.channel,
        subject=payload.subject,
        body=payload.body,
        language=signal.language,
        status="draft",
        writer=payload.writer,
        template_id=payload.template_id,
        model=payload.model,
        prompt_hash=payload.prompt_hash,
        created_at=command.appended_at,
        updated_at=command.appended_at,
        version=version_after(entity),
    )
    wanted = {"status": "resolved", "draft_id": draft.id, "resolved_at": command.appended_at}
    after = _changed(command, entity, signal, wanted)
    return _decide(
        command,
        entity,
        signal,
        after,
        event=SIGNAL_RESOLVED,
        reason="resolved",
        others=(
            RowChange(event=DRAFT_CREATED, after=draft),
            outcome_of_signal(command, signal, "resolved", draft=draft),
        ),
    )


def fail_draft(work: UnitOfWork, command: Command, payload: SignalFailDraft) -> Decision:
    """Open the signal again, with the reason why no draft was written.

    :raises Reject: ``signal_not_found``, ``entity_mismatch``, ``not_resolving``.
    """
    entity, signal = _require(work, command, payload.id)
    _check_resolving(signal, payload.resolution)
    wanted = {"status": "open", "failure": payload.code, "failure_detail": payload.detail}
    after = _changed(command, entity, signal, wanted)
    outcome = outcome_of_signal(command, signal, "failed", detail=payload.code)
    return _decide(command, entity, signal, after, event=SIGNAL_FAILED, reason="failed", others=(outcome,))


def skip(work: UnitOfWork, command: Command, payload: SignalSkip) -> Decision:
    """Decide that nothing is to be done.

    :raises Reject: ``signal_not_found``, ``entity_mismatch``, ``version_conflict``, ``signal_resolving``,
        ``signal_resolved``.
    """
    entity, signal = _require(work, command, payload.id)
    if signal.status == "skipped":
        return no_op_on_signal(command, entity, signal)
    if signal.status == "resolved":
        raise Reject("signal_resolved", "the signal is resolved; reopen it first", pointer="/id", status=409)
    _check_not_resolving(signal)
    after = _changed(command, entity, signal, {**_UNRESOLVED, "status": "skipped"})
    outcome = outcome_of_signal(command, signal, "skipped", detail=payload.reason)
    return _decide(command, entity, signal, after, event=SIGNAL_SKIPPED, reason="skipped", others=(outcome,))


def reopen(work: UnitOfWork, command: Command, payload: SignalReopen) -> Decision:
    """Open a resolved or skipped signal; its draft stays.

    :raises Reject: ``signal_not_found``, ``entity_mismatch``, ``version_conflict``, ``signal_resolving``.
    """
    entity, signal = _require(work, command, payload.id)
    if signal.status == "open":
        return no_op_on_signal(command, entity, signal)
    _check_not_resolving(signal)
    after = _changed(command, entity, signal, {**_UNRESOLVED, "status": "open"})
    outcome = outcome_of_signal(command, signal, "reopened")
    return _decide(
        command, entity, signal, after, event=SIGNAL_REOPENED, reason="reopened", others=(outcome,)
    )


def check_not_blank(body: str) -> None:
    """Check the text of a draft.

    :raises Reject: ``blank_draft``.
    """
    if not body.strip():
        raise Reject("blank_draft", "the body of a draft must not be blank", pointer="/body")


def _require(work: UnitOfWork, command: Command, identity: str) -> tuple[Entity, Signal]:
    signal = require_signal(work, command, identity)
    check_version(command.expected_version, signal.version)
    return require_entity(work, command), signal


def _check_resolving(signal: Signal, resolution: int) -> None:
    if signal.status != "resolving" or signal.resolution != resolution:
        raise Reject(
            "not_resolving",
            f"resolution {resolution} is over: the signal is {signal.status}",
            pointer="/resolution",
            status=409,
        )


def _check_not_resolving(signal: Signal) -> None:
    if signal.status == "resolving":
        raise Reject(
            "signal_resolving",
            "a draft is being written; wait for it, or for the failure",
            pointer="/id",
            status=409,
        )


def _changed(command: Command, entity: Entity, signal: Signal, changes: dict[str, Any]) -> Signal:
    return replace(signal, **changes, version=version_after(entity), updated_at=command.appended_at)


def _decide(
    command: Command,
    entity: Entity,
    before: Signal | None,
    after: Signal,
    *,
    event: str,
    reason: str,
    others: tuple[RowChange, ...] = (),
) -> Decision:
    return change_rows(
        command,
        entity,
        (RowChange(event=event, before=before, after=after), *others),
        reason=reason,
        interaction_id=after.interaction_id,
        signal_id=after.id,
        draft_id=after.draft_id,
    )
