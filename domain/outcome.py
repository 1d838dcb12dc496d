"""Decisions that store at most a journal entry."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from domain.decision import Decision
from domain.journal import Facts, JournalEntry, make_entry, read_attributes
from domain.model import Draft, Entity, Interaction, Signal
from schemas.command import Command, Refused
from schemas.errors import Reject


class VersionConflict(Reject):
    """``expectedVersion`` differs from the current version.

    :param current_version: stored version; 0 when there is no row.
    """

    def __init__(self, expected: int, current_version: int) -> None:
        super().__init__(
            "version_conflict",
            f"expectedVersion is {expected}, but the current version is {current_version}; read it again",
            pointer="/expectedVersion",
            status=409,
        )
        self.current_version = current_version


def check_version(expected: int | None, current: int) -> None:
    """Check the optimistic lock.

    :raises VersionConflict: the publisher expected another version.
    """
    if expected is not None and expected != current:
        raise VersionConflict(expected, current)


def rejected(command: Command | Refused, rejection: Reject, *, logged: bool = True) -> Decision:
    """Reject a command that breaks a rule, or a record that could not be decoded."""
    named = _named_rows(command) if isinstance(command, Command) else _Named()
    facts = Facts(
        problem=problem(rejection),
        read=read_attributes(command) if isinstance(command, Refused) else None,
        signal_id=named.signal_id,
        draft_id=named.draft_id,
    )
    entry = make_entry(command, "rejected", facts, interaction_id=named.interaction_id)
    return Decision(command=command, entry=entry, logged=logged)


def no_op(
    command: Command, entity: Entity | None, row: Interaction | None, *warnings: dict[str, Any]
) -> Decision:
    """Acknowledge a command that changes nothing: no new version, no event."""
    facts = Facts(
        version=row.version if row is not None else None,
        next=entity.next if entity is not None else None,
        warnings=warnings,
    )
    entry = make_entry(
        command,
        "no_op",
        facts,
        interaction_id=row.id if row is not None else None,
        entity_version=entity.entity_version if entity is not None else None,
    )
    return Decision(command=command, entry=entry)


def no_op_on_signal(command: Command, entity: Entity, signal: Signal) -> Decision:
    """Acknowledge a command that does not change its signal."""
    facts = Facts(version=signal.version, next=entity.next, signal_id=signal.id, draft_id=signal.draft_id)
    return _no_op_on_row(command, entity, signal.interaction_id, facts)


def no_op_on_draft(command: Command, entity: Entity, draft: Draft) -> Decision:
    """Acknowledge a command that does not change its draft."""
    facts = Facts(version=draft.version, next=entity.next, signal_id=draft.signal_id, draft_id=draft.id)
    return _no_op_on_row(command, entity, draft.interaction_id, facts)


def _no_op_on_row(command: Command, entity: Entity, interaction_id: str, facts: Facts) -> Decision:
    version = entity.entity_version
    entry = make_entry(command, "no_op", facts, interaction_id=interaction_id, entity_version=version)
    return Decision(command=command, entry=entry)


def repeated(command: Command | Refused, first: JournalEntry) -> Decision:
    """Answer a command id that is already in the journal: a redelivery, a duplicate, or a conflict."""
    record = command.record
    if (first.partition, first.offset) == (record.partition, record.offset):
        # Redelivery of the record that was applied: only its result is published, possibly again.
        return Decision(command=command, entry=first, logged=False)
    if first.fingerprint != command.fingerprint:
        conflict = Reject(
            "idempotency_conflict",
            "this command id was already used with different content; use a unique id for each command",
            status=409,
            errors=(),
        )
        return rejected(command, conflict, logged=False)
    entry = make_entry(
        command,
        "duplicate",
        Facts(
            version=first.facts.version,
            signal_id=first.facts.signal_id,
            draft_id=first.facts.draft_id,
            step=first.facts.step,
        ),
        interaction_id=first.interaction_id,
        entity_version=first.entity_version,
    )
    return Decision(command=command, entry=entry, first=first, logged=False)


def problem(rejection: Reject) -> dict[str, Any]:
    """Convert a rejection to ``schemas.outcomes.Problem`` with all members present."""
    members: dict[str, Any] = rejection.problem()
    members["detail"] = _storable(rejection.detail)
    members["errors"] = [
        {
            "code": error.code,
            "detail": _storable(error.detail),
            "pointer": error.pointer and _storable(error.pointer),
            "attribute": error.attribute and _storable(error.attribute),
        }
        for error in rejection.errors
    ]
    members["currentVersion"] = rejection.current_version if isinstance(rejection, VersionConflict) else None
    return members


def _storable(text: str) -> str:
    """Replace NUL characters, which the name of a field in refused data may contain.

    Hazard: Postgres stores the escape of NUL in a JSON column, but fails whenever it reads a member of it.
    """
    return text.replace("\x00", "\ufffd")


def warning(code: str, detail: str, field: str | None = None) -> dict[str, Any]:
    """Build one warning of a result (``schemas.outcomes.OutcomeWarning``)."""
    return {"code": code, "field": field, "detail": detail}


class _Named(Struct):
    interaction_id: str | None = None
    signal_id: str | None = None
    draft_id: str | None = None


def _named_rows(command: Command) -> _Named:
    """Ids of the interaction, signal or draft that a command names."""
    identity, kind = getattr(command.payload, "id", None), command.envelope.type.split(".")[1]
    if kind == "interaction":
        return _Named(interaction_id=identity)
    if kind == "signal":
        return _Named(getattr(command.payload, "interaction_id", None), identity)
    return _Named(draft_id=identity) if kind == "draft" else _Named()
