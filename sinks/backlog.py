"""What the database still holds for each role to do: counts for people and for alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from runtime.postgres import Connection
from sinks.windows import Position

_UNPUBLISHED_SQL: Final = """
SELECT count(*) FROM outbox o LEFT JOIN relay_positions r ON r.shard = %s
WHERE o.xid >= coalesce(r.xid_floor, 0) AND o.position > coalesce(r.position, 0)
"""
_PUBLISHABLE_SQL: Final = """
SELECT EXISTS (
  SELECT 1 FROM outbox WHERE xid >= %s AND xid < (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
  AND NOT (xid < %s AND position <= %s))::int
"""
_DUE_SQL: Final = """
SELECT count(*) FROM customer_interactions WHERE status = 'planned'
AND ((due_phase = 0 AND scheduled_at <= %s) OR (due_phase = 1 AND scheduled_at <= %s))
"""


def unpublished(connection: Connection, shard: str) -> int:
    """Rows of the outbox that the relay has not published, as far as it has noted."""
    return _number(connection, _UNPUBLISHED_SQL, (shard,))


def publishable(connection: Connection, at: Position) -> bool:
    """Whether a row of a finished transaction lies behind a relay's position."""
    return _number(connection, _PUBLISHABLE_SQL, (at.floor, at.ceiling or at.floor, at.position)) > 0


def unmarked(connection: Connection, overdue_after_seconds: int) -> int:
    """Interactions whose moment has come or has passed, and that are not marked yet."""
    now = datetime.now(UTC)
    return _number(connection, _DUE_SQL, (now, now - timedelta(seconds=overdue_after_seconds)))


def _number(connection: Connection, statement: str, values: tuple[Any, ...]) -> int:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])
