"""Count lost, doubled and inverted outputs from the topics alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.kafka import make_consumer, take_batch
from runtime.settings import Settings
from schemas.topics import EVENTS, RESULTS


@dataclass(frozen=True)
class OutputCounts:
    """Totals since the start.

    :param lost: acknowledged commands without a result.
    :param doubled: second results of a command, and second appearances of an event.
    :param inverted: events of a customer after one with a greater ``ce_sequence``.
    """

    lost: int
    doubled: int
    inverted: int
    results: int
    events: int


class OutputCounter:
    """Incremental ``read_committed`` reader of results and events."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._next: dict[tuple[str, int], int] = {}
        self._answered: dict[int, set[int]] = {}
        self._seen: set[bytes] = set()
        self._sequence: dict[bytes, int] = {}
        self._results = self._events = self._doubled = self._inverted = 0

    def count(self, acked: Mapping[int, set[int]]) -> OutputCounts:
        """Read new records and compare with the acknowledged commands; the pipeline must be idle."""
        self._read(RESULTS)
        self._read(EVENTS)
        lost = sum(
            len(offsets - self._answered.get(partition, set())) for partition, offsets in acked.items()
        )
        return OutputCounts(lost, self._doubled, self._inverted, self._results, self._events)

    def _read(self, topic: str) -> None:
        consumer = make_consumer(self._settings, "faults-tally", **{"enable.partition.eof": True})
        name = self._settings.topic(topic)
        try:
            partitions = consumer.list_topics(name, 10).topics[name].partitions
            consumer.assign(
                [TopicPartition(name, number, self._next.get((topic, number), 0)) for number in partitions]
            )
            ended: set[int] = set()
            while len(ended) < len(partitions):
                for message in take_batch(consumer, 2000, 1.0):
                    error = message.error()
                    partition, offset = cast("int", message.partition()), cast("int", message.offset())
                    if error is not None:
                        if error.code() != KafkaError._PARTITION_EOF:
                            raise KafkaException(error)
                        ended.add(partition)
                        continue
                    self._next[topic, partition] = offset + 1
                    headers = dict(cast("list[tuple[str, bytes]]", message.headers() or []))
                    (self._result if topic == RESULTS else self._event)(headers, message.key() or b"")
        finally:
            consumer.close()

    def _result(self, headers: dict[str, bytes], _key: object) -> None:
        self._results += 1
        answered = self._answered.setdefault(int(headers["ce_commandpartition"]), set())
        offset = int(headers["ce_commandoffset"])
        self._doubled += offset in answered
        answered.add(offset)

    def _event(self, headers: dict[str, bytes], key: bytes | str) -> None:
        self._events += 1
        identity = headers["ce_id"]
        self._doubled += identity in self._seen
        self._seen.add(identity)
        if "ce_sequence" not in headers:
            return  # of a deal or an interaction type: nothing counts its changes
        entity, sequence = headers["ce_entityid"], int(headers["ce_sequence"])
        self._inverted += sequence <= self._sequence.get(entity, -1)
        self._sequence[entity] = max(sequence, self._sequence.get(entity, -1))
