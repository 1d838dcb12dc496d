"""Reader of the results topic, positioned at its end before the first command is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.kafka import headers_of, take_batch
from schemas.errors import Retry, Stop
from schemas.topics import RESULTS

_POLL_RECORDS: Final = 2_000
_METADATA_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """Headers of a result record, and its undecoded value.

    :param partition: of the command record; together with ``offset`` it identifies the command record.
    :param command_id: ``None`` when the command record had no readable id.
    """

    partition: int
    offset: int
    command_id: str | None
    outcome: str
    value: bytes


class ResultReader:
    """Results published after this reader was made.

    The start offsets are resolved before the first command is sent, so no result of it is below them.

    :param consumer: reads committed records only; it never joins its group.
    :raises Retry: Kafka is unavailable.
    :raises Stop: the results topic does not exist.
    """

    def __init__(self, consumer: Consumer, topic: str = RESULTS) -> None:
        self._consumer = consumer
        try:
            self._assign_ends(topic)
        except KafkaException as failure:
            raise Retry(
                f"Kafka is unavailable ({topic}: {failure.args[0].str()}). Nothing was sent; retry."
            ) from failure

    def _assign_ends(self, topic: str) -> None:
        metadata = self._consumer.list_topics(topic, timeout=_METADATA_SECONDS).topics[topic]
        if metadata.error is not None or not metadata.partitions:
            raise Stop(
                f"The topic {topic} does not exist. Nothing was sent."
                " Create the topics with: interactions topics --create"
            )
        start = []
        for partition in metadata.partitions:
            _, end = self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=_METADATA_SECONDS
            )
            start.append(TopicPartition(topic, partition, end))
        self._consumer.assign(start)

    def take(self, timeout: float) -> list[ResultRecord]:
        """Results that have arrived; waits up to ``timeout`` seconds for the first.

        :raises Retry: the consumer cannot continue.
        """
        return [
            result
            for message in take_batch(self._consumer, _POLL_RECORDS, timeout)
            if (result := _result_record(message))
        ]

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


def _result_record(message: Message) -> ResultRecord | None:
    error = message.error()
    if error is not None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            return None
        raise Retry(f"cannot read the results topic: {error.str()}")
    headers = dict(_headers(message))
    try:
        return ResultRecord(
            partition=int(headers["ce_commandpartition"]),
            offset=int(headers["ce_commandoffset"]),
            command_id=headers["ce_causationid"].decode() if "ce_causationid" in headers else None,
            outcome=headers["ce_outcome"].decode(),
            value=message.value() or b"",
        )
    except (KeyError, ValueError):
        return None  # not a result record: consumers of the topic skip unknown records


def _headers(message: Message) -> list[tuple[str, bytes]]:
    found = headers_of(message) or []
    return [(name, value) for name, value in found if isinstance(value, bytes)]
