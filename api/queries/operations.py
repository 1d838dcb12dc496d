"""State of relay and watch for the operations page: a few rows each."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from api.queries.scope import Connection, Row, Scope, fetch
from sinks.backlog import first_unpublished
from sinks.journal_reader import JournalPosition

_RELAY_SQL: Final = "SELECT xid_floor, position FROM relay_positions WHERE shard = '0'"
_WATCH_SQL: Final = """
SELECT extract(epoch FROM now() - complete_began_at)::float8 AS checked_seconds,
  extract(epoch FROM now() - updated_at)::float8 AS idle_seconds, skipped_at
FROM watch_progress
"""
# At most a thousand violations per invariant are open: the watch stores no more.
_VIOLATIONS_SQL: Final = """
SELECT check_name, count(*) AS count, min(first_seen) AS first_seen,
  (array_agg(what ORDER BY first_seen, id))[1] AS what
FROM integrity_violations
WHERE healed_at IS NULL AND (%(all)s OR tenant_id = %(tenant)s AND organization_id = %(organization)s)
GROUP BY check_name ORDER BY length(check_name), check_name
"""


def relay_lag(connection: psycopg.Connection[Any]) -> tuple[float, str | None]:
    """Age in seconds of the first unpublished event, and the session whose transaction it waits for.

    The relay stores its position twice per second; (0, ``None``) if everything below it is published.
    """
    row = connection.execute(_RELAY_SQL).fetchone()
    floor, position = row if row is not None else (0, 0)
    # The stored position has no ceiling: rows of the window that is being published count as unpublished.
    found = first_unpublished(connection, JournalPosition(floor=floor, position=position))
    return (0.0, None) if found is None else (max(0.0, found.seconds), found.blocked_by)


async def watch_progress(connection: Connection) -> Row | None:
    """Ages of the last complete sweep and of the last look; ``None`` if no watch has ever run."""
    rows = await fetch(connection, _WATCH_SQL, {})
    return rows[0] if rows else None


async def violations_by_check(connection: Connection, scope: Scope, *, all_tenants: bool) -> list[Row]:
    """Open violations per invariant, with the sentence of the oldest.

    :param all_tenants: of the whole deployment, instead of the caller's organization.
    """
    return await fetch(connection, _VIOLATIONS_SQL, {**scope.parameters(), "all": all_tenants})
