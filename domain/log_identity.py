"""Under which identity a record stands in the command log."""

from __future__ import annotations

from typing import Final

from schemas.command import Command, Refused

NO_SCOPE: Final = "00000000-0000-0000-0000-000000000000"
_DEAD_PREFIX: Final = "dead:"


def logged_id(command_id: str) -> str:
    """The ``command_id`` of a command's log row: its own id.

    One that begins like the place of an undecodable record has a space before it, which no id of a
    command begins with.
    """
    return f" {command_id}" if command_id.startswith(_DEAD_PREFIX) else command_id


def log_identity(command: Command | Refused) -> tuple[str, str, str]:
    """``(tenant_id, organization_id, command_id)`` of the record's log row.

    An undecodable record stands under an id made of its place in the log: its own id, if it has one,
    stays free, so that a replay of the repaired record is not taken for a duplicate.
    """
    if isinstance(command, Command):
        return command.envelope.tenant_id, command.envelope.organization_id, logged_id(command.envelope.id)
    envelope = command.envelope
    tenant, organization = envelope.tenant_id, envelope.organization_id
    if command.undecodable or envelope.id is None or tenant is None or organization is None:
        record = command.record
        identity = f"{_DEAD_PREFIX}{record.topic}:{record.partition}:{record.offset}"
        return tenant or NO_SCOPE, organization or NO_SCOPE, identity
    return tenant, organization, logged_id(envelope.id)
