"""A command that decodes and validates, and still fails when it is carried out."""

from __future__ import annotations

import dataclasses

import psycopg

from schemas.command import Command, PartialEnvelope, Refused
from schemas.errors import Reject


def refuse_as_poison(command: Command | Refused, error: Exception | None) -> Refused:
    """The command as a refusal that goes to the dead letters, its id left free for a replay.

    The reason names the class of the error and the SQLSTATE, never its message: that may quote
    customers' text.

    :param error: ``None`` when the reason is already in the command log.
    """
    state = f", SQLSTATE {error.sqlstate}" if isinstance(error, psycopg.Error) else ""
    envelope = command.envelope
    return Refused(
        record=command.record,
        envelope=PartialEnvelope(
            **{field.name: getattr(envelope, field.name) for field in dataclasses.fields(PartialEnvelope)}
        ),
        rejection=Reject(
            "poison",
            f"the command could not be carried out ({type(error).__name__}{state}); it is a dead letter",
            status=500,
        ),
        appended_at=command.appended_at,
        fingerprint=command.fingerprint,
        undecodable=True,
    )
