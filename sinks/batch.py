"""The batch transaction on one connection: fence, watermark, load, store, commit.

Mutation, projection, journal and watermark commit together or not at all.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Final

import psycopg
from psycopg import errors as pg
from psycopg.types.string import TextLoader

from domain.decision import Decision
from domain.unit_of_work import UnitOfWork
from runtime import crash_points
from runtime.postgres import Connection
from schemas.command import Command, Refused
from schemas.errors import Retry, Stop
from sinks.batch_errors import classified, may_blame_a_command
from sinks.load import Prefetch, load_read_set
from sinks.notify import Notice, notify_committed
from sinks.pipelined import pipelined
from sinks.store import store

#: Up to this many commands travel in one pipeline: a person may be waiting for their outcomes.
_FEW: Final = 20
_PARTITION_LOCK: Final = 0x1A7E0000
_MONTH_TURN_LOCK: Final = 0x1A7E0001

# Locks are taken in the order of the array. Command ids are unique within a month only, so around the turn of
# a month one applier works at a time.
_LOCK_SQL: Final = """
SELECT pg_advisory_xact_lock(%s::int, partition) FROM unnest(%s::int[]) AS p (partition)
UNION ALL
SELECT pg_advisory_xact_lock(%s::int, 0)
WHERE extract(epoch FROM date_trunc('month', now()) + interval '1 month' - now()) < 120
   OR extract(epoch FROM now() - date_trunc('month', now())) < 120
"""
_END_SQL: Final = """
SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = %s::bigint::oid AND l.objsubid = 2 AND l.granted
  AND l.objid = ANY (%s::bigint[]::oid[]) AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND a.xact_start < now() - interval '5 seconds'
"""
_WATERMARK_SQL: Final = """
SELECT partition, next_offset FROM consumed_offsets
WHERE consumer_group = %s AND topic = %s AND partition = ANY(%s)
"""
_ADVANCE_SQL: Final = """
INSERT INTO consumed_offsets (consumer_group, topic, partition, next_offset, results_offset, batch_seconds)
SELECT %s, %s, w.partition, w.next_offset, w.results_offset,
    extract(epoch FROM clock_timestamp() - transaction_timestamp())
FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS w (partition, next_offset, results_offset)
ON CONFLICT (consumer_group, topic, partition) DO UPDATE
SET next_offset = excluded.next_offset, updated_at = now(), batch_seconds = excluded.batch_seconds,
    results_offset = greatest(consumed_offsets.results_offset, excluded.results_offset)
"""


class OpenBatch:
    """A batch inside its open transaction: the partition locks are held.

    :ivar fresh: commands at or above the watermark, to be applied.
    :ivar known: commands below it: their outcomes are in the journal.
    :ivar notices: sent to waiting gateways right after the commit; set by the caller.
    """

    def __init__(
        self,
        connection: Connection,
        commands: Sequence[Command | Refused],
        watermarks: Mapping[int, int],
        prefetch: Prefetch | None,
    ) -> None:
        """:param prefetch: requested with the fence; ``None`` for a batch with savepoints."""
        self.fresh: list[Command | Refused] = []
        self.known: list[Command | Refused] = []
        for command in commands:
            below = command.record.offset < watermarks.get(command.record.partition, 0)
            (self.known if below else self.fresh).append(command)
        self.notices: Sequence[Notice] = ()
        self.watermarks = watermarks
        self._connection = connection
        self._prefetch = prefetch

    def load(self, commands: Sequence[Command | Refused]) -> UnitOfWork:
        """Lock and load the read set of the commands."""
        asked = commands is self.fresh or commands is self.known
        return load_read_set(self._connection, commands, self._prefetch if asked else None)

    def store(self, work: UnitOfWork, decisions: Sequence[Decision]) -> None:
        """Write rows and journal of the decisions."""
        store(self._connection, work, decisions)

    def savepoint(self) -> AbstractContextManager[object]:
        """Roll back to here when the block fails; the locks taken before stay held.

        Without savepoints on the straight path: there the whole transaction fails.
        """
        straight = self._prefetch is not None
        return contextlib.nullcontext() if straight else self._connection.transaction()


class BatchSink:
    """Transactions over the batches of one consumer group's topic, on one connection.

    :param connection: outside a transaction; the caller closes it and begins no transaction on it.
    """

    def __init__(self, connection: Connection, *, consumer_group: str, topic: str) -> None:
        # Ids are text everywhere in the rules.
        connection.adapters.register_loader("uuid", TextLoader)
        connection.autocommit = True
        self._connection = connection
        self._group = consumer_group
        self._topic = topic
        self._namespace = _PARTITION_LOCK ^ (zlib.crc32(f"{consumer_group}/{topic}".encode()) & 0x0FFFFFFF)

    @contextlib.contextmanager
    def transaction(
        self,
        commands: Sequence[Command | Refused],
        starts: Mapping[int, int],
        results_offsets: Mapping[int, int],
        *,
        careful: bool = False,
    ) -> Iterator[OpenBatch]:
        """Open the batch's transaction; commit it with the watermark when the block ends without an error.

        :param commands: in the order of their partitions' offsets.
        :param starts: for each partition, the position before the batch; it must not lie above the
            watermark, or the commands between the two would be skipped.
        :param results_offsets: for each partition, the offset below which results are published.
        :param careful: with savepoints. Without them there are fewer round trips, but any failure is the
            whole batch's, and an error that one command may have caused is raised as it is.
        :raises Retry: nothing was committed as far as is known; the same batch may be given again.
        :raises Stop: the database refuses in a way that no retry mends.
        """
        begin = self._with_savepoints if careful else self._straight
        try:
            with begin(commands, starts, results_offsets) as batch:
                yield batch
        except pg.LockNotAvailable as error:
            # Hazard: of all our partitions. A former owner that was paused with a batch of another one may
            # hold a lock that this batch needs: that of an organization's dictionary.
            mine = {command.record.partition for command in commands}
            self._end_former_owners(sorted(mine.union(list(results_offsets))))
            raise Retry("another applier holds the lock of one of these partitions", after=0.0) from error
        except psycopg.Error as error:
            if not careful and may_blame_a_command(error):
                raise
            raise classified(error) from error

    @contextlib.contextmanager
    def _straight(
        self,
        commands: Sequence[Command | Refused],
        starts: Mapping[int, int],
        results_offsets: Mapping[int, int],
    ) -> Iterator[OpenBatch]:
        """Ask in one pipeline and finish in one; few commands need no other for what is between."""
        few = len(commands) <= _FEW
        try:
            with contextlib.ExitStack() as open_pipeline:
                open_pipeline.enter_context(self._connection.pipeline())
                self._connection.execute("BEGIN")
                batch = self._fence(commands, starts, Prefetch(whole=few))
                if not few:
                    open_pipeline.close()  # which cannot carry a COPY
                yield batch
                with pipelined(self._connection):
                    self._advance(batch, results_offsets)
                    self._connection.execute("COMMIT")
                    notify_committed(self._connection, batch.notices)
        finally:
            with contextlib.suppress(psycopg.Error):
                self._connection.rollback()  # nothing to do after a commit

    @contextlib.contextmanager
    def _with_savepoints(
        self,
        commands: Sequence[Command | Refused],
        starts: Mapping[int, int],
        results_offsets: Mapping[int, int],
    ) -> Iterator[OpenBatch]:
        with self._connection.transaction():
            batch = self._fence(commands, starts, None)
            yield batch
            self._advance(batch, results_offsets)
        with contextlib.suppress(psycopg.Error):
            notify_committed(self._connection, batch.notices)

    def _fence(
        self,
        commands: Sequence[Command | Refused],
        starts: Mapping[int, int],
        prefetch: Prefetch | None,
    ) -> OpenBatch:
        partitions = sorted({command.record.partition for command in commands})
        # Hazard: taken before the first write. They fence a paused owner that wakes up, and they make
        # the order of transaction ids equal to the order of the commands in each partition.
        # In one pipeline: the server still runs one after the other, each with a snapshot of its own. No
        # statement may take a lock and read what it protects.
        with pipelined(self._connection):
            self._connection.execute(_LOCK_SQL, (self._namespace, partitions, _MONTH_TURN_LOCK))
            stored = self._connection.execute(_WATERMARK_SQL, (self._group, self._topic, partitions))
            if prefetch is not None:
                prefetch.request(self._connection, commands)
        watermarks: dict[int, int] = dict(stored.fetchall())
        for partition in partitions:
            if partition in watermarks and starts[partition] > watermarks[partition]:
                raise Stop(
                    f"partition {partition}: the batch starts at {starts[partition]}, above the watermark"
                    f" {watermarks[partition]}; this owner is out of date and must not write"
                )
        return OpenBatch(self._connection, commands, watermarks, prefetch)

    def _advance(self, batch: OpenBatch, results_offsets: Mapping[int, int]) -> None:
        """Move the watermark of every partition of the batch past its records."""
        if batch.fresh:
            ends = {
                command.record.partition: command.record.offset + 1
                for command in chain(batch.known, batch.fresh)
            }
            partitions = sorted(ends)
            self._connection.execute(
                _ADVANCE_SQL,
                (
                    self._group,
                    self._topic,
                    partitions,
                    [max(ends[number], batch.watermarks.get(number, 0)) for number in partitions],
                    [results_offsets.get(number, 0) for number in partitions],
                ),
            )
        crash_points.reach("before-commit")

    def _end_former_owners(self, partitions: list[int]) -> None:
        """End the sessions that hold the partitions' locks although the group assigned us the partitions.

        Such an owner was paused or cut off. No timeout of Postgres ends a session that waits for its
        client in the middle of a COPY. What it had in hand is rolled back whole, so nothing is lost.
        """
        try:
            with self._connection.transaction():
                self._connection.execute(_END_SQL, (self._namespace, partitions))
        except psycopg.Error as error:
            raise classified(error) from error
