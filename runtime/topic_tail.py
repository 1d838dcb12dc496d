"""Reader of one topic from chosen offsets, in no consumer group."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message, TopicPartition

from runtime.incoming_records import read_record
from runtime.kafka import make_consumer, take_batch
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from schemas.incoming_record import IncomingRecord

_ANSWER_SECONDS: Final = 10.0
_MOST_RECORDS: Final = 1_000
_WAIT_SECONDS: Final = 0.2
#: Much longer than the transaction of a killed role stays open.
_STALL_SECONDS: Final = 30.0


def raise_error(error: KafkaError) -> None:
    """Refuse to read on after an error of a partition."""
    raise KafkaException(error)


class TopicTail:
    """One consumer of one topic; it assigns its partitions itself and stores no offsets.

    :param topic: name in the topic catalogue; records carry this name too.
    :param committed: leave out records of open and aborted transactions.
    :param on_error: receives the errors of partitions; by default they are raised.
    :param options: further librdkafka properties.
    """

    def __init__(
        self,
        settings: Settings,
        topic: str,
        *,
        committed: bool = True,
        on_error: Callable[[KafkaError], None] = raise_error,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._topic = topic
        self._on_error = on_error
        #: Name in this deployment.
        self.name = settings.topic(topic)
        self._consumer = make_consumer(
            settings,
            f"interactions-tail-{os.getpid()}",
            **{
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
                **(options or {}),
            },
        )

    def __enter__(self) -> TopicTail:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def partitions(self) -> list[int]:
        """Return the partition numbers.

        :raises KafkaException: the broker does not answer.
        :raises Stop: the topic does not exist.
        """
        found = self._consumer.list_topics(self.name, timeout=_ANSWER_SECONDS).topics[self.name]
        if found.error is not None or not found.partitions:
            raise Stop(
                f"The topic {self.name} does not exist. Create the topics with: interactions topics --create"
            )
        return sorted(found.partitions)

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first retained offset and the end; without open transactions if only committed.

        :raises KafkaException: the broker does not answer.
        """
        return self._consumer.get_watermark_offsets(
            TopicPartition(self.name, partition), timeout=_ANSWER_SECONDS
        )

    def add(self, starts: Mapping[int, int]) -> None:
        """Read further partitions.

        :param starts: partition → offset of the first record.
        """
        if starts:
            self._consumer.incremental_assign(
                [TopicPartition(self.name, partition, offset) for partition, offset in starts.items()]
            )

    def take(self, seconds: float = _WAIT_SECONDS) -> list[IncomingRecord]:
        """Return the records that have arrived.

        :param seconds: how long to wait for the first.
        :raises KafkaException: a partition cannot be read, unless ``on_error`` accepts that.
        """
        messages = take_batch(self._consumer, _MOST_RECORDS, seconds)
        return [read_record(message, self._topic) for message in messages if self._is_record(message)]

    def to_end(self) -> Iterator[IncomingRecord]:
        """Read all partitions from the beginning to their ends as they are now.

        :raises KafkaException: the broker does not answer.
        :raises Stop: the topic does not exist.
        :raises Retry: no progress.
        """
        spans = {partition: self.bounds(partition) for partition in self.partitions()}
        ends = {partition: end for partition, (begin, end) in spans.items() if begin < end}
        self.add({partition: spans[partition][0] for partition in ends})
        last_progress = time.monotonic()
        while ends:
            records = self.take()
            for record in records:
                if record.offset < ends.get(record.partition, 0):
                    yield record
            ended = self.reached(ends)
            for partition in ended:
                del ends[partition]
            if records or ended:
                last_progress = time.monotonic()
            elif time.monotonic() - last_progress > _STALL_SECONDS:
                raise Retry(
                    f"Cannot read {self.name} to its end: no record arrived for {_STALL_SECONDS:g} seconds."
                    " A transaction may be open, or the broker may be unavailable; retry."
                )

    def reached(self, ends: Mapping[int, int]) -> list[int]:
        """Return the partitions that were read up to these offsets; each must have been added."""
        # The position also moves past what is not returned: transaction markers and aborted records.
        positions = self._consumer.position([TopicPartition(self.name, number) for number in ends])
        return [
            it.partition
            for it in positions
            if it.offset != OFFSET_INVALID and it.offset >= ends[it.partition]
        ]

    def first(self, partition: int, offset: int) -> IncomingRecord | None:
        """Return the first record at or after an offset, if there is one (no transaction marker).

        :raises KafkaException: the partition cannot be read.
        :raises Retry: the broker does not answer.
        """
        self._consumer.assign([TopicPartition(self.name, partition, offset)])
        try:
            message = self._consumer.poll(_ANSWER_SECONDS)
        finally:
            self._consumer.unassign()
        if message is None:
            raise Retry(f"Kafka did not answer when partition {partition} of {self.name} was read")
        return read_record(message, self._topic) if self._is_record(message) else None

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - a public constant
            self._on_error(error)
        return error is None
