"""Read topics as ``read_committed`` consumers do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from runtime.kafka import make_consumer
from runtime.settings import Settings


@dataclass(frozen=True)
class Received:
    """A record as read by a ``read_committed`` consumer."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


def read_topic(settings: Settings, topic: str) -> list[Received]:
    """Read all records of a topic that a ``read_committed`` consumer sees now, partition by partition."""
    # The broker answers a fetch at the end of a partition after the wait; only then is the end known.
    with TopicReader(settings, topic, **{"fetch.wait.max.ms": 10}) as reader:
        return sorted(reader.to_the_end(), key=lambda record: record.partition)


class TopicReader:
    """One consumer over all partitions of a topic, from their beginning."""

    def __init__(self, settings: Settings, topic: str, **options: Any) -> None:
        options["enable.partition.eof"] = True
        self._consumer = make_consumer(settings, f"reader-{uuid.uuid4()}", **options)
        name = settings.topic(topic)
        self._partitions = set(self._consumer.list_topics(name, timeout=10).topics[name].partitions)
        self._ended: set[int] = set()
        self._consumer.assign([TopicPartition(name, number, 0) for number in self._partitions])

    def __enter__(self) -> TopicReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def read(self) -> Iterator[Received]:
        """Read what has arrived, within a twentieth of a second.

        :raises KafkaException: the broker reports an error of a partition.
        """
        for message in self._consumer.consume(1000, 0.05):
            error = message.error()
            number = cast("int", message.partition())
            if error is None:
                self._ended.discard(number)
                yield _received(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended.add(number)
            else:
                raise KafkaException(error)

    def to_the_end(self) -> Iterator[Received]:
        """Read until every partition has been read to its end."""
        yield from self.read()
        while self._ended < self._partitions:
            yield from self.read()


def place_of_result(result: Received) -> tuple[int, int]:
    """Partition and offset of the command that a result belongs to."""
    return int(result.headers["ce_commandpartition"]), int(result.headers["ce_commandoffset"])


def _received(message: Message) -> Received:
    raw = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return Received(
        cast("int", message.partition()),
        cast("int", message.offset()),
        message.key(),
        message.value(),
        {name: (value or b"").decode(errors="replace") for name, value in raw},
    )
