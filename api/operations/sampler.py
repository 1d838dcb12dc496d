"""Sampler thread: reads watermarks, the ends of the commands topic and the relay's position every 10 s."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from api.operations.samples import SAMPLE_SECONDS, PartitionLag, Sample, Samples
from api.queries.operations import relay_lag
from runtime.outages import describe, sessions
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from runtime.supervised_thread import end_process, supervised
from runtime.topic_tail import TopicTail
from schemas.errors import Stop
from schemas.topics import COMMANDS
from sinks.consumed_offsets import PartitionProgress, partition_progress

_log = structlog.get_logger("operations_sampler")


class OperationsSampler:
    """One thread with one database connection and one consumer without a group.

    It reads a few rows per sample: one per partition, one of the relay, and the first unpublished row.

    :ivar unavailable: reason why the last attempt took no sample.
    """

    def __init__(self, settings: Settings, seconds: float = SAMPLE_SECONDS) -> None:
        self._settings = settings
        self._seconds = seconds
        self._stop = threading.Event()
        name = "operations-sampler"
        self._thread = supervised(name, self._run, stopping=self._stop.is_set, failed=end_process(name))
        self.samples = Samples()
        self.unavailable: str | None = None

    def start(self) -> None:
        """Start to sample."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        def note(error: Exception, _seconds: float) -> None:
            self.unavailable = describe(error)
            _log.warning("gateway.sample_failed", reason=self.unavailable)

        sessions(self._sample_until_stopped, note, self._stop.wait)

    def _sample_until_stopped(self) -> None:
        with (
            connect(
                self._settings, application_name="interactions-gateway-sampler", autocommit=True
            ) as connection,
            TopicTail(self._settings, COMMANDS) as tail,
        ):
            connection.execute("SET default_transaction_read_only = on")
            connection.execute("SET statement_timeout = '5s'")
            while not self._stop.is_set():
                try:
                    self.samples.add(self._sample(connection, tail))
                    self.unavailable = None
                except Stop as error:  # the topic does not exist yet
                    self.unavailable = str(error)
                if self._stop.wait(self._seconds):
                    return

    def _sample(self, connection: Connection, tail: TopicTail) -> Sample:
        progress = partition_progress(connection, self._settings.consumer_group, tail.name)
        partitions = {}
        for number in tail.partitions():
            low, end = tail.bounds(number)
            stored = progress.get(number, PartitionProgress())
            lag = _lag_of(tail, number, max(low, stored.next_offset), end)
            partitions[number] = replace(lag, batch_seconds=stored.batch_seconds)
        relay_seconds, blocked_by = relay_lag(connection)
        return Sample(
            at=datetime.now(UTC),
            partitions=partitions,
            relay_seconds=relay_seconds,
            blocked_by=blocked_by,
            outcomes=self.samples.outcomes(),
        )


def _lag_of(tail: TopicTail, number: int, applied: int, end: int) -> PartitionLag:
    if applied >= end:
        return PartitionLag(applied, 0, 0.0)
    first = tail.first(number, applied)
    if first is None:
        # Only transaction markers are left.
        return PartitionLag(applied, 0, 0.0)
    seconds = max(0.0, datetime.now(UTC).timestamp() - first.timestamp_ms / 1000)
    return PartitionLag(applied, end - applied, seconds)
