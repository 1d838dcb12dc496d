"""Reader of the results topic, positioned at its end before the first command is sent."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaException

from runtime.topic_tail import TopicTail
from schemas.errors import Retry
from schemas.incoming_record import IncomingRecord


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

    :param tail: of the results topic; reads committed records only.
    :raises Retry: Kafka is unavailable.
    :raises Stop: the results topic does not exist.
    """

    def __init__(self, tail: TopicTail) -> None:
        self._tail = tail
        try:
            tail.add({partition: tail.bounds(partition)[1] for partition in tail.partitions()})
        except KafkaException as failure:
            raise Retry(
                f"Kafka is unavailable ({tail.name}: {failure.args[0].str()}). Nothing was sent; retry."
            ) from failure

    def take(self, timeout: float) -> list[ResultRecord]:
        """Results that have arrived; waits up to ``timeout`` seconds for the first.

        :raises Retry: the consumer cannot continue.
        """
        try:
            records = self._tail.take(timeout)
        except KafkaException as failure:
            raise Retry(f"cannot read the results topic: {failure.args[0].str()}") from failure
        return [result for record in records if (result := _result_in(record)) is not None]


def _result_in(record: IncomingRecord) -> ResultRecord | None:
    """Read a result; ``None`` for other records, which consumers of the topic skip."""
    outcome = record.header("ce_outcome")
    try:
        partition = int(record.header("ce_commandpartition") or "")
        offset = int(record.header("ce_commandoffset") or "")
    except ValueError:
        return None
    if outcome is None:
        return None
    return ResultRecord(partition, offset, record.header("ce_causationid"), outcome, record.value or b"")
