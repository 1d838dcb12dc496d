"""Reader of a topic without a consumer group: to its end, or following it. Committed records only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from cli.kafka_clients import make_reader
from runtime.kafka import headers_of, take_batch
from runtime.settings import Settings
from schemas.errors import Retry, Stop

_METADATA_SECONDS: Final = 15.0
_FETCH_RECORDS: Final = 500
_FETCH_SECONDS: Final = 0.2
_STALL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """One record as stored in the topic.

    :param topic: name in the topic catalogue, without a deployment's prefix.
    :param timestamp_ms: milliseconds since 1970.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]

    def header(self, name: str) -> str | None:
        """The last header with this name, as text."""
        found = [value for header, value in self.headers if header == name and value is not None]
        return found[-1].decode(errors="replace") if found else None


class TopicReader:
    """The records of one topic.

    :raises Retry: Kafka is unavailable.
    :raises Stop: the topic does not exist.
    """

    def __init__(self, consumer: Consumer, settings: Settings, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._name = settings.topic(topic)
        self._limits = self._watermarks()

    def to_end(self) -> Iterator[TopicRecord]:
        """Records from the beginning to the end offsets at the time this reader was made."""
        left = {partition: end for partition, (begin, end) in self._limits.items() if begin < end}
        self._assign({partition: self._limits[partition][0] for partition in left})
        last_progress = time.monotonic()
        while left:
            records = self._take()
            for record in records:
                if record.offset < left.get(record.partition, 0):
                    yield record
            # The consumer's position also moves past records it does not return: transaction markers and
            # aborted records.
            for position in self._consumer.position([TopicPartition(self._name, p) for p in left]):
                if position.offset != OFFSET_INVALID and position.offset >= left[position.partition]:
                    del left[position.partition]
                    last_progress = time.monotonic()
            if records:
                last_progress = time.monotonic()
            elif time.monotonic() - last_progress > _STALL_SECONDS:
                raise Retry(
                    f"Cannot read {self._name} to its end: no record arrived for {_STALL_SECONDS:g} seconds. "
                    "A transaction may be open, or the broker may be unavailable; retry."
                )

    def follow(self, *, from_beginning: bool) -> Iterator[TopicRecord]:
        """Records from the end at the time this reader was made, or from the beginning; never ends."""
        self._assign({p: begin if from_beginning else end for p, (begin, end) in self._limits.items()})
        while True:
            yield from self._take()

    def _assign(self, starts: dict[int, int]) -> None:
        self._consumer.assign([TopicPartition(self._name, p, offset) for p, offset in starts.items()])

    def _take(self) -> list[TopicRecord]:
        records = []
        for message in take_batch(self._consumer, _FETCH_RECORDS, _FETCH_SECONDS):
            error = message.error()
            if error is None:
                records.append(_record(self._topic, message))
            elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                raise Retry(f"Cannot read {self._name}: {error.str()}")
        return records

    def _watermarks(self) -> dict[int, tuple[int, int]]:
        try:
            found = self._consumer.list_topics(self._name, timeout=_METADATA_SECONDS).topics[self._name]
            if found.error is not None or not found.partitions:
                raise Stop(
                    f"The topic {self._name} does not exist. Create it with: interactions topics --create"
                )
            return {
                partition: self._consumer.get_watermark_offsets(
                    TopicPartition(self._name, partition), timeout=_METADATA_SECONDS
                )
                for partition in found.partitions
            }
        except KafkaException as failure:
            raise Retry(f"Kafka is unavailable ({self._name}: {failure.args[0].str()}); retry.") from failure


@contextmanager
def reading(settings: Settings, topic: str) -> Iterator[TopicReader]:
    """A reader of a topic in the catalogue."""
    consumer = make_reader(settings, "read")
    try:
        yield TopicReader(consumer, settings, topic)
    finally:
        consumer.close()


def _record(topic: str, message: Message) -> TopicRecord:
    found: Any = message
    return TopicRecord(
        topic=topic,
        partition=found.partition(),
        offset=found.offset(),
        timestamp_ms=found.timestamp()[1],
        key=found.key(),
        value=found.value(),
        headers=headers_of(message) or [],
    )
