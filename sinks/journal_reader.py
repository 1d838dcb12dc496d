"""Read the journal without missing or reordering a row: windows of transaction ids, in position order.

A sequence value is drawn before its commit, so "position above the last one" skips rows that commit
late. Only rows of finished transactions are read (``xid`` below the snapshot's ``xmin``). Inside a
window ``[floor, ceiling)`` of transaction ids they are published by position. A position is drawn after
the row locks are held, so it is the order in which one entity's changes happened. Transaction ids are not:
a transaction may start early and change a row late. Both bounds are real values of ``pg_snapshot_xmin``;
a bound in between could separate such a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from msgspec import structs

from domain.journal import Facts, JournalEntry
from runtime.postgres import Connection
from sinks.journal_rows import ENTRY, entry_of

_ROWS_SQL: Final = f"""
SELECT j.position, {ENTRY} FROM journal j
WHERE j.xid >= %s AND j.xid < %s AND j.position > %s AND j.position <= %s AND j.events > 0
ORDER BY j.position
"""  # noqa: S608 - our own column names
_LAST: Final = 2**63 - 1
#: Converts a row of ``ENTRY``.
Decode = Callable[[Sequence[Any]], JournalEntry]


@dataclass(frozen=True, slots=True)
class JournalPosition:
    """Position of a relay in the journal.

    :param floor: every row with a smaller transaction id is published.
    :param ceiling: end of the window that is being published; ``None`` between windows.
    :param position: inside that window, every row up to this position is published.
    :param relabeled: of the row after it, the commands of so many relabeled entities are published.
    """

    floor: int = 0
    ceiling: int | None = None
    position: int = 0
    relabeled: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Entries to publish together, and the relay's position after them."""

    entries: list[JournalEntry]
    end: JournalPosition


def snapshot_xmin(connection: Connection) -> int:
    """Return the smallest transaction id that may still be running."""
    row = connection.execute("SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint").fetchone()
    assert row is not None
    return int(row[0])


def read_between(
    connection: Connection,
    start: JournalPosition,
    end: JournalPosition,
    size: int,
    decode: Decode = entry_of,
) -> Iterator[Chunk]:
    """Yield the rows that are published at ``end`` and were not at ``start``, chunk by chunk."""
    read = partial(read_window, connection, decode=decode)
    if start.ceiling is not None and (start.floor, start.ceiling) == (end.floor, end.ceiling):
        yield from read(start, size, end.position)
        return
    floor = start.floor
    if start.ceiling is not None:
        yield from read(start, size)
        floor = start.ceiling
    if floor < end.floor:
        yield from read(JournalPosition(floor, end.floor), size)
    if end.ceiling is not None:
        yield from read(JournalPosition(end.floor, end.ceiling), size, end.position)


def read_window(
    connection: Connection,
    start: JournalPosition,
    size: int,
    last: int = _LAST,
    decode: Decode = entry_of,
) -> Iterator[Chunk]:
    """Yield the unpublished rows of the window of ``start`` (``ceiling`` must be set), chunk by chunk.

    The window is sorted once and read through a server-side cursor: a long backlog costs one sort.

    :param size: rows per chunk, and relabeled entities.
    :param last: position of the last row.
    :param decode: must not raise for a row that the others should not wait for.
    """
    assert start.ceiling is not None
    at = start
    with connection.transaction(), connection.cursor("journal_window") as cursor:
        cursor.itersize = size
        cursor.execute(_ROWS_SQL, (start.floor, start.ceiling, start.position, last))
        while rows := cursor.fetchmany(size):
            for chunk in _chunks(rows, at, size, decode):
                at = chunk.end
                yield chunk


def _chunks(
    rows: Iterable[tuple[Any, ...]], at: JournalPosition, size: int, decode: Decode = entry_of
) -> Iterator[Chunk]:
    """Put rows into one chunk, but one that relabels many entities into several of its own."""
    entries: list[JournalEntry] = []
    done, published = at.position, at.relabeled
    for row in rows:
        position, entry = row[0], decode(row[1:])
        if not isinstance(entry.facts, Facts) or not entry.facts.relabeled:
            entries.append(entry)
        else:
            if entries:
                yield Chunk(entries, replace(at, position=done, relabeled=0))
                entries = []
            affected = entry.facts.relabeled
            for first in range(published, len(affected), size):
                part = structs.replace(
                    entry.facts,
                    relabeled=affected[first : first + size],
                    # Hazard: the event of the changed type belongs to the first part alone.
                    record=entry.facts.record if first == 0 else None,
                )
                ended = first + size >= len(affected)
                reached = (position, 0) if ended else (position - 1, first + size)
                end = replace(at, position=reached[0], relabeled=reached[1])
                yield Chunk([structs.replace(entry, facts=part)], end)
        done, published = position, 0
    if entries:
        yield Chunk(entries, replace(at, position=done, relabeled=0))


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


def save_checkpoint(connection: Connection, shard: str, epoch: str, position: JournalPosition) -> None:
    """Store the relay's position in the database: a hint for operators and for dropping old partitions."""
    connection.execute(
        "INSERT INTO relay_positions (shard, epoch, xid_floor, position) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, xid_floor = excluded.xid_floor,"
        " position = excluded.position, updated_at = now()",
        (shard, epoch, position.floor, position.position),
    )
