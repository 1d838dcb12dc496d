"""Send single records to the broker without blocking the caller."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, KafkaException

from runtime.kafka import make_producer
from runtime.settings import Settings
from runtime.supervised_thread import end_process, supervised
from schemas.errors import Reject, Retry
from schemas.outgoing_record import OutgoingRecord

_log = structlog.get_logger("command_sender")
#: Called once per record: with ``None`` once all in-sync replicas have it, otherwise with the failure.
DeliveryCallback = Callable[[Exception | None], None]
_NEVER_WRITTEN: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})


class CommandSender:
    """One idempotent producer (``acks=all``, murmur2) and the thread that serves its callbacks.

    :param timeout: delivery timeout in seconds.
    """

    def __init__(self, settings: Settings, *, timeout: float) -> None:
        self._settings = settings
        self._timeout = timeout
        self._lock = threading.Lock()
        self._producer = self._make()
        self._stop = threading.Event()
        self._thread = supervised(
            "command-sender", self._serve, stopping=self._stop.is_set, failed=end_process("command-sender")
        )

    def _make(self) -> Any:
        return make_producer(
            self._settings,
            **{
                "message.timeout.ms": int(self._timeout * 1000),
                # A client waits for each record; lingering would only add latency.
                "linger.ms": 0,
                "queue.buffering.max.messages": 10_000,
            },
        )

    def start(self) -> None:
        """Start to serve callbacks."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and flush the queue for at most the delivery timeout."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._producer.flush(self._timeout)

    def send(self, record: OutgoingRecord, on_delivery: DeliveryCallback) -> None:
        """Queue one record.

        :param on_delivery: called in another thread, with ``Retry`` or ``Reject`` if delivery failed.
        :raises Retry: the producer queue is full because the broker accepts nothing.
        :raises Reject: the record can never be written (too large).
        """

        def delivered(error: KafkaError | None, _message: Any) -> None:
            if error is not None:
                _log.warning("gateway.command_not_accepted", reason=error.name())
            on_delivery(None if error is None else _failure_of(error))

        with self._lock:
            try:
                self._producer.produce(
                    self._settings.topic(record.topic),
                    key=record.key,
                    value=record.value,
                    headers=record.headers,
                    on_delivery=delivered,
                )
            except BufferError:
                raise Retry(
                    "Kafka is not accepting commands (producer queue full). Nothing was sent; retry.", after=2
                ) from None
            except KafkaException as failure:
                if failure.args[0].fatal():
                    # Hazard: a fatal error is final for this producer. The next request needs a new one.
                    self._producer = self._make()
                raise _failure_of(failure.args[0]) from None

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(0.1)


def _failure_of(error: KafkaError) -> Exception:
    if error.code() in _NEVER_WRITTEN:
        return Reject(
            "too_large", "The command exceeds the broker's record limit; it was not stored.", status=413
        )
    return Retry(
        "Kafka did not acknowledge the command, so it may not have been stored."
        " Retry with the same Idempotency-Key.",
        after=2,
    )
