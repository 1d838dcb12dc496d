"""Attempt records that survive a crash: where an applier started reading, and what it had in flight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from schemas.topics import COMMANDS

_BEGIN_SQL: Final = """
INSERT INTO applier_attempts AS a (consumer_group, topic, partition, start_offset, starts, failures, isolated)
SELECT %s, %s, w.partition, w.start_offset, w.starts, 0, 0
FROM unnest(%s::int[], %s::bigint[], %s::int[]) AS w (partition, start_offset, starts)
ON CONFLICT (consumer_group, topic, partition) DO UPDATE
SET starts = CASE WHEN a.start_offset = excluded.start_offset THEN a.starts ELSE 0 END + excluded.starts,
    start_offset = excluded.start_offset, updated_at = now()
RETURNING partition, starts, first_offset, last_offset, failures, isolated
"""
_TRY_SQL: Final = """
UPDATE applier_attempts SET first_offset = %s, last_offset = %s, failures = %s, updated_at = now()
WHERE consumer_group = %s AND topic = %s AND partition = %s
"""
_DONE_SQL: Final = """
UPDATE applier_attempts SET first_offset = NULL, last_offset = NULL, failures = 0, starts = 0,
  isolated = CASE WHEN %s THEN isolated + 1 ELSE 0 END, updated_at = now()
WHERE consumer_group = %s AND topic = %s AND partition = %s
"""
_FORGIVE_SQL: Final = """
UPDATE applier_attempts SET failures = greatest(failures - 1, 0), updated_at = now()
WHERE consumer_group = %s AND topic = %s AND partition = %s
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """History of a partition's former owners.

    :param starts: consecutive owners, this one included, that found pending records at the same offset.
    :param first: first offset of the group in flight when the last owner ended; ``None`` when it was
        published.
    :param last: last offset of that group.
    :param failures: number of owners that ended with this group in flight.
    :param isolated: consecutive records that were isolated because of crashes.
    """

    starts: int
    first: int | None
    last: int | None
    failures: int
    isolated: int


class Attempts:
    """Attempt records of one consumer group; each call is a short transaction of its own.

    :raises Retry: from every method: the database is unavailable.
    :raises Stop: from every method: its schema is not up to date.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._where = settings.consumer_group, settings.topic(COMMANDS)
        self._connection: Connection | None = None

    def begin(self, starts: Mapping[int, tuple[int, bool]]) -> dict[int, Attempt]:
        """Record where reading starts; return the history of each partition.

        :param starts: partition → the start offset, and whether records are pending there.
        """
        pending = [int(waiting) for _, waiting in starts.values()]
        offsets = [offset for offset, _ in starts.values()]
        rows = self._execute(_BEGIN_SQL, (*self._where, list(starts), offsets, pending), rows=True)
        return {row[0]: Attempt(*row[1:]) for row in rows}

    def try_records(self, partition: int, first: int, last: int, failures: int) -> None:
        """Record that a group of records is about to be decoded and applied.

        :param failures: value of ``Attempt.failures`` if this owner ends before the group is published.
        """
        self._execute(_TRY_SQL, (first, last, failures, *self._where, partition))

    def done(self, partition: int, *, isolated: bool) -> None:
        """Record that the group in flight is applied and published."""
        self._execute(_DONE_SQL, (isolated, *self._where, partition))

    def forgive(self, partition: int) -> None:
        """Take back one failure: the group was given up for another reason than a crash."""
        self._execute(_FORGIVE_SQL, (*self._where, partition))

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _execute(
        self, statement: str, parameters: Sequence[object], *, rows: bool = False
    ) -> list[tuple[int, ...]]:
        try:
            if self._connection is None:
                self._connection = connect(
                    self._settings, application_name="interactions-applier-attempts", autocommit=True
                )
            cursor = self._connection.execute(statement, parameters)
            return cursor.fetchall() if rows else []
        except Outage as error:
            self.close()
            raise Retry("the database is unavailable: attempt records cannot be written") from error
        except psycopg.Error as error:
            raise Stop(
                f"attempt records cannot be written ({error.sqlstate}). Nothing was applied. Is the database"
                " schema up to date? Try: interactions db upgrade"
            ) from error
