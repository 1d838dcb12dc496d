"""The batch transaction: mutation, projection, outbox, command log and watermark commit together (law 3)."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import psycopg
from psycopg import errors as pg
from psycopg.types.string import TextLoader

from domain.decide import decide, fold
from domain.decision import Decision
from runtime import crash_points
from runtime.postgres import Connection
from schemas.command import Command, Refused
from schemas.errors import Reject, Retry, Stop
from streams.applier.isolation_limit import IsolationLimit
from sinks.load import Asked, load_world
from sinks.notify import Notice, notify_committed
from sinks.pipelined import pipelined
from streams.applier.isolated_records import log_isolated, refuse_as_poison
from sinks.store import store

_PARTITION_LOCK: Final = 0x1A7E0000
_MONTH_TURN_LOCK: Final = 0x1A7E0001

#: Commands for which somebody may be waiting: they are carried out in few round trips.
_FEW: Final = 20

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

#: SQLSTATE classes (PostgreSQL, Appendix A) of what a value or a row of one command can cause: cardinality,
#: data, integrity, triggers (38, 39, P0), check option, program limits, the server's own failures.
_OF_A_COMMAND: Final = frozenset({"21", "22", "23", "38", "39", "44", "54", "P0", "XX"})
#: What the client raises about a value it cannot send; it has no SQLSTATE.
_OF_THE_CLIENT: Final = (psycopg.DataError, psycopg.NotSupportedError, psycopg.ProgrammingError)

#: What those who wait for the outcomes of some decisions are told.
NoticesOf = Callable[[Sequence[Decision]], Sequence[Notice]]
#: Raises on outcomes that could not be published.
Check = Callable[[Sequence[Decision]], None]


def _nobody_waits(_: Sequence[Decision]) -> Sequence[Notice]:
    return ()


def _unchecked(_: Sequence[Decision]) -> None:
    return


class BatchTransaction:
    """Applies batches of one consumer group's topic on one connection.

    :param connection: outside a transaction; closed by the caller, who begins no transaction on it.
    :param notices: what those who wait for these outcomes are told right after the commit.
    :param check: raises on outcomes that could not be published; called before they are stored.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        consumer_group: str,
        topic: str,
        notices: NoticesOf = _nobody_waits,
        check: Check = _unchecked,
    ) -> None:
        # Ids are texts everywhere in the rules.
        connection.adapters.register_loader("uuid", TextLoader)
        connection.autocommit = True
        self._connection = connection
        self._group = consumer_group
        self._topic = topic
        self._notices = notices
        self._check = check
        self._limit = IsolationLimit()
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
                limit = self._limit.copy()
                with self._connection.transaction():
                    decisions = self._apply(commands, starts, results_offsets, limit)
                    crash_points.reach("before-commit")
                self._limit = limit
                with contextlib.suppress(psycopg.Error):
                    notify_committed(self._connection, self._notices(decisions))
        except pg.LockNotAvailable as error:
            # Hazard: of all our partitions. A former owner that was paused with a batch of another one may
            # hold a lock that this batch needs: that of an organization's dictionary.
            mine = {command.record.partition for command in commands}
            self._end_former_owners(sorted(mine.union(list(results_offsets))))
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
                decisions = self._apply(commands, starts, results_offsets, None)
                crash_points.reach("before-commit")
                self._connection.execute("COMMIT")
                notify_committed(self._connection, self._notices(decisions))
        except Exception as error:
            if not _blames_a_command(error):
                raise
            return None  # the bisection finds out which command
        finally:
            with contextlib.suppress(psycopg.Error):
                self._connection.rollback()  # nothing to do after a commit
        self._limit.passed(len(commands))
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
        limit: IsolationLimit | None,
    ) -> list[Decision]:
        """Carry out the commands in the open transaction.

        :param limit: for the bisection; ``None`` in a pipeline, where any failure is the whole batch's.
        """
        at_once = limit is None
        ends: dict[int, int] = {}
        for command in commands:
            ends[command.record.partition] = command.record.offset + 1
        partitions = sorted(ends)
        # Hazard: taken before the first write. They fence a paused owner that wakes up, and they make
        # the order of transaction ids equal to the order of the commands in each partition.
        # In one pipeline: the server still runs one after the other, each with a snapshot of its own. No
        # statement may take a lock and read what it protects.
        with pipelined(self._connection):
            self._connection.execute(_LOCK_SQL, (self._namespace, partitions, _MONTH_TURN_LOCK))
            stored = self._connection.execute(_WATERMARK_SQL, (self._group, self._topic, partitions))
            asked = Asked(self._connection, commands) if at_once else None
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
            for decision in _known_outcomes(self._connection, known) if at_once else self._repeat(known):
                decisions[_place(decision)] = decision
        if fresh:
            if asked is not None:
                work = load_world(self._connection, fresh, asked)
                crash_points.reach("mid-statement")
                made = fold(work, fresh)
                self._check(made)
                store(self._connection, work, made, pipelined=True)
            else:
                assert limit is not None
                made = _Bisection(self._connection, self._check, limit, raced=self._raced).run(fresh)
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

    def _repeat(self, commands: Sequence[Command | Refused]) -> list[Decision]:
        """The outcomes of records below the watermark; one that cannot even be looked up was isolated."""
        try:
            return self._look_up(commands)
        except Exception as error:
            if not _blames_a_command(error):
                raise
        if len(commands) == 1:
            try:
                return self._look_up([refuse_as_poison(commands[0], None)])
            except Exception as error:
                if not _blames_a_command(error):
                    raise
                return self._look_up([refuse_as_poison(commands[0], None, bare=True)])
        middle = len(commands) // 2
        return [*self._repeat(commands[:middle]), *self._repeat(commands[middle:])]

    def _look_up(self, commands: Sequence[Command | Refused]) -> list[Decision]:
        with self._connection.transaction():
            return _known_outcomes(self._connection, commands)


def _place(decision: Decision) -> tuple[int, int]:
    return decision.command.record.partition, decision.command.record.offset


def _known_outcomes(connection: Connection, commands: Sequence[Command | Refused]) -> list[Decision]:
    """The outcomes of records below the watermark, from the log; nothing is written.

    A record whose log row was dropped with its month is left out: its outcome was published then.
    """
    decisions = fold(load_world(connection, commands), commands)
    unknown = [decision.command for decision in decisions if decision.logged]
    if unknown:
        # Isolated ones are logged under their place, not under their id, and perhaps without attributes.
        poison = [refuse_as_poison(command, None, bare=bare) for command in unknown for bare in (False, True)]
        work = load_world(connection, poison)
        decisions += [decide(work, command) for command in poison]
    return [decision for decision in decisions if not decision.logged]


class _Bisection:
    """Folds and stores a batch; where the database refuses it, halves it until the poison stands alone."""

    def __init__(self, connection: Connection, check: Check, limit: IsolationLimit, *, raced: bool) -> None:
        self._connection = connection
        self._check = check
        self._limit = limit
        self._raced = raced

    def run(self, commands: Sequence[Command | Refused]) -> list[Decision]:
        try:
            decisions = self._carry_out(commands)
        except Exception as error:
            if not _blames_a_command(error) or (isinstance(error, pg.UniqueViolation) and not self._raced):
                raise
            if len(commands) == 1:
                # The second failure, or a later one: the batch that held it has failed before.
                self._limit.isolate(error)
                log_isolated(commands[0].record, "apply", error)
                return self._isolate(commands[0], error)
        else:
            self._limit.passed(len(commands))
            return decisions
        middle = len(commands) // 2
        return [*self.run(commands[:middle]), *self.run(commands[middle:])]

    def _carry_out(self, commands: Sequence[Command | Refused]) -> list[Decision]:
        with self._connection.transaction():  # a savepoint: the locks before it stay held
            work = load_world(self._connection, commands)
            crash_points.reach("mid-statement")
            decisions = fold(work, commands)
            self._check(decisions)
            store(self._connection, work, decisions)
            return decisions

    def _isolate(self, command: Command | Refused, error: Exception) -> list[Decision]:
        try:
            return self._carry_out([refuse_as_poison(command, error)])
        except Exception as second:
            if not _blames_a_command(second):
                raise
            # An attribute of it is what cannot be stored.
            return self._carry_out([refuse_as_poison(command, error, bare=True)])


def _blames_a_command(error: Exception) -> bool:
    """Return whether one command of a batch may be what failed: by a value, or because a rule broke on it."""
    if not isinstance(error, psycopg.Error):
        return not isinstance(error, Reject | Retry | Stop)
    if error.sqlstate is None:
        return isinstance(error, _OF_THE_CLIENT)
    return error.sqlstate[:2] in _OF_A_COMMAND


def _classified(error: psycopg.Error) -> Retry | Stop:
    """What the applier must do about a database error (SQLSTATE classes, PostgreSQL Appendix A)."""
    state = error.sqlstate or "08000"
    # 08 connection, 25 transaction state after a lost connection, 40 rollback (serialization,
    # deadlock), 53 resources (disk full, too many connections), 55 not available, 57 intervention.
    if state[:2] in {"08", "25", "40", "53", "55", "57", "58"}:
        return Retry(f"the database is not available ({state})")
    # 3F schema, 42 names and rights: not what a record can cause.
    advice = "; is its schema up to date? Try: interactions db upgrade" if state[:2] in {"3F", "42"} else ""
    return Stop(f"the database refuses the batch ({state}, {type(error).__name__}){advice}")
