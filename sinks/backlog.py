"""Backlog per role as the database shows it, for operators and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from runtime.postgres import Connection
from sinks.journal_reader import JournalPosition

_UNPUBLISHED_SQL: Final = """
SELECT coalesce(sum(j.events), 0) FROM journal j LEFT JOIN relay_positions r ON r.shard = %s
WHERE j.events > 0 AND j.xid >= coalesce(r.xid_floor, 0) AND j.position > coalesce(r.position, 0)
"""
_FIRST_UNPUBLISHED_SQL: Final = """
SELECT position, xid, extract(epoch FROM now() - logged_at)::float8,
    xid >= (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
FROM journal WHERE events > 0 AND xid >= %s AND NOT (xid < %s AND position <= %s)
ORDER BY xid, position LIMIT 1
"""
_OLDEST_TRANSACTION_SQL: Final = """
SELECT application_name, pid, extract(epoch FROM now() - xact_start)::int FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY age(backend_xid) DESC LIMIT 1
"""
_UNWATCHED_SQL: Final = """
SELECT (SELECT count(*) FROM journal j WHERE j.events > 0 AND j.xid >= w.xid_floor) FROM watch_progress w
"""
_DUE_SQL: Final = """
SELECT count(*) FROM customer_interactions WHERE status = 'planned'
AND ((due_phase = 0 AND scheduled_at <= %s) OR (due_phase = 1 AND scheduled_at <= %s))
"""


def unpublished(connection: Connection, shard: str) -> int:
    """Count the events above the relay's last stored position."""
    return _number(connection, _UNPUBLISHED_SQL, (shard,))


def unwatched(connection: Connection) -> int | None:
    """Count the journal entries that the watch has not compared with their rows; ``None`` without a watch."""
    row = connection.execute(_UNWATCHED_SQL).fetchone()
    return int(row[0]) if row is not None else None


@dataclass(frozen=True, slots=True)
class UnpublishedRow:
    """First journal row that a relay has not published.

    :param seconds: age of the row.
    :param blocked_by: session whose open transaction must end first, in words; ``None`` when there is none.
    """

    position: int
    seconds: float
    blocked_by: str | None


def first_unpublished(connection: Connection, relay: JournalPosition) -> UnpublishedRow | None:
    """Find the first row that a relay at this position has not published."""
    row = connection.execute(
        _FIRST_UNPUBLISHED_SQL, (relay.floor, relay.ceiling or relay.floor, relay.position)
    ).fetchone()
    if row is None:
        return None
    position, _, age, blocked = row
    return UnpublishedRow(position, float(age), _oldest_transaction(connection) if blocked else None)


def _oldest_transaction(connection: Connection) -> str:
    row = connection.execute(_OLDEST_TRANSACTION_SQL).fetchone()
    if row is None:
        return "a prepared transaction that was neither committed nor rolled back (pg_prepared_xacts)"
    name, pid, seconds = row
    return f"of {name or 'a session without a name'} (process {pid}), open for {seconds or 0} s"


def unmarked(connection: Connection, overdue_after_seconds: int) -> int:
    """Count the interactions that are due or overdue and not marked so yet."""
    now = datetime.now(UTC)
    return _number(connection, _DUE_SQL, (now, now - timedelta(seconds=overdue_after_seconds)))


def _number(connection: Connection, statement: str, values: tuple[Any, ...]) -> int:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])
