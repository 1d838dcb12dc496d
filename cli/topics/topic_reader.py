"""Reads a topic without joining a group: to its end, or on and on; committed records only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from cli.kafka_clients import SILENT
from runtime.kafka import headers_of, make_consumer
from runtime.settings import Settings
from schemas.errors import Retry, Stop

_ASK_SECONDS: Final = 15.0
_TURN_RECORDS: Final = 500
_TURN_SECONDS: Final = 0.2
_SILENT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """One record as it lies in the topic.

    :param topic: the name of the catalogue, without a deployment's prefix.
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
        """The last header of this name, as text."""
        found = [value for header, value in self.headers if header == name and value is not None]
        return found[-1].decode(errors="replace") if found else None


class TopicReader:
    """The records of one topic.

    :raises Retry: the broker does not answer.
    :raises Stop: the topic does not exist.
    """

    def __init__(self, consumer: Consumer, settings: Settings, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._name = settings.topic(topic)
        self._limits = self._watermarks()

    def to_end(self) -> Iterator[TopicRecord]:
        """From the beginning to where the topic ended when this reader was made."""
        left = {partition: end for partition, (begin, end) in self._limits.items() if begin < end}
        self._assign({partition: self._limits[partition][0] for partition in left})
        heard = time.monotonic()
        while left:
            records = self._take()
            for record in records:
                if record.offset < left.get(record.partition, 0):
                    yield record
            # The consumer's position also passes what is not shown: transaction marks, aborted records.
            for place in self._consumer.position([TopicPartition(self._name, p) for p in left]):
                if place.offset != OFFSET_INVALID and place.offset >= left[place.partition]:
                    del left[place.partition]
                    heard = time.monotonic()
            if records:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENT_SECONDS:
                raise Retry(
                    f"{self._name} cannot be read to its end: nothing came for {_SILENT_SECONDS:g} seconds; "
                    "a transaction may be open, or the broker is away"
                )

    def onwards(self, *, from_beginning: bool) -> Iterator[TopicRecord]:
        """From the end as it was when this reader was made (or from the beginning), for ever."""
        self._assign({p: begin if from_beginning else end for p, (begin, end) in self._limits.items()})
        while True:
            yield from self._take()

    def _assign(self, starts: dict[int, int]) -> None:
        self._consumer.assign([TopicPartition(self._name, p, offset) for p, offset in starts.items()])

    def _take(self) -> list[TopicRecord]:
        records = []
        for message in self._consumer.consume(_TURN_RECORDS, _TURN_SECONDS):
            error = message.error()
            if error is None:
                records.append(_record(self._topic, message))
            elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                raise Retry(f"{self._name} cannot be read: {error.str()}")
        return records

    def _watermarks(self) -> dict[int, tuple[int, int]]:
        try:
            found = self._consumer.list_topics(self._name, timeout=_ASK_SECONDS).topics[self._name]
            if found.error is not None or not found.partitions:
                raise Stop(
                    f"the topic {self._name} does not exist; make it with: interactions topics --create"
                )
            return {
                partition: self._consumer.get_watermark_offsets(
                    TopicPartition(self._name, partition), timeout=_ASK_SECONDS
                )
                for partition in found.partitions
            }
        except KafkaException as failure:
            raise Retry(f"{self._name} cannot be read: {failure.args[0].str()}. Is Kafka up?") from failure


@contextmanager
def reading(settings: Settings, topic: str) -> Iterator[TopicReader]:
    """A reader of a topic of the catalogue."""
    consumer = make_consumer(
        settings, f"interactions-read-{os.getpid()}", **{"enable.auto.offset.store": False, "logger": SILENT}
    )
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
