"""Queue a record in a producer, and wait while its queue is full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError, Producer

from schemas.outgoing_record import OutgoingRecord

_WAIT_SECONDS: Final = 0.1

#: Errors about one record: the same every time it is sent.
OF_A_RECORD: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.POLICY_VIOLATION,
        KafkaError._INVALID_ARG,  # noqa: SLF001 - the only name it has
    }
)

#: Called once per record, with an error if it was not delivered, and with its message.
OnDelivery = Callable[[KafkaError | None, Any], None]


def produce(
    producer: Producer,
    topic: str,
    record: OutgoingRecord,
    on_delivery: OnDelivery | None = None,
    *,
    waiting: Callable[[], None] = lambda: None,
) -> None:
    """Queue a record. While the queue is full, serve callbacks until the broker has taken some of it.

    :param topic: its name in this deployment.
    :param waiting: called on each turn of the wait, to send a heartbeat or to raise.
    :raises KafkaException: the client refuses the record.
    :raises TypeError, ValueError: the client cannot write the record.
    """
    while True:
        try:
            producer.produce(
                topic, value=record.value, key=record.key, headers=record.headers, on_delivery=on_delivery
            )
            return
        except BufferError:
            waiting()
            producer.poll(_WAIT_SECONDS)
