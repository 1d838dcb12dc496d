"""Under which identity a record stands in the command log."""

from __future__ import annotations

from typing import Final

from schemas.command import Command, Refused

NO_SCOPE: Final = "00000000-0000-0000-0000-000000000000"


def log_identity(command: Command | Refused) -> tuple[str, str, str]:
    """``(tenant_id, organization_id, command_id)`` of the record's log row.

    An undecodable record stands under an id made of its place in the log: its own id, if it has one,
    stays free, so that a replay of the repaired record is not taken for a duplicate.
    """
    envelope = command.envelope
    if isinstance(command, Command):
        return envelope.tenant_id, envelope.organization_id, envelope.id  # type: ignore[return-value]
    tenant, organization, identity = envelope.tenant_id, envelope.organization_id, envelope.id
    if command.undecodable or identity is None or tenant is None or organization is None:
        record = command.record
        identity = f"dead:{record.topic}:{record.partition}:{record.offset}"
    return tenant or NO_SCOPE, organization or NO_SCOPE, identity
