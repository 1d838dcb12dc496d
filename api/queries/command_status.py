"""The status of a command, from the command log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.queries.scope import Connection, Scope, fetch
from domain.log_identity import logged_id

_SQL: Final = """
SELECT command_id, command_type, entity_id::text AS entity_id, interaction_id::text AS interaction_id,
       outcome, result, actor_id, appended_at
FROM command_log
WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s AND command_id = %(command)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStatus:
    """One row of the command log.

    :param outcome: ``applied``, ``rejected`` or ``no_op``.
    :param result: as it was published (``schemas.outcomes.FirstOutcome``).
    :param appended_at: when the broker appended the command.
    """

    command_id: str
    command_type: str
    entity_id: str | None
    interaction_id: str | None
    outcome: str
    result: dict[str, Any]
    actor_id: str | None
    appended_at: datetime


async def command_status(connection: Connection, scope: Scope, command_id: str) -> CommandStatus | None:
    """The status of one command of this scope; ``None`` if the log does not contain it.

    :param command_id: without NUL, which Postgres does not accept in a parameter.
    """
    rows = await fetch(connection, _SQL, {**scope.parameters(), "command": logged_id(command_id)})
    return CommandStatus(**{**rows[0], "command_id": command_id}) if rows else None
