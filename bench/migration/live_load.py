"""Live commands at a fixed rate beside the backfill, with the latency of each from its intended send time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from bench.kafka_clients import reader
from bench.workload import Message, creates, entity_ids
from runtime.kafka import make_producer, take_batch
from runtime.settings import Settings
from schemas.topics import COMMANDS, RESULTS

#: Live commands per second.
PACE: Final = 50
_CUSTOMERS: Final = 1000


class LiveLoad:
    """Sends until it is stopped."""

    def __init__(self, settings: Settings, label: str) -> None:
        self._settings = settings
        self._label = label
        self._over = threading.Event()
        self._sent: dict[str, float] = {}
        self._received: dict[str, float] = {}
        self._consumer = reader(settings, [RESULTS], from_end=True)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[float]:
        """Stop, wait for the last results, and return the latencies in seconds.

        :raises RuntimeError: results are missing.
        """
        self._over.set()
        self._threads[0].join(30)
        deadline = time.monotonic() + 60
        while len(self._received.keys() & self._sent.keys()) < len(self._sent):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(self._sent.keys() - self._received.keys())} results are missing")
            time.sleep(0.05)
        self._consumer.close()
        return [self._received[name] - moment for name, moment in self._sent.items()]

    def _send(self) -> None:
        producer: Any = make_producer(self._settings, **{"linger.ms": 0})
        topic = self._settings.topic(COMMANDS)
        began = time.time() + 0.2
        for number, message in enumerate(self._messages()):
            moment = began + number / PACE
            while (left := moment - time.time()) > 0:
                producer.poll(0)
                time.sleep(min(left, 0.005))
            if self._over.is_set():
                break
            name = message.value[message.value.index(b'"id":"') + 6 :].partition(b'"')[0].decode()
            self._sent[name] = moment
            producer.produce(topic, key=message.key, value=message.value)
        producer.flush(30)

    def _messages(self) -> Iterator[Message]:
        """Commands without end, a minute's worth at a time."""
        customers = entity_ids(_CUSTOMERS)
        for minute in count():
            yield from creates(60 * PACE, customers, f"{self._label}-{minute}")

    def _receive(self) -> None:
        while not self._over.is_set() or len(self._received.keys() & self._sent.keys()) < len(self._sent):
            try:
                messages = take_batch(self._consumer, 500, 0.02)
            except RuntimeError:  # closed
                return
            now = time.time()
            for message in messages:
                if message.error() is None:
                    headers: dict[str, Any] = dict(message.headers() or [])
                    self._received.setdefault(headers["ce_causationid"].decode(), now)
