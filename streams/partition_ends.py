"""Where the partitions of a topic begin and end, for readers of committed records and for all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

_SECONDS: Final = 5.0
#: The id of a topic on a broker that gives none (before Kafka 2.8).
_NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True, slots=True)
class PartitionEnds:
    """Offsets of one partition.

    :param low: the first offset that is kept.
    :param stable: the end for readers of committed records: the first offset of the oldest open
        transaction, or ``high`` when none is open ("last stable offset").
    :param high: the end of the log ("high watermark").
    """

    low: int
    stable: int
    high: int


def partition_numbers(admin: AdminClient, topic: str) -> list[int]:
    """The partitions that a topic has now; none when it does not exist.

    :raises KafkaException: the broker does not answer.
    """
    found = admin.list_topics(topic, timeout=_SECONDS).topics[topic]
    return sorted(found.partitions)


def partition_ends(admin: AdminClient, topic: str, numbers: Sequence[int]) -> dict[int, PartitionEnds]:
    """The ends of some partitions, three requests in all.

    :raises KafkaException: the broker does not answer, or does not know a partition (yet).
    """
    earliest: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    # Hazard: the low ends first, or a partition that is cut meanwhile would seem to begin behind its end.
    low = _offsets(admin, topic, numbers, earliest, IsolationLevel.READ_UNCOMMITTED)
    stable = _offsets(admin, topic, numbers, latest, IsolationLevel.READ_COMMITTED)
    high = _offsets(admin, topic, numbers, latest, IsolationLevel.READ_UNCOMMITTED)
    return {number: PartitionEnds(low[number], stable[number], high[number]) for number in numbers}


def _offsets(
    admin: AdminClient, topic: str, numbers: Sequence[int], spec: Any, isolation: IsolationLevel
) -> dict[int, int]:
    wanted = {TopicPartition(topic, number): spec for number in numbers}
    if not wanted:
        return {}
    futures = admin.list_offsets(wanted, isolation_level=isolation, request_timeout=_SECONDS)
    return {partition.partition: future.result().offset for partition, future in futures.items()}


def topic_id(admin: AdminClient, topic: str) -> str | None:
    """The id that Kafka gave the topic when it was created; ``None`` on a broker that gives none.

    :raises KafkaException: the broker does not answer, or has no such topic.
    """
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=_SECONDS)[topic].result()
    found = str(described.topic_id)
    return None if found == _NO_ID else found


def committed_offsets(admin: AdminClient, group: str, topic: str) -> dict[int, int]:
    """Partition → the offset that a consumer group has committed; those without one are missing.

    :raises KafkaException: the broker does not answer.
    """
    asked = ConsumerGroupTopicPartitions(group)
    found = admin.list_consumer_group_offsets([asked], request_timeout=_SECONDS)[group].result()
    return {
        place.partition: place.offset
        for place in found.topic_partitions
        if place.topic == topic and place.error is None and place.offset >= 0
    }
