"""Sends single commands to the broker, without blocking whoever sends."""

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
from schemas.topics import COMMANDS

_log = structlog.get_logger("command_sender")
#: Told once for each record: ``None`` when all in-sync replicas have it.
Settled = Callable[[Exception | None], None]
_NEVER_WRITTEN: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})


class CommandSender:
    """One idempotent producer (``acks=all``, murmur2) and the thread that serves its callbacks.

    :param timeout: seconds after which a record that the broker has not acknowledged counts as failed.
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
                # A person waits for each of these: nothing is gained by waiting for company.
                "linger.ms": 0,
                "queue.buffering.max.messages": 10_000,
            },
        )

    def start(self) -> None:
        """Begin to serve callbacks."""
        self._thread.start()

    def close(self) -> None:
        """Flush what is queued, as long as records may take, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._producer.flush(self._timeout)

    def send(
        self,
        key: str,
        value: bytes,
        headers: list[tuple[str, str | bytes]],
        settled: Settled,
        topic: str = COMMANDS,
    ) -> None:
        """Queue one record; ``settled`` is called in another thread, with ``Retry`` when it failed.

        :param topic: by its name in the catalogue.

        :raises Retry: the local queue is full, because the broker takes nothing.
        :raises Reject: the record can never be written (too large).
        """

        def delivered(error: KafkaError | None, _message: Any) -> None:
            if error is not None:
                _log.warning("gateway.command_not_accepted", reason=error.name())
            settled(None if error is None else _refused(error))

        with self._lock:
            try:
                self._producer.produce(
                    self._settings.topic(topic),
                    key=key.encode(),
                    value=value,
                    headers=headers,
                    on_delivery=delivered,
                )
            except BufferError:
                raise Retry("the broker takes no commands now", after=2) from None
            except KafkaException as failure:
                if failure.args[0].fatal():
                    # A producer that has given up stays so; the next request gets a new one.
                    self._producer = self._make()
                raise _refused(failure.args[0]) from None

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(0.1)


def _refused(error: KafkaError) -> Exception:
    if error.code() in _NEVER_WRITTEN:
        return Reject("too_large", "the command is larger than the broker takes", status=413)
    return Retry("the broker does not take commands now", after=2)
