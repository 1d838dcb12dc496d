"""A batch that departs after the stop request is still written and published: the reader waits for it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.settings import Settings
from streams.applier.batches import Batch, BatchQueue, InFlight
from streams.applier.publisher import Publisher
from streams.applier.writer import Writer
from streams.heartbeat import Heartbeat


def _batch() -> Batch:
    record = SimpleNamespace(partition=0, offset=0)
    commands: list[Any] = [SimpleNamespace(record=record)]
    return Batch(generation=0, commands=commands, starts={0: 0}, ends={0: 1})


class Stopped:
    """A stage that runs although the process was asked to stop."""

    def __init__(self) -> None:
        self.in_flight = InFlight()
        self.waiting, self.applied = BatchQueue(10), BatchQueue(10)
        self.stop = threading.Event()
        self.stop.set()

    def run(self, stage: Writer | Publisher) -> threading.Thread:
        thread = threading.Thread(target=stage.run, daemon=True)
        thread.start()
        # Time for a stage that takes the request for the end to end.
        thread.join(0.5)
        return thread


def test_the_writer_applies_it() -> None:
    stopped = Stopped()
    queues = stopped.waiting, stopped.applied
    writer = Writer(Settings(), lambda _: b"", stopped.in_flight, *queues, Heartbeat(), stopped.stop)
    writer._applier = SimpleNamespace(apply=lambda *_: [])  # type: ignore[assignment]
    thread = stopped.run(writer)
    stopped.in_flight.depart()
    stopped.waiting.put(_batch(), 1)
    assert len(stopped.applied.take(10)) == 1
    stopped.in_flight.land()
    stopped.in_flight.close()
    thread.join(10)
    assert not thread.is_alive()


def test_the_publisher_publishes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[Batch] = []
    stopped = Stopped()
    publisher = Publisher(
        Settings(), lambda _: b"", stopped.in_flight, stopped.applied, Heartbeat(), stopped.stop
    )
    publisher._producer = SimpleNamespace(open=lambda: None)  # type: ignore[assignment]

    def publish(batches: list[Batch]) -> bool:
        published.extend(batches)
        return True

    monkeypatch.setattr(publisher, "_publish", publish)
    thread = stopped.run(publisher)
    stopped.in_flight.depart()
    stopped.applied.put(_batch(), 1)
    assert stopped.in_flight.drain(10)
    assert len(published) == 1
    stopped.in_flight.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_failed_stage_ends_the_others_at_once() -> None:
    in_flight = InFlight()
    in_flight.depart()
    in_flight.abandon(failed=True)
    assert in_flight.finished(), "the reader may hang"
