"""The relay's checkpoint on Kafka, written in the same transaction as the events that it covers."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from runtime.settings import Settings
from runtime.topic_tail import TopicTail
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

    :raises KafkaException, Retry: the broker does not answer.

    Hazard: call it after ``init_transactions``. Only then is no transaction of a former leader open.
    """
    found: Checkpoint | None = None
    with TopicTail(settings, RELAY_POSITION) as tail:
        for record in tail.to_end():
            if record.key == shard.encode() and record.value is not None:
                found = _decode_checkpoint(record.value)
    return found


def _decode_checkpoint(value: bytes) -> Checkpoint:
    stored = orjson.loads(value)
    position = JournalPosition(
        stored["xidFloor"], stored["xidCeiling"], stored["position"], stored.get("relabeled", 0)
    )
    return Checkpoint(stored["epoch"], position)
