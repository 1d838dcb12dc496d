"""The relay's own position on Kafka: written in the same transaction as the events it covers."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.kafka import make_consumer
from runtime.settings import Settings
from schemas.topics import RELAY_POSITION
from sinks.outbox_reader import OutboxPosition


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position and the database history it belongs to."""

    epoch: str
    at: OutboxPosition


def encode_checkpoint(epoch: str, at: OutboxPosition) -> bytes:
    """The value of a position record."""
    return orjson.dumps(
        {"epoch": epoch, "xidFloor": at.floor, "xidCeiling": at.ceiling, "position": at.position}
    )


def read_checkpoint(settings: Settings, shard: str) -> Checkpoint | None:
    """The last committed position of a shard, or ``None`` when it never published.

    Must be called after ``init_transactions``: only then is no transaction of a former leader open.
    """
    consumer = make_consumer(settings, "interactions-relay-position", **{"enable.partition.eof": True})
    found: Checkpoint | None = None
    try:
        consumer.assign([TopicPartition(settings.topic(RELAY_POSITION), 0, 0)])
        while True:
            for message in consumer.consume(1000, 0.1):  # it waits for all of the time
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - a public constant
                        return found
                    if error.code() != KafkaError.OFFSET_OUT_OF_RANGE:
                        raise KafkaException(error)
                    continue
                value = message.value()
                if message.key() == shard.encode() and value is not None:
                    stored = orjson.loads(value)
                    found = Checkpoint(
                        stored["epoch"],
                        OutboxPosition(stored["xidFloor"], stored["xidCeiling"], stored["position"]),
                    )
    finally:
        consumer.close()
