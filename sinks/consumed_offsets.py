"""The table ``consumed_offsets``: watermark and results offset per partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.topics import COMMANDS

_READ: Final = """
SELECT partition, next_offset, results_offset, topic_id FROM consumed_offsets
WHERE consumer_group = %s AND topic = %s AND partition = ANY(%s)
"""
_BEGIN: Final = """
INSERT INTO consumed_offsets (consumer_group, topic, partition, next_offset, results_offset, topic_id)
SELECT %s, %s, number, 0, 0, %s FROM unnest(%s::int[]) AS p (number)
ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET topic_id = excluded.topic_id
WHERE consumed_offsets.topic_id IS NULL
"""
# Safe beside any applier (compare and set): it does nothing when a batch has moved the watermark.
_ADVANCE_PAST_MARKERS: Final = """
UPDATE consumed_offsets SET next_offset = %(end)s, updated_at = now(),
    results_offset = CASE WHEN results_offset >= next_offset THEN %(end)s ELSE results_offset END
WHERE consumer_group = %(group)s AND topic = %(topic)s AND partition = %(partition)s
  AND next_offset = %(position)s AND %(position)s < %(end)s
"""
_SAVE_RESULTS_OFFSETS: Final = """
UPDATE consumed_offsets SET results_offset = %(results)s
WHERE consumer_group = %(group)s AND topic = %(topic)s AND partition = %(partition)s
  AND results_offset < %(results)s AND %(results)s <= next_offset
"""
_PROGRESS: Final = """
SELECT partition, next_offset, results_offset,
    CASE WHEN next_offset = 0 THEN 'infinity' ELSE extract(epoch FROM now() - updated_at)::float8 END,
    coalesce(batch_seconds, 0)
FROM consumed_offsets WHERE consumer_group = %s AND topic = %s
"""


@dataclass(frozen=True, slots=True)
class StoredOffsets:
    """Stored offsets of a partition.

    :param next_offset: the watermark: every record below it is applied.
    :param results_offset: the result of every record below it is published; a lower bound.
    :param topic_id: Kafka's id of the topic that the records were read from; ``None`` when unknown.
    """

    next_offset: int
    results_offset: int
    topic_id: str | None = None


def read_stored_offsets(settings: Settings, partitions: Sequence[int]) -> dict[int, StoredOffsets]:
    """Read the stored offsets of partitions of the commands topic; partitions without a row are left out.

    :raises Retry: the database is unavailable.
    """
    try:
        with connect(settings, application_name="interactions-positions", autocommit=True) as connection:
            names = settings.consumer_group, settings.topic(COMMANDS)
            rows = connection.execute(_READ, (*names, list(partitions))).fetchall()
    except psycopg.OperationalError as error:
        raise Retry("the database is unavailable: stored offsets cannot be read") from error
    return {row[0]: StoredOffsets(row[1], row[2], row[3]) for row in rows}


def begin_partitions(settings: Settings, partitions: Sequence[int], topic_id: str | None) -> None:
    """Insert the row of each partition, with the topic id, before anything is applied from it.

    :raises Retry: the database is unavailable.
    """
    try:
        with connect(settings, application_name="interactions-positions", autocommit=True) as connection:
            names = settings.consumer_group, settings.topic(COMMANDS)
            connection.execute(_BEGIN, (*names, topic_id, sorted(partitions)))
    except psycopg.OperationalError as error:
        raise Retry("the database is unavailable: stored offsets cannot be written") from error


def watermarks(connection: Connection, group: str, topic: str) -> dict[int, int]:
    """Return partition → watermark, for every partition with a row."""
    rows = connection.execute(
        "SELECT partition, next_offset FROM consumed_offsets WHERE consumer_group = %s AND topic = %s",
        (group, topic),
    )
    return {row[0]: row[1] for row in rows}


def have_passed(connection: Connection, ends: Mapping[int, int], *, group: str, topic: str) -> bool:
    """Return whether all records before these offsets are applied.

    :param ends: partition → offset.
    """
    applied = watermarks(connection, group, topic)
    return all(applied.get(partition, 0) >= end for partition, end in ends.items())


def advance_past_markers(
    connection: Connection, group: str, topic: str, tails: Mapping[int, tuple[int, int]]
) -> None:
    """Advance watermarks past offsets without a readable record: transaction markers, aborted records.

    Otherwise a segment that contains nothing else and is deleted by retention looks like lost commands.

    :param tails: partition → (position, end): no record lies between the two. A watermark that is not at
        the position stays.
    """
    for partition, (position, end) in sorted(tails.items()):
        # One statement per row: rows locked in another order than the applier's could deadlock with it.
        values = {"group": group, "topic": topic, "partition": partition, "position": position, "end": end}
        connection.execute(_ADVANCE_PAST_MARKERS, values)


def save_results_offsets(
    connection: Connection, group: str, topic: str, published: Mapping[int, int]
) -> None:
    """Store how far results are published, so that losing the group's offsets repeats no result.

    :param published: partition → the offset below which every result is published.
    """
    for partition, results in sorted(published.items()):
        values = {"group": group, "topic": topic, "partition": partition, "results": results}
        connection.execute(_SAVE_RESULTS_OFFSETS, values)


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """Stored offsets of a partition, and since when they have not moved.

    :param idle_seconds: time since the watermark last moved; infinite when it never did.
    :param batch_seconds: duration of the transaction that moved it; 0 if it is not known.
    """

    next_offset: int = 0
    results_offset: int = 0
    idle_seconds: float = float("inf")
    batch_seconds: float = 0.0


def partition_progress(connection: Connection, group: str, topic: str) -> dict[int, PartitionProgress]:
    """Return the progress of every partition with a row."""
    rows = connection.execute(_PROGRESS, (group, topic))
    return {row[0]: PartitionProgress(row[1], row[2], float(row[3]), row[4]) for row in rows}
