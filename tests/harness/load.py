"""Load generator: publish a seeded history at a fixed rate and track acknowledgements."""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from runtime.kafka import make_producer
from runtime.settings import Settings
from schemas.topics import COMMANDS
from tests.harness.histories import history

_STEP: Final = 0.05
_KEPT: Final = 5000


class Load:
    """Publish a history from a thread: hot and cold customers, every command type, invalid ones too.

    A fifth of the creates is scheduled in the past (work for the timers), and one record in 200 is not a
    command.

    :param pace: commands per second.
    :param total: total number of commands; then the thread ends.
    :param entities: number of customers.
    :param relabels: see :func:`~tests.harness.histories.history`.
    :ivar acked: partition → acknowledged offsets.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        pace: float,
        total: int,
        entities: int = 300,
        relabels: float = 0.01,
    ) -> None:
        self._settings = settings
        self._chance = random.Random(seed)
        self._again = random.Random(seed + 1)
        self._pace = pace
        self._messages = history(seed, total, entities, relabels)
        self._producer = make_producer(settings)
        self._flowing = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._lock = threading.Lock()
        self.acked: dict[int, set[int]] = {}
        self.sent = 0
        self.failed = 0
        self.recent: list[tuple[bytes, bytes]] = []
        self.done = threading.Event()

    def __enter__(self) -> Load:
        self._flowing.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._flowing.set()
        self._thread.join(60)
        self._producer.flush(30)

    @property
    def acked_count(self) -> int:
        with self._lock:
            return sum(len(offsets) for offsets in self.acked.values())

    def acked_ends(self) -> dict[int, int]:
        """Partition → offset after the last acknowledged command."""
        with self._lock:
            return {partition: max(offsets) + 1 for partition, offsets in self.acked.items()}

    def pause(self) -> None:
        """Stop sending and wait until everything sent is acknowledged."""
        self._flowing.clear()
        time.sleep(2 * _STEP)  # the present step
        left = self._producer.flush(120)
        assert left == 0, f"{left} commands were never acknowledged"

    def resume(self) -> None:
        """Resume sending."""
        self._flowing.set()

    def replay(self, count: int, *, shuffled: bool) -> None:
        """Send recent commands again from another producer.

        :param shuffled: out of order, as after retries without idempotence.
        """
        with self._lock:
            again = self.recent[-count:]
        if shuffled:
            self._again.shuffle(again)
        producer = make_producer(self._settings)
        for key, value in again:
            self._send(producer, key, value)
        producer.flush(60)

    def _run(self) -> None:
        due, sent = time.monotonic(), 0
        while not self._stop.is_set():
            if not self._flowing.is_set():
                self._flowing.wait()
                due, sent = time.monotonic(), 0
            wanted = int((time.monotonic() - due) * self._pace) - sent
            for message in self._next(min(wanted, 2000)):
                self._send(self._producer, *message)
                sent += 1
            self._producer.poll(0)
            if self.done.is_set():
                break
            self._stop.wait(_STEP)
        self._producer.flush(120)

    def _next(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        for _ in range(count):
            if self._chance.random() < 0.005:
                yield b"%d" % self._chance.randrange(1000), self._chance.randbytes(self._chance.randrange(80))
                continue
            message = next(self._messages, None)
            if message is None:
                self.done.set()
                return
            yield message["entityid"].encode(), orjson.dumps(self._sooner(message))

    def _sooner(self, message: dict[str, Any]) -> dict[str, Any]:
        # Determined by the id, so that a repeated command stays identical.
        data = message["data"]
        if message["type"].endswith(".create") and "scheduledAt" in data and hash_of(message["id"]) < 0.2:
            return {**message, "data": {**data, "scheduledAt": "2026-02-01T09:00:00Z"}}
        return message

    def _send(self, producer: Any, key: bytes, value: bytes) -> None:
        with self._lock:
            self.recent.append((key, value))
            if len(self.recent) > 2 * _KEPT:
                del self.recent[:_KEPT]
        self.sent += 1
        while True:
            try:
                producer.produce(
                    self._settings.topic(COMMANDS), key=key, value=value, on_delivery=self._delivered
                )
                return
            except BufferError:
                producer.poll(0.1)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self.failed += 1
            return
        with self._lock:
            self.acked.setdefault(message.partition(), set()).add(message.offset())


@functools.lru_cache(maxsize=_KEPT)
def hash_of(text: str) -> float:
    """Stable hash of a text to [0, 1), the same in every process."""
    return random.Random(text).random()
