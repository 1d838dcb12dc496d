"""Background reader of the dead-letters topic. It starts with the first request that needs it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Final

import structlog
from confluent_kafka import KafkaError

from api.dead_letters.index import DeadLetterIndex
from runtime.outages import describe, sessions
from runtime.settings import Settings
from runtime.supervised_thread import end_process, supervised
from runtime.topic_tail import TopicTail
from schemas.errors import Retry
from schemas.topics import DEAD_LETTERS

_log = structlog.get_logger("dead_letter_reader")
#: Newest records per partition that are read when the reader starts.
NEWEST_PER_PARTITION: Final = 2_000
_FIRST_SECONDS: Final = 10.0
_REFRESH_SECONDS: Final = 30.0


class DeadLetterReader:
    """One consumer of the committed records of the dead-letters topic. It joins no consumer group."""

    def __init__(self, settings: Settings, newest: int = NEWEST_PER_PARTITION) -> None:
        self._settings = settings
        self._newest = newest
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self.index = DeadLetterIndex()
        #: True if older records than those that were read may exist.
        self.truncated = False

    async def current(self) -> DeadLetterIndex:
        """The index, once the reader has reached the end that the topic had when it started.

        :raises Retry: it has not reached it yet, or Kafka is unavailable (503).
        """
        self._start()
        if not await asyncio.to_thread(self._ready.wait, _FIRST_SECONDS):
            raise Retry("The dead letters are still being read. Retry in a few seconds.", after=3)
        return self.index

    def ready_index(self) -> DeadLetterIndex | None:
        """The index without waiting for it; ``None`` while :meth:`current` would wait."""
        self._start()
        return self.index if self._ready.is_set() else None

    def close(self) -> None:
        """Stop the thread, if it was started."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            name = "dead-letter-reader"
            self._thread = supervised(name, self._run, stopping=self._stop.is_set, failed=end_process(name))
            self._thread.start()

    def _run(self) -> None:
        def note(error: Exception, _seconds: float) -> None:
            _log.warning("gateway.dead_letters_unavailable", reason=describe(error))

        sessions(self._read, note, self._stop.wait)

    def _read(self) -> None:
        """Read from the newest records on, until the process stops."""
        known: set[int] = set()
        ahead: dict[int, int] = {}
        refresh_at = 0.0
        with TopicTail(
            self._settings, DEAD_LETTERS, on_error=_log_error, options={"auto.offset.reset": "earliest"}
        ) as tail:
            while not self._stop.is_set():
                if time.monotonic() >= refresh_at:
                    added = [number for number in tail.partitions() if number not in known]
                    spans = {number: tail.bounds(number) for number in added}
                    starts = {number: max(low, end - self._newest) for number, (low, end) in spans.items()}
                    self.truncated |= any(starts[number] > low for number, (low, _) in spans.items())
                    tail.add(starts)
                    known.update(added)
                    ahead |= {number: end for number, (_, end) in spans.items() if starts[number] < end}
                    refresh_at = time.monotonic() + _REFRESH_SECONDS
                self.index.add(tail.take())
                for number in tail.reached(ahead) if ahead else ():
                    del ahead[number]
                if not ahead:
                    self._ready.set()


def _log_error(error: KafkaError) -> None:
    _log.warning("gateway.dead_letters_interrupted", reason=error.name())
