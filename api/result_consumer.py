"""Consume the results topic: every result, as soon as its rows are committed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from api.result_record import ResultRecord
from runtime.kafka import headers_of, make_consumer, take_batch
from runtime.settings import Settings
from runtime.supervised_thread import end_process, supervised
from schemas.errors import InteractionsError, Stop
from schemas.topics import RESULTS

_log = structlog.get_logger("outcome_listener")
_BROKER_TIMEOUT_SECONDS: Final = 5.0
_REFRESH_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 0.5

#: Receives records in the consumer's thread, in offset order per partition.
RecordsCallback = Callable[[list[ResultRecord]], None]


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
        self._topic = settings.topic(self.topic)
        self._backlog = backlog
        self._on_results: RecordsCallback = lambda _records: None
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

    def start(self, on_results: RecordsCallback) -> None:
        """Start the thread; :meth:`connected` reports when it reads."""
        self._on_results = on_results
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        consumer = make_consumer(
            self._settings,
            f"interactions-gateway-{os.getpid()}",
            **{
                "isolation.level": "read_uncommitted",
                "auto.offset.reset": "latest",
                "enable.auto.offset.store": False,
                "fetch.wait.max.ms": 100,
                "allow.auto.create.topics": False,
            },
        )
        try:
            refresh_at = 0.0
            while not self._stop.is_set():
                if time.monotonic() >= refresh_at:
                    refreshed = self._assign_new_partitions(consumer)
                    refresh_at = time.monotonic() + (_REFRESH_SECONDS if refreshed else _RETRY_SECONDS)
                self._poll(consumer)
        finally:
            consumer.close()

    def _assign_new_partitions(self, consumer: Consumer) -> bool:
        """Assign the partitions that are not assigned yet; False if the topic could not be read."""
        try:
            metadata = consumer.list_topics(self._topic, timeout=_BROKER_TIMEOUT_SECONDS).topics[self._topic]
            if metadata.error is not None or not metadata.partitions:
                raise Stop(f"the topic {self._topic} does not exist")
            numbers = {self.first_partition + partition for partition in metadata.partitions}
            assigned = []
            for number in sorted(numbers - set(self.ends)):
                position = TopicPartition(self._topic, number - self.first_partition)
                low, end = consumer.get_watermark_offsets(position, timeout=_BROKER_TIMEOUT_SECONDS)
                # A partition that was added while we consume is read from its first record.
                added_later = self._ready.is_set()
                self.starts[number] = position.offset = low if added_later else max(low, end - self._backlog)
                self.ends[number] = low if added_later else end
                assigned.append(position)
            if assigned:
                consumer.incremental_assign(assigned)
        except (KafkaException, InteractionsError) as failure:
            if not self._ready.is_set():
                _log.warning("gateway.results_unavailable", reason=str(failure))
                self._stop.wait(_RETRY_SECONDS)
            return False
        self._ready.set()
        return True

    def _poll(self, consumer: Consumer) -> None:
        messages = take_batch(consumer, 1000, 0.25)
        records = [record for message in messages if (record := self._record_of(message)) is not None]
        if records:
            self._on_results(records)

    def _record_of(self, message: Message) -> ResultRecord | None:
        error = message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                _log.warning("gateway.results_interrupted", reason=error.name())
            return None
        raw = headers_of(message) or []
        headers = {name: value for name, value in raw if isinstance(value, bytes)}
        outcome = self.outcome_of(headers)
        if outcome is None:
            return None
        partition, offset = self.first_partition + int(message.partition() or 0), int(message.offset() or 0)
        return ResultRecord(
            correlation_id=_text(headers.get("ce_correlationid")),
            value=message.value() or b"",
            outcome=outcome,
            tenant_id=_text(headers.get("ce_tenantid")),
            organization_id=_text(headers.get("ce_organizationid")),
            partition=partition,
            offset=offset,
            fresh=offset >= self.ends.get(partition, 0),
        )

    @staticmethod
    def outcome_of(headers: Mapping[str, bytes]) -> str | None:
        """The outcome that a record reports; ``None`` skips the record."""
        return _text(headers.get("ce_outcome"))


def _text(value: bytes | None) -> str | None:
    return value.decode(errors="replace") if value is not None else None
