"""Reading the outbox without ever missing or inverting a row: windows of transaction ids, in position order.

A sequence value is drawn before its commit, so "position above the last one" skips rows that commit
late. Only rows of finished transactions are read (``xid`` below the oldest running one), and inside a
window ``[floor, ceiling)`` of transaction ids they go out by position: a position is drawn after the
row locks are held, so it is the order in which one entity's changes happened (transaction ids are not:
a transaction may start early and change a row late). Both bounds are real values of
``pg_snapshot_xmin``; a bound in between could cut such a pair apart.
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
    """How far the outbox is published.

    :param floor: every row with a smaller transaction id is published.
    :param ceiling: the end of the window that is being published, ``None`` between windows.
    :param position: inside that window, everything up to here is published.
    """

    floor: int = 0
    ceiling: int | None = None
    position: int = 0


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row of the outbox, as stored: ``payload`` and ``headers`` are JSON texts."""

    position: int
    id: str
    aggregatetype: str
    aggregateid: str
    type: str
    payload: str
    headers: str


def snapshot_xmin(connection: Connection) -> int:
    """The smallest transaction id that may still be running."""
    row = connection.execute("SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint").fetchone()
    assert row is not None
    return int(row[0])


def read_window(connection: Connection, at: OutboxPosition, chunk: int) -> Iterator[list[OutboxRow]]:
    """The unpublished rows of the window of ``at`` (``ceiling`` must be set), chunk by chunk.

    The window is sorted once and read through a server-side cursor: a long backlog costs one sort.
    """
    assert at.ceiling is not None
    with connection.transaction(), connection.cursor("outbox_window") as cursor:
        cursor.itersize = chunk
        cursor.execute(_ROWS_SQL, (at.floor, at.ceiling, at.position))
        while rows := cursor.fetchmany(chunk):
            yield [OutboxRow(*row) for row in rows]


def cluster_epoch(connection: Connection) -> str:
    """Which history of which database this is: another after a restore from a backup or into a new
    cluster, where transaction ids and positions mean something else."""
    row = connection.execute(
        "SELECT s.system_identifier::text || '/' || c.timeline_id || '/' || d.oid"
        " FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d"
        " WHERE d.datname = current_database()"
    ).fetchone()
    assert row is not None
    return str(row[0])


def try_lead(connection: Connection, shard: str) -> bool:
    """Become the only worker of a duty (a relay's shard), for as long as this session lives."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (0x1A7E0005, shard)).fetchone()
    return bool(row and row[0])


def save_checkpoint(connection: Connection, shard: str, epoch: str, at: OutboxPosition) -> None:
    """Tell the database how far the relay is; a hint for people and for dropping old partitions."""
    connection.execute(
        "INSERT INTO relay_positions (shard, epoch, xid_floor, position) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, xid_floor = excluded.xid_floor,"
        " position = excluded.position, updated_at = now()",
        (shard, epoch, at.floor, at.position),
    )
