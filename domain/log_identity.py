"""Key of a record in the command log."""

from __future__ import annotations

from typing import Final

from schemas.command import Command, Refused

NO_SCOPE: Final = "00000000-0000-0000-0000-000000000000"
_DEAD_PREFIX: Final = "dead:"


def logged_id(command_id: str) -> str:
    """``command_id`` of a command's log row.

    It is the command's id. An id that starts with the prefix of undecodable records is prefixed with a
    space, which no command id can start with.
    """
    return f" {command_id}" if command_id.startswith(_DEAD_PREFIX) else command_id


def given_id(logged: str) -> str:
    """Id of a command from the ``command_id`` of its log row: the inverse of ``logged_id``."""
    return logged.removeprefix(" ")


def log_identity(command: Command | Refused) -> tuple[str, str, str]:
    """``(tenant_id, organization_id, command_id)`` of the record's log row.

    An undecodable record is logged under an id derived from its topic, partition and offset. Its own id, if
    it has one, stays unused, so that replaying the repaired record is not a duplicate.
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
