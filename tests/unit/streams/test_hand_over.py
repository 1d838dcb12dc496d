"""A rebalance while a batch waits for room in the queue: the batch is pushed or dropped."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from runtime.settings import Settings
from schemas.errors import Stop
from streams.applier import consumer as reader_module
from streams.applier import ownership
from streams.applier.batches import Batch, BatchQueue, InFlight
from streams.applier.consumer import Reader
from streams.heartbeat import Heartbeat
from streams.run_role import _abandoning
from streams.upkeep import Upkeep


class IdleConsumer:
    """A consumer whose next poll runs a rebalance callback."""

    def __init__(self) -> None:
        self.on_poll: Any = None
        self.unassigned: list[Any] = []

    def consumer_group_metadata(self) -> object:
        return object()

    def assignment(self) -> list[Any]:
        return []

    def poll(self, _seconds: float) -> None:
        callback, self.on_poll = self.on_poll, None
        if callback is not None:
            callback()

    def incremental_unassign(self, partitions: list[Any]) -> None:
        self.unassigned += partitions


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> IdleConsumer:
    fake = IdleConsumer()
    monkeypatch.setattr(reader_module, "make_consumer", lambda *_, **__: fake)
    return fake


def _reader(in_flight: InFlight, batches: BatchQueue) -> Reader:
    stop = threading.Event()
    upkeep = Upkeep(Settings(), in_flight, stop)
    return Reader(Settings(), lambda _: ("", {}), in_flight, batches, Heartbeat(), stop, upkeep)


def _batch() -> Batch:
    some: list[Any] = [None]
    return Batch(generation=0, commands=some, starts={0: 0}, ends={0: 1})


def test_a_revocation_pushes_the_batch_that_waits_for_room(consumer: IdleConsumer) -> None:
    in_flight, batches = InFlight(), BatchQueue(1)
    reader = _reader(in_flight, batches)
    in_flight.depart()
    batches.put(_batch())  # the writer is busy with it
    consumer.on_poll = lambda: reader._ownership.revoked(consumer, [])  # type: ignore[arg-type]
    landed: list[Batch] = []

    def writer() -> None:
        busy.wait(10)
        while len(landed) < 2:
            for batch in batches.take(10):
                landed.append(batch)
                in_flight.land()

    busy = threading.Event()
    thread = threading.Thread(target=writer)
    thread.start()
    original = reader._idle

    def idle(seconds: float) -> None:
        busy.set()  # there was no room once: only now may the writer take anything
        original(seconds)

    reader._idle = idle  # type: ignore[method-assign]
    began = time.monotonic()
    waiting = _batch()
    reader._enqueue(waiting)
    thread.join(10)
    assert time.monotonic() - began < 10, "the rebalance waited for a batch that only its own thread can push"
    assert landed[1] is waiting
    assert in_flight.empty()


def test_a_lost_ownership_voids_the_batch_that_waits_for_room(consumer: IdleConsumer) -> None:
    in_flight, batches = InFlight(), BatchQueue(1)
    reader = _reader(in_flight, batches)
    batches.put(_batch())
    consumer.on_poll = lambda: reader._ownership.lost(consumer, [])  # type: ignore[arg-type]
    reader._enqueue(_batch())
    assert in_flight.empty()
    assert len(batches.take(0)) == 1


def test_what_could_not_land_is_not_waited_for_twice(
    consumer: IdleConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "DRAIN_SECONDS", 0.2)
    in_flight = InFlight()
    reader = _reader(in_flight, BatchQueue(1))
    in_flight.depart()
    with pytest.raises(Stop, match="rebalance could not wait"):
        reader._ownership.revoked(consumer, [])  # type: ignore[arg-type]
    began = time.monotonic()
    reader._ownership.revoked(consumer, [TopicPartition("t", 0)])  # type: ignore[arg-type]
    assert time.monotonic() - began < 0.2
    assert len(consumer.unassigned) == 1


def test_a_failed_stage_lets_the_others_end_at_once() -> None:
    in_flight = InFlight()
    in_flight.depart()
    batch = _batch()

    def fails() -> None:
        raise Stop("fenced")

    with pytest.raises(Stop, match="fenced"):
        _abandoning(in_flight, fails)()
    assert in_flight.empty()
    assert in_flight.drain(0.0)
    assert not in_flight.current(batch)


def test_a_failed_callback_ends_the_reader(consumer: IdleConsumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client would let it out as something that no ``except BaseException`` catches."""
    reader = _reader(InFlight(), BatchQueue(1))

    def fails(*_: object) -> None:
        raise Stop("the broker refuses")

    monkeypatch.setattr(reader._ownership._starts, "find", fails)
    callback = reader._ownership.kept(reader._ownership.assigned)
    callback(consumer, [TopicPartition("t", 0)])  # type: ignore[arg-type]
    with pytest.raises(Stop, match="the broker refuses"):
        reader._idle(0.0)
