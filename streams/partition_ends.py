"""Start and end offsets of partitions, for ``read_committed`` and ``read_uncommitted`` readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

_SECONDS: Final = 5.0
#: The topic id reported by a broker without topic ids (before Kafka 2.8).
_NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True, slots=True)
class PartitionEnds:
    """Offsets of one partition.

    :param low: the first retained offset ("log start offset").
    :param stable: the end for ``read_committed`` readers ("last stable offset"): the first offset of the
        oldest open transaction, or ``high`` when none is open.
    :param high: the end of the log ("high watermark").
    """

    low: int
    stable: int
    high: int


def partition_numbers(admin: AdminClient, topic: str) -> list[int]:
    """Return the partition numbers of a topic; empty when it does not exist.

    :raises KafkaException: the broker does not answer.
    """
    found = admin.list_topics(topic, timeout=_SECONDS).topics[topic]
    return sorted(found.partitions)


def partition_ends(admin: AdminClient, topic: str, numbers: Sequence[int]) -> dict[int, PartitionEnds]:
    """Return the ends of the given partitions, with three requests.

    :raises KafkaException: the broker does not answer, or does not know a partition (yet).
    """
    earliest: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    # Hazard: the low ends first. Otherwise a partition that is truncated meanwhile appears to start after
    # its end.
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
    """Return the topic id that Kafka assigned at creation; ``None`` on a broker without topic ids.

    :raises KafkaException: the broker does not answer, or has no such topic.
    """
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=_SECONDS)[topic].result()
    found = str(described.topic_id)
    return None if found == _NO_ID else found


def committed_offsets(admin: AdminClient, group: str, topic: str) -> dict[int, int]:
    """Return partition → committed offset of a consumer group; partitions without one are left out.

    :raises KafkaException: the broker does not answer.
    """
    request = ConsumerGroupTopicPartitions(group)
    found = admin.list_consumer_group_offsets([request], request_timeout=_SECONDS)[group].result()
    return {
        partition.partition: partition.offset
        for partition in found.topic_partitions
        if partition.topic == topic and partition.error is None and partition.offset >= 0
    }
