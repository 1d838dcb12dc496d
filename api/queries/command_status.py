"""The status of a command, from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.queries.scope import Connection, Scope, fetch
from domain.journal import Facts, RecordChange
from domain.log_identity import logged_id
from domain.results import outcome_of
from sinks.journal_rows import ENTRY, entry_of

_SQL: Final = f"""
SELECT {ENTRY} FROM journal j
WHERE j.tenant_id = %(tenant)s AND j.organization_id = %(organization)s AND j.command_id = ANY(%(commands)s)
"""  # noqa: S608 - our own column names


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStatus:
    """One row of the journal.

    :param outcome: ``applied``, ``rejected`` or ``no_op``.
    :param result: as it was published (``schemas.outcomes.FirstOutcome``).
    :param record: the customer, deal or interaction type that changed.
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
    record: RecordChange | None = None


async def command_status(connection: Connection, scope: Scope, command_id: str) -> CommandStatus | None:
    """The status of one command of this scope; ``None`` if the journal does not contain it.

    :param command_id: without NUL, which Postgres does not accept in a parameter.
    """
    found = await command_statuses(connection, scope, [command_id])
    return next(iter(found.values()), None)


async def command_statuses(
    connection: Connection, scope: Scope, command_ids: Sequence[str]
) -> dict[str, CommandStatus]:
    """The statuses of the commands of this scope that the journal contains, by command id.

    :param command_ids: without NUL.
    """
    commands = [logged_id(command_id) for command_id in command_ids]
    rows = await fetch(connection, _SQL, {**scope.parameters(), "commands": commands})
    entries = [entry_of(list(row.values())) for row in rows]
    return {
        entry.given_id: CommandStatus(
            command_id=entry.given_id,
            command_type=entry.command_type,
            entity_id=entry.entity_id,
            interaction_id=entry.interaction_id,
            outcome=entry.outcome,
            result=outcome_of(entry),
            actor_id=entry.actor_id,
            appended_at=entry.appended_at,
            record=entry.facts.record if isinstance(entry.facts, Facts) else None,
        )
        for entry in entries
    }
