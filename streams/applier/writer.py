"""Stage 2 of the applier: batches into the database, one transaction each."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import groupby

import structlog

from domain.decision import Decision
from runtime import crash_points
from runtime.backoff import Backoff
from runtime.postgres import Connection, connect, refuses, timed_out
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from schemas.topics import COMMANDS
from sinks.notify import Notice
from sinks.batch import BatchTransaction
from streams.applier.batches import Batch, BatchQueue, InFlight, joined
from streams.applier.result_records import EncodeResult, notices, result_value
from streams.heartbeat import Heartbeat

_log = structlog.get_logger("applier")

#: Every statement has one good plan, by index, whatever the size of its arrays. Planning it for each batch
#: costs as much as running it. Hazard: a plan that is kept was made when a table, or the month's partition
#: of one, was empty; left to choose, it would read the whole of it until somebody analyses the table.
KEEP_PLANS = (
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_material = off",
)

# A paused owner must not hold a partition's lock for ever, nor outlive the turn of a month unnoticed.
_SESSION = (
    *KEEP_PLANS,
    "SET idle_in_transaction_session_timeout = '10s'",
    "SET transaction_timeout = '90s'",
    # After that a former owner that still holds a lock of ours is ended (sinks.batch).
    "SET lock_timeout = '10s'",
)

_EXCUSED_SECONDS = 5.0


class Unencodable(Exception):
    """The result of a command does not fit its schema."""


class Writer:
    """Applies each batch until it is committed; a batch is never skipped."""

    def __init__(
        self,
        settings: Settings,
        encode: EncodeResult,
        in_flight: InFlight,
        batches: BatchQueue,
        applied: BatchQueue,
        heartbeat: Heartbeat,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._encode = encode
        self._in_flight = in_flight
        self._batches = batches
        self._applied = applied
        self._heartbeat = heartbeat
        self._stop = stop
        self._connection: Connection | None = None
        self._transaction: BatchTransaction | None = None
        # By place: values of the results of the batch in hand.
        self._values: dict[tuple[int, int], bytes] = {}

    def run(self) -> None:
        """Work until asked to stop and nothing is left.

        :raises Stop: the database refuses in a way that no retry mends.
        """
        try:
            while not (self._stop.is_set() and self._in_flight.empty()):
                for batch in self._joined(self._batches.take(0.25)):
                    self._heartbeat.beat("writer")
                    if self._commit(batch):
                        crash_points.reach("after-commit-before-results")
                        self._applied.put(batch)
                    else:
                        self._in_flight.land()
                    self._heartbeat.rest("writer")
        finally:
            self._close()

    def _joined(self, batches: list[Batch]) -> Iterator[Batch]:
        """What waited together goes in one transaction: each costs the same round trips, however small."""
        for _, group in groupby(batches, key=lambda batch: batch.generation):
            following = list(group)
            for _ in following[1:]:
                self._in_flight.land()  # all have departed, one goes on
            yield joined(following)

    def _commit(self, batch: Batch) -> bool:
        """Apply the batch; ``False`` when it became void, or when we were told to stop, before that."""
        delays, pieces = Backoff(first=0.05, ceiling=5.0).delays(), 1
        while self._in_flight.current(batch):
            try:
                batch.decisions = self._apply(batch, pieces)
            except Retry as error:
                self._heartbeat.beat("writer")
                if timed_out(error.__cause__):
                    # On a starved machine the same batch would time out for ever.
                    pieces = min(2 * pieces, len(batch.commands))
                pause = next(delays) if error.after is None else error.after
                if refuses(error.__cause__):
                    self._heartbeat.excuse("writer", pause + _EXCUSED_SECONDS)
                _log.warning("applier.retry", reason=str(error), seconds=round(pause, 2))
                if self._connection is not None and self._connection.closed:
                    self._close()
                if self._stop.wait(pause):
                    # Void with all that follow it: what comes after a gap must not be applied.
                    self._in_flight.abandon()
                    return False
                continue
            batch.results, self._values = self._values, {}
            for decision in batch.decisions:
                _guard(decision)
            return True
        return False

    def _check(self, decisions: Sequence[Decision]) -> None:
        """Make the values of results, before anything of them is stored.

        :raises Unencodable: one of them cannot be published.
        """
        for decision in decisions:
            record = decision.command.record
            try:
                self._values[record.partition, record.offset] = result_value(decision, self._encode)
            except Stop as error:
                # Hazard: found out after the commit, it could be told to nobody, at every start again.
                raise Unencodable from error

    def _value(self, decision: Decision) -> bytes:
        record = decision.command.record
        value = self._values.get((record.partition, record.offset))
        return value if value is not None else result_value(decision, self._encode)

    def _notices(self, decisions: Sequence[Decision]) -> Sequence[Notice]:
        try:
            return notices(decisions, self._value)
        except Exception as error:  # noqa: BLE001 - a hint only: the outcomes are committed by now
            _log.warning("applier.no_notices", error=type(error).__name__)
            return []

    def _apply(self, batch: Batch, pieces: int) -> list[Decision]:
        """Apply a batch in so many transactions, one after the other; what is committed is not done again."""
        decisions: list[Decision] = []
        starts = dict(batch.starts)
        size = -(-len(batch.commands) // pieces)
        for first in range(0, len(batch.commands), size):
            transaction = self._transaction or self._open()
            piece = batch.commands[first : first + size]
            places = [(command.record.partition, command.record.offset) for command in piece]
            mine = {number: starts[number] for number, _ in places}
            decisions += transaction.apply(piece, mine, self._in_flight.published)
            starts.update((number, offset + 1) for number, offset in places)
            self._heartbeat.beat("writer")
        return decisions

    def _open(self) -> BatchTransaction:
        connection = connect(self._settings, application_name="interactions-applier")
        for statement in _SESSION:
            connection.execute(statement)
        connection.commit()
        self._connection = connection
        self._transaction = BatchTransaction(
            connection,
            consumer_group=self._settings.consumer_group,
            topic=self._settings.topic(COMMANDS),
            notices=self._notices,
            check=self._check,
        )
        return self._transaction

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._transaction = None


def _guard(decision: Decision) -> None:
    """UPDATE never creates: an update of something unknown is said aloud, without customers' text."""
    if decision.outcome != "rejected":
        return
    problem = decision.result.get("problem") or {}
    envelope = decision.command.envelope
    if problem.get("code") == "interaction_not_found":
        _log.warning(
            "applier.update_of_unknown",
            tenant_id=envelope.tenant_id,
            organization_id=envelope.organization_id,
            command_id=envelope.id,
            command_type=envelope.type,
        )
