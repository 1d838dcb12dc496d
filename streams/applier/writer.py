"""Stage 2 of the applier: apply batches, one transaction per batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import groupby

import structlog

from domain.decision import Decision
from runtime import crash_points
from runtime.backoff import Backoff
from runtime.postgres import Connection, connect, is_unavailable, timed_out
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.topics import COMMANDS
from sinks.batch import BatchSink
from sinks.query_plans import KEEP_PLANS
from streams.applier.apply import Applier
from streams.applier.batches import Batch, BatchQueue, InFlight, joined, place_of_command
from streams.applier.result_records import EncodeResult
from streams.applier.result_values import ResultValues
from streams.heartbeat import Heartbeat

_log = structlog.get_logger("applier")

# Bound how long a stalled applier can hold a partition lock or keep a transaction open across a month
# boundary.
_SESSION = (
    *KEEP_PLANS,
    "SET idle_in_transaction_session_timeout = '10s'",
    "SET transaction_timeout = '90s'",
    # After that, a former owner that still holds a needed lock is ended (sinks.batch).
    "SET lock_timeout = '10s'",
)

_EXCUSED_SECONDS = 5.0


class Writer:
    """Applies each batch until it is committed; it never skips a batch."""

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
        self._results = ResultValues(encode)
        self._in_flight = in_flight
        self._batches = batches
        self._applied = applied
        self._heartbeat = heartbeat
        self._stop = stop
        self._connection: Connection | None = None
        self._applier: Applier | None = None

    def run(self) -> None:
        """Work until the reader has ended and nothing is left.

        :raises Stop: the database refuses in a way that no retry mends.
        """
        try:
            while not self._in_flight.finished():
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
        """Join the batches that wait: each transaction costs the same round trips, however small."""
        for _, group in groupby(batches, key=lambda batch: batch.generation):
            following = list(group)
            for _ in following[1:]:
                self._in_flight.land()  # all were counted, one goes on
            yield joined(following)

    def _commit(self, batch: Batch) -> bool:
        """Apply the batch; ``False`` when it became void, or the process was asked to stop, before that."""
        delays, pieces = Backoff(first=0.05, ceiling=5.0).delays(), 1
        while self._in_flight.current(batch):
            try:
                batch.decisions = self._apply(batch, pieces)
            except Retry as error:
                self._heartbeat.beat("writer")
                if timed_out(error.__cause__):
                    # On a starved machine the same batch would time out every time.
                    pieces = min(2 * pieces, len(batch.commands))
                pause = next(delays) if error.after is None else error.after
                if is_unavailable(error.__cause__):
                    self._heartbeat.excuse("writer", pause + _EXCUSED_SECONDS)
                _log.warning("applier.retry", reason=str(error), seconds=round(pause, 2))
                if self._connection is not None and self._connection.closed:
                    self._close()
                if self._stop.wait(pause):
                    # Void with all that follow it: what comes after a gap must not be applied.
                    self._in_flight.abandon()
                    return False
                continue
            batch.results = self._results.take()
            for decision in batch.decisions:
                _warn_of_unknown(decision)
            return True
        return False

    def _apply(self, batch: Batch, pieces: int) -> list[Decision]:
        """Apply a batch in this many transactions, one after the other.

        A retry finds the committed ones below the watermark.
        """
        decisions: list[Decision] = []
        starts = dict(batch.starts)
        size = -(-len(batch.commands) // pieces)
        for first in range(0, len(batch.commands), size):
            applier = self._applier or self._open()
            piece = batch.commands[first : first + size]
            places = [place_of_command(command) for command in piece]
            mine = {number: starts[number] for number, _ in places}
            decisions += applier.apply(piece, mine, self._in_flight.published)
            starts.update((number, offset + 1) for number, offset in places)
            self._heartbeat.beat("writer")
        return decisions

    def _open(self) -> Applier:
        connection = connect(self._settings, application_name="interactions-applier")
        for statement in _SESSION:
            connection.execute(statement)
        connection.commit()
        self._connection = connection
        sink = BatchSink(
            connection,
            consumer_group=self._settings.consumer_group,
            topic=self._settings.topic(COMMANDS),
        )
        self._applier = Applier(sink, self._results)
        return self._applier

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._applier = None


def _warn_of_unknown(decision: Decision) -> None:
    """Log an update of an unknown interaction, which never creates one; without customer text."""
    if decision.outcome != "rejected":
        return
    problem = decision.entry.facts.problem or {}
    envelope = decision.command.envelope
    if problem.get("code") == "interaction_not_found":
        _log.warning(
            "applier.update_of_unknown",
            tenant_id=envelope.tenant_id,
            organization_id=envelope.organization_id,
            command_id=envelope.id,
            command_type=envelope.type,
        )
