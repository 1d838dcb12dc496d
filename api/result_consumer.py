"""Consume the results topic: every result, as soon as its rows are committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException

from api.reply_record import ReplyRecord
from runtime.settings import Settings
from runtime.supervised_thread import end_process, supervised
from runtime.topic_tail import TopicTail
from schemas.errors import InteractionsError
from schemas.incoming_record import IncomingRecord
from schemas.topics import RESULTS

_log = structlog.get_logger("outcome_listener")
_REFRESH_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 0.5

#: Receives records in the consumer's thread, in offset order per partition.
RecordsCallback = Callable[[list[ReplyRecord]], None]


class ResultConsumer:
    """One consumer of all partitions of the results topic, in its own thread. It joins no consumer group.

    It reads uncommitted records. A result is produced only after its rows are committed, so it is true even
    if its Kafka transaction is aborted and the result is produced again (decisions, "Two positions").

    :param backlog: number of older records per partition to read first, for the resumption of streams.
    """

    #: Name of the topic in the catalogue.
    topic: str = RESULTS
    #: Added to the partition numbers, so that two consumers can share one stream position.
    first_partition: int = 0

    def __init__(self, settings: Settings, *, backlog: int = 0) -> None:
        self._settings = settings
        self._backlog = backlog
        self._on_records: RecordsCallback = lambda _records: None
        self._stop = threading.Event()
        name = f"consumer of {self.topic}"
        self._thread = supervised(name, self._run, stopping=self._stop.is_set, failed=end_process(name))
        self._ready = threading.Event()
        #: partition → first offset that is read.
        self.starts: dict[int, int] = {}
        #: partition → log end offset when the partition was assigned.
        self.ends: dict[int, int] = {}

    def connected(self) -> bool:
        """True once every later record of the topic will be read."""
        return self._ready.is_set()

    def start(self, on_records: RecordsCallback) -> None:
        """Start the thread; :meth:`connected` reports when it reads."""
        self._on_records = on_records
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        options = {"auto.offset.reset": "latest", "fetch.wait.max.ms": 100}
        with TopicTail(
            self._settings, self.topic, committed=False, on_error=_log_error, options=options
        ) as tail:
            refresh_at = 0.0
            while not self._stop.is_set():
                if time.monotonic() >= refresh_at:
                    refreshed = self._assign_new_partitions(tail)
                    refresh_at = time.monotonic() + (_REFRESH_SECONDS if refreshed else _RETRY_SECONDS)
                records = [it for record in tail.take(0.25) if (it := self._reply_in(record)) is not None]
                if records:
                    self._on_records(records)

    def _assign_new_partitions(self, tail: TopicTail) -> bool:
        """Assign the partitions that are not assigned yet; False if the topic could not be read."""
        try:
            first = self.first_partition
            added = [partition for partition in tail.partitions() if first + partition not in self.ends]
            bounds = {partition: tail.bounds(partition) for partition in added}
            if self._ready.is_set():
                # A partition that was added while we consume is read from its first record.
                bounds = {partition: (low, low) for partition, (low, _) in bounds.items()}
            starts = {partition: max(low, end - self._backlog) for partition, (low, end) in bounds.items()}
            tail.add(starts)
            self.starts |= {first + partition: start for partition, start in starts.items()}
            self.ends |= {first + partition: end for partition, (_, end) in bounds.items()}
        except (KafkaException, InteractionsError) as failure:
            if not self._ready.is_set():
                _log.warning("gateway.results_unavailable", reason=str(failure))
                self._stop.wait(_RETRY_SECONDS)
            return False
        self._ready.set()
        return True

    def _reply_in(self, record: IncomingRecord) -> ReplyRecord | None:
        outcome = self.outcome_of(record)
        if outcome is None:
            return None
        partition = self.first_partition + record.partition
        return ReplyRecord(
            correlation_id=record.header("ce_correlationid"),
            value=record.value or b"",
            outcome=outcome,
            tenant_id=record.header("ce_tenantid"),
            organization_id=record.header("ce_organizationid"),
            partition=partition,
            offset=record.offset,
            fresh=record.offset >= self.ends.get(partition, 0),
        )

    @staticmethod
    def outcome_of(record: IncomingRecord) -> str | None:
        """The outcome that a record reports; ``None`` skips the record."""
        return record.header("ce_outcome")


def _log_error(error: KafkaError) -> None:
    _log.warning("gateway.results_interrupted", reason=error.name())
