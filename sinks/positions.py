"""Where each partition stands, as the database knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.topics import COMMANDS


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a partition stands, as stored in ``consumed_offsets``.

    :param next_offset: the watermark: every record below it is applied.
    :param results_offset: every record below it has its result published, as last stored.
    """

    next_offset: int
    results_offset: int


def read_progress(settings: Settings, partitions: Sequence[int]) -> dict[int, Progress]:
    """The stored positions of partitions of the commands topic; those never applied from are missing.

    :raises Retry: the database cannot be read now.
    """
    try:
        with connect(settings, application_name="interactions-positions", autocommit=True) as connection:
            rows = connection.execute(
                "SELECT partition, next_offset, results_offset FROM consumed_offsets"
                " WHERE consumer_group = %s AND topic = %s AND partition = ANY(%s)",
                (settings.consumer_group, settings.topic(COMMANDS), list(partitions)),
            ).fetchall()
    except psycopg.OperationalError as error:
        raise Retry("the database cannot be read now") from error
    return {row[0]: Progress(row[1], row[2]) for row in rows}


def watermarks(connection: Connection, group: str, topic: str) -> dict[int, int]:
    """For each partition ever applied from, the offset below which everything is applied."""
    rows = connection.execute(
        "SELECT partition, next_offset FROM consumed_offsets WHERE consumer_group = %s AND topic = %s",
        (group, topic),
    )
    return {row[0]: row[1] for row in rows}
