"""The batch transaction: mutation, projection, outbox, command log and watermark commit together (law 3)."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import psycopg
from psycopg import errors as pg
from psycopg.types.string import TextLoader

from domain.decide import fold
from domain.decision import Decision
from runtime import crash_points
from runtime.postgres import Connection
from schemas.command import Command, Refused
from schemas.errors import Reject, Retry, Stop
from sinks.load import Asked, load_world
from sinks.notices import Notice, notify_committed
from sinks.poison import refuse_as_poison
from sinks.round_trips import together
from sinks.store import store

_PARTITION_LOCK: Final = 0x1A7E0000
_MONTH_TURN_LOCK: Final = 0x1A7E0001

#: Commands for which somebody may be waiting: they are carried out in few round trips.
_FEW: Final = 20

#: A batch in which so many commands fail in the database is a broken deployment, not poison.
_POISON_LIMIT: Final = 100

# In the order of the array; then, as the log is unique inside a month only, one applier at a time around
# a month's turn.
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
INSERT INTO consumed_offsets (consumer_group, topic, partition, next_offset, results_offset)
SELECT %s, %s, w.partition, w.next_offset, w.results_offset
FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS w (partition, next_offset, results_offset)
ON CONFLICT (consumer_group, topic, partition) DO UPDATE
SET next_offset = excluded.next_offset, updated_at = now(),
    results_offset = greatest(consumed_offsets.results_offset, excluded.results_offset)
"""

#: What Postgres raises about a value or a row; which command it came from must be found out.
_OF_A_COMMAND: Final = (pg.DataError, pg.IntegrityError, pg.ProgramLimitExceeded)
#: What no command is to blame for; anything else is a rule that failed on one.
_OF_NO_COMMAND: Final = (psycopg.Error, Reject, Retry, Stop)

#: What those who wait for the outcomes of some decisions are told.
NoticesOf = Callable[[Sequence[Decision]], Sequence[Notice]]


def _nobody_waits(_: Sequence[Decision]) -> Sequence[Notice]:
    return ()


class BatchTransaction:
    """Applies batches of one consumer group's topic on one connection.

    :param connection: outside a transaction; closed by the caller, who begins no transaction on it.
    :param notices: what those who wait for these outcomes are told right after the commit.
    """

    def __init__(
        self, connection: Connection, *, consumer_group: str, topic: str, notices: NoticesOf = _nobody_waits
    ) -> None:
        # Ids are texts everywhere in the rules.
        connection.adapters.register_loader("uuid", TextLoader)
        connection.autocommit = True
        self._connection = connection
        self._group = consumer_group
        self._topic = topic
        self._notices = notices
        # A unique violation may be a race with another applier: the batch is read afresh once before
        # anyone is called poison.
        self._raced = False
        self._namespace = _PARTITION_LOCK ^ (zlib.crc32(f"{consumer_group}/{topic}".encode()) & 0x0FFFFFFF)

    def apply(
        self,
        commands: Sequence[Command | Refused],
        starts: Mapping[int, int],
        results_offsets: Mapping[int, int],
    ) -> list[Decision]:
        """Carry out the commands and commit; on return everything is durable.

        Records below the watermark change nothing: their decisions repeat the stored outcome, so that
        a result that was lost between commit and publishing can be published again.

        :param commands: in the order of their partitions' offsets.
        :param starts: for each partition, the position before the batch; it must not lie above the
            watermark, or commands between the two would be passed over.
        :param results_offsets: for each partition, the offset below which results are published.
        :returns: one decision a command, in the same order.
        :raises Retry: nothing was committed as far as we know; the same batch may be given again.
        :raises Stop: the database refuses in a way that no retry mends.
        """
        try:
            decisions = self._in_few_trips(commands, starts, results_offsets)
            if decisions is None:
                with self._connection.transaction():
                    decisions = self._apply(commands, starts, results_offsets)
                    crash_points.reach("before-commit")
                with contextlib.suppress(psycopg.Error):
                    notify_committed(self._connection, self._notices(decisions))
        except pg.LockNotAvailable as error:
            self._end_former_owners(sorted({command.record.partition for command in commands}))
            raise Retry("another applier holds a partition of ours", after=0.0) from error
        except pg.UniqueViolation as error:
            self._raced = True
            raise Retry("another applier wrote the same id at the same time", after=0.0) from error
        except psycopg.Error as error:
            raise _classified(error) from error
        self._raced = False
        return decisions

    def _in_few_trips(
        self,
        commands: Sequence[Command | Refused],
        starts: Mapping[int, int],
        results_offsets: Mapping[int, int],
    ) -> list[Decision] | None:
        """Carry out a few commands in one pipeline; ``None`` when they are many, or one of them fails.

        Then nothing has happened, and the batch must be carried out so that the poison is found.
        """
        if len(commands) > _FEW:
            return None
        try:
            with self._connection.pipeline():
                self._connection.execute("BEGIN")
                decisions = self._apply(commands, starts, results_offsets, pipelined=True)
                crash_points.reach("before-commit")
                self._connection.execute("COMMIT")
                notify_committed(self._connection, self._notices(decisions))
        except _OF_A_COMMAND:
            return None
        except _OF_NO_COMMAND:
            raise
        except Exception:  # noqa: BLE001 - a rule failed on a command: the bisection finds out on which
            return None
        finally:
            with contextlib.suppress(psycopg.Error):
                self._connection.rollback()  # nothing to do after a commit
        return decisions

    def _end_former_owners(self, partitions: list[int]) -> None:
        """End the sessions that hold the partitions' locks although the group gave us the partitions.

        Such an owner was paused or cut off. No timeout of Postgres ends a session that waits for its
        client in the middle of a COPY. What it had in hand is rolled back whole, so nothing is lost.
        """
        try:
            with self._connection.transaction():
                self._connection.execute(_END_SQL, (self._namespace, partitions))
        except psycopg.Error as error:
            raise _classified(error) from error

    def _apply(
        self,
        commands: Sequence[Command | Refused],
        starts: Mapping[int, int],
        results_offsets: Mapping[int, int],
        *,
        pipelined: bool = False,
    ) -> list[Decision]:
        ends: dict[int, int] = {}
        for command in commands:
            ends[command.record.partition] = command.record.offset + 1
        partitions = sorted(ends)
        # Hazard: taken before the first write. They fence a paused owner that wakes up, and they make
        # the order of transaction ids equal to the order of the commands in each partition.
        # In one pipeline: the server still runs one after the other, each with a snapshot of its own. No
        # statement may take a lock and read what it protects.
        with together(self._connection):
            self._connection.execute(_LOCK_SQL, (self._namespace, partitions, _MONTH_TURN_LOCK))
            stored = self._connection.execute(_WATERMARK_SQL, (self._group, self._topic, partitions))
            asked = Asked(self._connection, commands) if pipelined else None
        watermarks: dict[int, int] = dict(stored.fetchall())
        for partition in partitions:
            if partition in watermarks and starts[partition] > watermarks[partition]:
                raise Stop(
                    f"partition {partition}: the batch starts at {starts[partition]}, above the watermark"
                    f" {watermarks[partition]}; this owner is out of date and must not write"
                )
        fresh: list[Command | Refused] = []
        known: list[Command | Refused] = []
        for command in commands:
            below = command.record.offset < watermarks.get(command.record.partition, 0)
            (known if below else fresh).append(command)
        decisions: dict[tuple[int, int], Decision] = {}
        if known:
            for decision in _repeat(self._connection, known):
                decisions[_place(decision)] = decision
        if fresh:
            if asked is not None:
                world = load_world(self._connection, fresh, asked)
                crash_points.reach("mid-statement")
                made = fold(world, fresh)
                store(self._connection, world, made, pipelined=True)
            else:
                made = _Bisection(self._connection, raced=self._raced).run(fresh)
            decisions.update((_place(decision), decision) for decision in made)
            advanced = {p: max(ends[p], watermarks.get(p, 0)) for p in partitions}
            self._connection.execute(
                _ADVANCE_SQL,
                (
                    self._group,
                    self._topic,
                    partitions,
                    [advanced[p] for p in partitions],
                    [results_offsets.get(p, 0) for p in partitions],
                ),
            )
        places = ((command.record.partition, command.record.offset) for command in commands)
        return [decisions[place] for place in places if place in decisions]


def _place(decision: Decision) -> tuple[int, int]:
    return decision.command.record.partition, decision.command.record.offset


def _repeat(connection: Connection, commands: Sequence[Command | Refused]) -> list[Decision]:
    """The outcomes of records below the watermark, from the log; nothing is written.

    A record whose log row was dropped with its month is left out: its outcome was published then.
    """
    decisions = fold(load_world(connection, commands), commands)
    unknown = [decision.command for decision in decisions if decision.logged]
    if unknown:
        # Those that turned out to be poison stand in the log under their place, not under their id.
        poison = [refuse_as_poison(command, None) for command in unknown]
        decisions += fold(load_world(connection, poison), poison)
    return [decision for decision in decisions if not decision.logged]


class _Bisection:
    """Folds and stores a batch; where the database refuses it, halves it until the poison stands alone."""

    def __init__(self, connection: Connection, *, raced: bool) -> None:
        self._connection = connection
        self._raced = raced
        self._poisoned = 0

    def run(self, commands: Sequence[Command | Refused]) -> list[Decision]:
        try:
            with self._connection.transaction():  # a savepoint: the locks before it stay held
                world = load_world(self._connection, commands)
                crash_points.reach("mid-statement")
                decisions = fold(world, commands)
                store(self._connection, world, decisions)
                return decisions
        except _OF_A_COMMAND as error:
            if isinstance(error, pg.UniqueViolation) and not self._raced:
                raise
            if len(commands) == 1:
                return self._poison(commands[0], error)
        except _OF_NO_COMMAND:
            raise
        except Exception as error:  # noqa: BLE001 - a rule failed on a command: it must not hold up the others
            if len(commands) == 1:
                return self._poison(commands[0], error)
        middle = len(commands) // 2
        return [*self.run(commands[:middle]), *self.run(commands[middle:])]

    def _poison(self, command: Command | Refused, error: Exception) -> list[Decision]:
        self._poisoned += 1
        if self._poisoned > _POISON_LIMIT:
            raise Stop(
                f"{self._poisoned} commands of one batch failed in the database"
                f" ({type(error).__name__}); this looks like a broken deployment, not like bad commands"
            ) from error
        refused = refuse_as_poison(command, error)
        with self._connection.transaction():
            world = load_world(self._connection, [refused])
            decisions = fold(world, [refused])
            store(self._connection, world, decisions)
        return decisions


def _classified(error: psycopg.Error) -> Retry | Stop:
    """What the applier must do about a database error (SQLSTATE classes, PostgreSQL Appendix A)."""
    state = error.sqlstate or "08000"
    # 08 connection, 25 transaction state after a lost connection, 40 rollback (serialization,
    # deadlock), 53 resources (disk full, too many connections), 55 not available, 57 intervention.
    if state[:2] in {"08", "25", "40", "53", "55", "57", "58"}:
        return Retry(f"the database is not available ({state})")
    return Stop(
        f"the database refuses the batch ({state}, {type(error).__name__});"
        " is its schema up to date? Try: interactions db upgrade"
    )
