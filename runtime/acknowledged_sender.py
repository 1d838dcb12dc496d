"""Synchronous producer: send records and return once the broker has acknowledged all of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from runtime.kafka import make_producer
from runtime.produce import OF_A_RECORD
from runtime.settings import Settings
from schemas.errors import Reject, Retry
from schemas.outgoing_record import OutgoingRecord

_SECONDS: Final = 10.0


class AcknowledgedSender:
    """Idempotent producer (``acks=all``, murmur2); calls are serialized.

    :param timeout: delivery timeout in seconds.
    :param linger: time in seconds in which the client collects records for one request.
    """

    def __init__(self, settings: Settings, *, timeout: float = _SECONDS, linger: float = 0.0) -> None:
        self._settings = settings
        self._timeout = timeout
        self._linger = linger
        self._lock = threading.Lock()
        self._producer: Any = None

    def send(self, records: Sequence[OutgoingRecord]) -> dict[tuple[str, int], int]:
        """Publish; on return all in-sync replicas have every record.

        :returns: (topic without prefix, partition) → offset after the last of these records.
        :raises Retry: a record was not acknowledged in time; it may still have been written.
        :raises Reject: ``unpublishable``: the client or the broker refuses a record for good. Others of the
            same call may have been written.
        """
        failures: list[str] = []
        refused: list[str] = []
        ends: dict[tuple[str, int], int] = {}

        def delivered(topic: str, error: KafkaError | None, message: Any) -> None:
            if error is not None:
                (refused if error.code() in OF_A_RECORD else failures).append(error.name())
                return
            place = topic, message.partition()
            ends[place] = max(ends.get(place, 0), message.offset() + 1)

        with self._lock:
            producer = self._producer or make_producer(
                self._settings,
                **{"message.timeout.ms": int(self._timeout * 1000), "linger.ms": self._linger * 1000},
            )
            self._producer = producer
            try:
                for record in records:
                    producer.produce(
                        self._settings.topic(record.topic),
                        key=record.key,
                        value=record.value,
                        headers=record.headers,
                        on_delivery=partial(delivered, record.topic),
                    )
            except (KafkaException, BufferError) as error:
                self._producer = None
                if isinstance(error, KafkaException) and error.args[0].code() in OF_A_RECORD:
                    raise _unpublishable(error.args[0].name()) from error
                raise Retry(
                    "Kafka is not accepting records (producer queue full or broker unavailable)", after=2.0
                ) from error
            left = producer.flush(self._timeout + 1.0)
            if refused and not left:
                raise _unpublishable(refused[0])
            if left or failures:
                # Hazard: purge, or the remaining records would be sent later and unobserved.
                producer.purge()
                self._producer = None
                raise Retry(
                    f"Kafka did not acknowledge all records: {', '.join(set(failures)) or 'timeout'}", 2.0
                )
        return ends


def _unpublishable(error: str) -> Reject:
    return Reject(
        "unpublishable", f"Kafka refuses a record for good ({error}); sending it again does not help."
    )
