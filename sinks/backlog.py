"""What the database still holds for each role to do: counts for people and for alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from runtime.postgres import Connection

_UNPUBLISHED_SQL: Final = """
SELECT count(*) FROM outbox o LEFT JOIN relay_positions r ON r.shard = %s
WHERE o.xid >= coalesce(r.xid_floor, 0) AND o.position > coalesce(r.position, 0)
"""
_DUE_SQL: Final = """
SELECT count(*) FROM customer_interactions WHERE status = 'planned'
AND ((due_phase = 0 AND scheduled_at <= %s) OR (due_phase = 1 AND scheduled_at <= %s))
"""


def unpublished(connection: Connection, shard: str) -> int:
    """Rows of the outbox that the relay has not published, as far as it has noted."""
    return _number(connection, _UNPUBLISHED_SQL, (shard,))


def unmarked(connection: Connection, overdue_after_seconds: int) -> int:
    """Interactions whose moment has come or has passed, and that are not marked yet."""
    now = datetime.now(UTC)
    return _number(connection, _DUE_SQL, (now, now - timedelta(seconds=overdue_after_seconds)))


def _number(connection: Connection, statement: str, values: tuple[Any, ...]) -> int:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])
