"""The relay's checkpoint on Kafka, written in the same transaction as the events that it covers."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.kafka import make_consumer, take_batch
from runtime.settings import Settings
from schemas.topics import RELAY_POSITION
from sinks.journal_reader import JournalPosition


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position in the journal and the epoch of the database cluster that it belongs to."""

    epoch: str
    position: JournalPosition


def encode_checkpoint(epoch: str, position: JournalPosition) -> bytes:
    """Encode the value of a checkpoint record."""
    return orjson.dumps(
        {
            "epoch": epoch,
            "xidFloor": position.floor,
            "xidCeiling": position.ceiling,
            "position": position.position,
            "relabeled": position.relabeled,
        }
    )


def read_checkpoint(settings: Settings, shard: str) -> Checkpoint | None:
    """Read the last committed checkpoint of a shard; ``None`` when it has never published.

    Hazard: call it after ``init_transactions``. Only then is no transaction of a former leader open.
    """
    consumer = make_consumer(settings, "interactions-relay-position", **{"enable.partition.eof": True})
    found: Checkpoint | None = None
    try:
        consumer.assign([TopicPartition(settings.topic(RELAY_POSITION), 0, 0)])
        while True:
            for message in take_batch(consumer, 1000, 0.1):
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
                        JournalPosition(
                            stored["xidFloor"],
                            stored["xidCeiling"],
                            stored["position"],
                            stored.get("relabeled", 0),
                        ),
                    )
    finally:
        consumer.close()
