"""Marks that outlive a crash: where each partition's reading began, and what was tried there since."""

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
    """Facts about a partition's former owners.

    :param starts: owners in a row, this one included, that found work at the very same offset.
    :param first: first offset of the records in hand when the last of them ended; ``None`` when it was done.
    :param last: the last one.
    :param failures: how often an owner ended with these in hand, alone or among others.
    :param isolated: records isolated in a row because of that.
    """

    starts: int
    first: int | None
    last: int | None
    failures: int
    isolated: int


class Attempts:
    """The marks of one consumer group; each call is a short transaction of its own.

    :raises Retry: from every method: the database is not available.
    :raises Stop: from every method: its schema is not up to date.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._where = settings.consumer_group, settings.topic(COMMANDS)
        self._connection: Connection | None = None

    def begin(self, starts: Mapping[int, tuple[int, bool]]) -> dict[int, Attempt]:
        """Note where reading begins.

        :param starts: partition → the offset, and whether records wait there.
        """
        waits = [int(waiting) for _, waiting in starts.values()]
        offsets = [offset for offset, _ in starts.values()]
        rows = self._execute(_BEGIN_SQL, (*self._where, list(starts), offsets, waits), rows=True)
        return {row[0]: Attempt(*row[1:]) for row in rows}

    def try_records(self, partition: int, first: int, last: int, failures: int) -> None:
        """Note that some records are taken in hand now.

        :param failures: how often owners will have ended with them in hand if this one does.
        """
        self._execute(_TRY_SQL, (first, last, failures, *self._where, partition))

    def done(self, partition: int, *, isolated: bool) -> None:
        """Note that the records in hand are carried out, and published."""
        self._execute(_DONE_SQL, (isolated, *self._where, partition))

    def forgive(self, partition: int) -> None:
        """Note that the records in hand were given up for another reason than a crash."""
        self._execute(_FORGIVE_SQL, (*self._where, partition))

    def close(self) -> None:
        """Let go of the connection until it is needed again."""
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
            raise Retry("the marks of attempts cannot be written now") from error
        except psycopg.Error as error:
            raise Stop(
                f"the marks of attempts cannot be written ({error.sqlstate}); is the schema of the"
                " database up to date? Try: interactions db upgrade"
            ) from error
