"""The relay's checkpoints on Kafka, each written in the same transaction as the records that it covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

from runtime.settings import Settings
from runtime.topic_tail import TopicTail
from schemas.topics import RELAY_POSITION
from sinks.journal_reader import JournalPosition

#: Record keys: the checkpoint of the events, and that of the states, which is the same or earlier.
EVENTS_SHARD: Final = "0"
STATES_SHARD: Final = "states"
#: Written once the rows of before the topics of customers, deals and types existed are published.
STORED_SHARD: Final = "stored"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position in the journal and the epoch of the database cluster that it belongs to."""

    epoch: str
    position: JournalPosition


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Encode the value of a checkpoint record."""
    position = checkpoint.position
    return orjson.dumps(
        {
            "epoch": checkpoint.epoch,
            "xidFloor": position.floor,
            "xidCeiling": position.ceiling,
            "position": position.position,
            "relabeled": position.relabeled,
        }
    )


def read_checkpoints(settings: Settings) -> dict[str, Checkpoint]:
    """Read the last committed checkpoint per shard; none when the relay has never published.

    Of a version that published the states with the events, only the checkpoint of the events exists.

    :raises KafkaException, Retry: the broker does not answer.

    Hazard: call it after ``init_transactions``. Only then is no transaction of a former leader open.
    """
    found: dict[str, Checkpoint] = {}
    with TopicTail(settings, RELAY_POSITION) as tail:
        for record in tail.to_end():
            if record.key is not None and record.value is not None:
                found[record.key.decode()] = _decode_checkpoint(record.value)
    return found


def _decode_checkpoint(value: bytes) -> Checkpoint:
    stored = orjson.loads(value)
    position = JournalPosition(
        stored["xidFloor"], stored["xidCeiling"], stored["position"], stored.get("relabeled", 0)
    )
    return Checkpoint(stored["epoch"], position)
