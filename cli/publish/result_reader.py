"""Reads the results topic from a fixed point on: the outcomes of what is sent after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.kafka import headers_of
from schemas.errors import Retry, Stop
from schemas.topics import RESULTS

_POLL_RECORDS: Final = 2_000
_ASK_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One outcome, by its headers; the value waits until someone needs it.

    :param partition: of the command's record; with ``offset`` its exact name.
    :param command_id: ``None`` when the record had none that could be read.
    """

    partition: int
    offset: int
    command_id: str | None
    outcome: str
    value: bytes


class OutcomeWatch:
    """The outcomes published after this moment.

    The starting offsets are fixed and known before the first command is sent, so no outcome of it can
    lie before them.

    :param consumer: reads committed records only; its group is never joined.
    :raises Retry: the broker does not answer.
    :raises Stop: the results topic does not exist.
    """

    def __init__(self, consumer: Consumer, topic: str = RESULTS) -> None:
        self._consumer = consumer
        try:
            self._assign_ends(topic)
        except KafkaException as failure:
            raise Retry(f"Kafka cannot be asked for {topic}: {failure.args[0].str()}. Is it up?") from failure

    def _assign_ends(self, topic: str) -> None:
        metadata = self._consumer.list_topics(topic, timeout=_ASK_SECONDS).topics[topic]
        if metadata.error is not None or not metadata.partitions:
            raise Stop(
                f"the topic {topic} does not exist; create the topics with: interactions topics --create"
            )
        start = []
        for partition in metadata.partitions:
            _, end = self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=_ASK_SECONDS
            )
            start.append(TopicPartition(topic, partition, end))
        self._consumer.assign(start)

    def take(self, timeout: float) -> list[Seen]:
        """The outcomes that have arrived; waits ``timeout`` seconds for the first.

        :raises Retry: the consumer cannot go on.
        """
        return [
            seen for message in self._consumer.consume(_POLL_RECORDS, timeout) if (seen := _seen(message))
        ]

    def close(self) -> None:
        """Let the consumer go."""
        self._consumer.close()


def _seen(message: Message) -> Seen | None:
    error = message.error()
    if error is not None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            return None
        raise Retry(f"the results topic cannot be read: {error.str()}")
    headers = dict(_headers(message))
    try:
        return Seen(
            partition=int(headers["ce_commandpartition"]),
            offset=int(headers["ce_commandoffset"]),
            command_id=headers["ce_causationid"].decode() if "ce_causationid" in headers else None,
            outcome=headers["ce_outcome"].decode(),
            value=message.value() or b"",
        )
    except (KeyError, ValueError):
        return None  # not an outcome of ours: the topic's consumers skip what they do not know


def _headers(message: Message) -> list[tuple[str, bytes]]:
    found = headers_of(message) or []
    return [(name, value) for name, value in found if isinstance(value, bytes)]
