"""Records on which the pipeline itself failed: rejected, and set aside as dead letters."""

from __future__ import annotations

import dataclasses
from typing import Final

from runtime.isolated import note_isolated
from runtime.postgres import sqlstate_of
from schemas.command import Command, PartialEnvelope, Refused
from schemas.errors import Reject
from schemas.incoming_record import IncomingRecord


def reference(record: IncomingRecord) -> str:
    """Name of an isolated record in its result, its dead letter and the log: ``partition:offset``."""
    return f"{record.partition}:{record.offset}"


def isolation(record: IncomingRecord, error: BaseException | None) -> Reject:
    """Make the rejection of a record on which the pipeline failed.

    It names the class of the error and the SQLSTATE, never its message, which may quote customer text.

    :param error: ``None`` when the cause is known elsewhere.
    """
    sqlstate = sqlstate_of(error)
    state = f", SQLSTATE {sqlstate}" if sqlstate else ""
    cause = f" ({type(error).__name__}{state})" if error is not None else ""
    return Reject(
        "internal_error",
        f"the pipeline failed on this record{cause} and set it aside as a dead letter; nothing was changed."
        f" Report it with the reference {reference(record)}",
        status=500,
    )


def log_isolated(record: IncomingRecord, stage: str, error: BaseException | None) -> None:
    """Log an isolated record: its place, and the class of the error."""
    note_isolated(
        "applier.isolated",
        stage=stage,
        partition=record.partition,
        offset=record.offset,
        error=type(error).__name__ if error is not None else None,
        sqlstate=sqlstate_of(error),
        reference=reference(record),
    )


def refuse_as_poison(
    command: Command | Refused, error: BaseException | None, *, bare: bool = False
) -> Refused:
    """Turn a command into a refusal that goes to the dead letters; its id stays free for a replay.

    :param error: ``None`` when the reason is already in the command log.
    :param bare: without the attributes: one of them may be what cannot be stored.
    """
    envelope = command.envelope
    kept = {} if bare else {field.name: getattr(envelope, field.name) for field in _ATTRIBUTES}
    return Refused(
        record=command.record,
        envelope=PartialEnvelope(**kept),
        rejection=isolation(command.record, error),
        appended_at=command.appended_at,
        fingerprint=command.fingerprint,
        undecodable=True,
    )


_ATTRIBUTES: Final = dataclasses.fields(PartialEnvelope)
