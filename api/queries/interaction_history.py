"""The history of one interaction: its applied commands from the journal, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api.queries.scope import Connection, Scope, fetch
from domain.journal import JournalEntry
from sinks.journal_rows import ENTRY, entry_of

#: Entries from before the journal have no position, and end with their month.
HISTORY_SQL: Final = f"""
SELECT {ENTRY}, j."position" AS place FROM journal j
WHERE j.tenant_id = %(tenant)s AND j.organization_id = %(organization)s
  AND j.interaction_id = %(interaction)s AND j.outcome = 'applied' AND j."position" < %(before)s
ORDER BY j."position" DESC LIMIT %(limit)s
"""  # noqa: S608 - our own column names
UNDO_FACTS_SQL: Final = """
SELECT (SELECT i.version FROM customer_interactions i
    WHERE i.id = %(step)s::uuid AND i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s)
    AS version,
  EXISTS (SELECT 1 FROM signals s WHERE s.interaction_id = ANY(%(made)s::uuid[]) AND s.tenant_id = %(tenant)s
    AND s.organization_id = %(organization)s) AS has_signals
"""
#: Positions are below it (bigint).
NEWEST: Final = 2**63 - 1


async def interaction_history(
    connection: Connection, scope: Scope, interaction_id: str, *, limit: int, before: int = NEWEST
) -> tuple[list[JournalEntry], int | None]:
    """Applied commands of an interaction, newest first. One statement.

    :param before: position of the last entry of the previous page.
    :returns: the entries, and the position of the last one if more follow.
    """
    values = {**scope.parameters(), "interaction": interaction_id, "before": before, "limit": limit + 1}
    rows = await fetch(connection, HISTORY_SQL, values)
    entries = [entry_of(list(row.values())[:-1]) for row in rows[:limit]]
    return entries, rows[limit - 1]["place"] if len(rows) > limit else None


async def undo_facts(
    connection: Connection, scope: Scope, *, step_id: str | None, made: Sequence[str]
) -> tuple[int | None, bool]:
    """The stored version of a next step, and whether one of the interactions has signals.

    :param made: interactions that the command created.
    :returns: ``None`` for a step that does not exist.
    """
    values = {**scope.parameters(), "step": step_id, "made": list(made)}
    (row,) = await fetch(connection, UNDO_FACTS_SQL, values)
    return row["version"], row["has_signals"]
