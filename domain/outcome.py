"""Builders of results, and of the decisions that store at most a log row."""

from __future__ import annotations

from typing import Any, cast

from domain.decision import Decision
from domain.event_payloads import next_snapshot
from domain.log_identity import log_identity
from domain.model import Entity, Interaction, LogEntry, Outcome
from schemas.command import Command, Refused
from schemas.errors import Reject
from schemas.instants import format_instant


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


def result(
    command: Command | Refused,
    outcome: Outcome,
    *,
    interaction_id: str | None = None,
    version: int | None = None,
    entity: Entity | None = None,
    next_json: dict[str, Any] | None = None,
    undo_token: str | None = None,
    invalidates: tuple[str, ...] = (),
    warnings: tuple[dict[str, Any], ...] = (),
    problem: dict[str, Any] | None = None,
    first: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the value of a result (``schemas.outcomes.Result``) without topic, partition and offset.

    :param entity: the entity after the command; the result carries its version and next interaction.
    :param next_json: snapshot of the entity's next interaction, if the caller has built it already.
    """
    envelope = command.envelope
    if next_json is None and entity is not None:
        next_json = next_snapshot(entity.next)
    return {
        "commandId": envelope.id if envelope.id is not None else log_identity(command)[2],
        "commandType": envelope.type,
        "outcome": outcome,
        "tenantId": envelope.tenant_id,
        "organizationId": envelope.organization_id,
        "entityId": envelope.entity_id,
        "interactionId": interaction_id,
        "version": version,
        "entityVersion": entity.entity_version if entity is not None else None,
        "nextInteraction": next_json,
        "undoToken": undo_token,
        "invalidates": list(invalidates),
        "warnings": list(warnings),
        "validateOnly": isinstance(command, Command) and command.validate_only,
        "problem": problem,
        "first": first,
        "recordedAt": format_instant(command.appended_at),
    }


def rejected(command: Command | Refused, rejection: Reject, *, logged: bool = True) -> Decision:
    """Reject a command that breaks a rule, or a record that could not be decoded."""
    interaction_id = getattr(command.payload, "id", None) if isinstance(command, Command) else None
    if command.envelope.type in _NOT_ON_INTERACTIONS:
        interaction_id = None
    return Decision(
        command=command,
        outcome="rejected",
        result=result(command, "rejected", interaction_id=interaction_id, problem=problem(rejection)),
        interaction_id=interaction_id,
        logged=logged,
    )


def no_op(
    command: Command, entity: Entity | None, row: Interaction | None, *warnings: dict[str, Any]
) -> Decision:
    """Acknowledge a command that changes nothing: no new version, no event."""
    identity = row.id if row is not None else None
    return Decision(
        command=command,
        outcome="no_op",
        result=result(
            command,
            "no_op",
            interaction_id=identity,
            version=row.version if row is not None else None,
            entity=entity,
            warnings=warnings,
        ),
        interaction_id=identity,
        entity_version=entity.entity_version if entity is not None else None,
    )


def repeated(command: Command | Refused, entry: LogEntry) -> Decision:
    """Answer a command id that is already in the log: a redelivery, a duplicate, or a conflict."""
    record = command.record
    if (entry.partition, entry.offset) == (record.partition, record.offset):
        # Redelivery of the record that was applied: only its result is published, possibly again.
        return Decision(
            command=command,
            outcome=cast("Outcome", entry.outcome),
            result=entry.result,
            interaction_id=entry.interaction_id,
            entity_version=entry.result["entityVersion"],
            logged=False,
        )
    if entry.fingerprint != command.fingerprint:
        conflict = Reject(
            "idempotency_conflict",
            "this command id was already used with different content; use a unique id for each command",
            status=409,
            errors=(),
        )
        return rejected(command, conflict, logged=False)
    first = {name: value for name, value in entry.result.items() if name != "first"}
    answer = result(
        command, "duplicate", interaction_id=first["interactionId"], version=first["version"], first=first
    )
    answer["entityVersion"] = first["entityVersion"]
    return Decision(
        command=command,
        outcome="duplicate",
        result=answer,
        interaction_id=entry.interaction_id,
        entity_version=first["entityVersion"],
        logged=False,
    )


def problem(rejection: Reject) -> dict[str, Any]:
    """Convert a rejection to ``schemas.outcomes.Problem`` with all members present."""
    members: dict[str, Any] = rejection.problem()
    members["errors"] = [
        {"code": error.code, "detail": error.detail, "pointer": error.pointer, "attribute": error.attribute}
        for error in rejection.errors
    ]
    members["currentVersion"] = rejection.current_version if isinstance(rejection, VersionConflict) else None
    return members


def warning(code: str, detail: str, field: str | None = None) -> dict[str, Any]:
    """Build one warning of a result (``schemas.outcomes.OutcomeWarning``)."""
    return {"code": code, "field": field, "detail": detail}


_NOT_ON_INTERACTIONS = frozenset({"customers.entity.upsert", "customers.deal.upsert"})
