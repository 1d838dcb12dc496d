"""Read the outbox without missing or reordering a row: windows of transaction ids, in position order.

A sequence value is drawn before its commit, so "position above the last one" skips rows that commit
late. Only rows of finished transactions are read (``xid`` below the snapshot's ``xmin``). Inside a
window ``[floor, ceiling)`` of transaction ids they are published by position. A position is drawn after
the row locks are held, so it is the order in which one entity's changes happened. Transaction ids are not:
a transaction may start early and change a row late. Both bounds are real values of ``pg_snapshot_xmin``;
a bound in between could separate such a pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runtime.postgres import Connection

_ROWS_SQL: Final = """
SELECT position, id, aggregatetype, aggregateid, type, payload::text, headers::text
FROM outbox WHERE xid >= %s AND xid < %s AND position > %s ORDER BY position
"""


@dataclass(frozen=True, slots=True)
class OutboxPosition:
    """Position of a relay in the outbox.

    :param floor: every row with a smaller transaction id is published.
    :param ceiling: end of the window that is being published; ``None`` between windows.
    :param position: inside that window, every row up to this position is published.
    """

    floor: int = 0
    ceiling: int | None = None
    position: int = 0


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One outbox row as stored; ``payload`` and ``headers`` are JSON texts."""

    position: int
    id: str
    aggregatetype: str
    aggregateid: str
    type: str
    payload: str
    headers: str


def snapshot_xmin(connection: Connection) -> int:
    """Return the smallest transaction id that may still be running."""
    row = connection.execute("SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint").fetchone()
    assert row is not None
    return int(row[0])


def read_window(connection: Connection, start: OutboxPosition, chunk: int) -> Iterator[list[OutboxRow]]:
    """Yield the unpublished rows of the window of ``start`` (``ceiling`` must be set), chunk by chunk.

    The window is sorted once and read through a server-side cursor: a long backlog costs one sort.
    """
    assert start.ceiling is not None
    with connection.transaction(), connection.cursor("outbox_window") as cursor:
        cursor.itersize = chunk
        cursor.execute(_ROWS_SQL, (start.floor, start.ceiling, start.position))
        while rows := cursor.fetchmany(chunk):
            yield [OutboxRow(*row) for row in rows]


def cluster_epoch(connection: Connection) -> str:
    """Identify the database and its timeline.

    It changes with a restore from a backup or a move into a new cluster, where transaction ids and
    positions no longer mean the same.
    """
    row = connection.execute(
        "SELECT s.system_identifier::text || '/' || c.timeline_id || '/' || d.oid"
        " FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d"
        " WHERE d.datname = current_database()"
    ).fetchone()
    assert row is not None
    return str(row[0])


def save_checkpoint(connection: Connection, shard: str, epoch: str, position: OutboxPosition) -> None:
    """Store the relay's position in the database: a hint for operators and for dropping old partitions."""
    connection.execute(
        "INSERT INTO relay_positions (shard, epoch, xid_floor, position) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, xid_floor = excluded.xid_floor,"
        " position = excluded.position, updated_at = now()",
        (shard, epoch, position.floor, position.position),
    )
