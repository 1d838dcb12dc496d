"""Bound on batches that wait to be published: by commands, not by batches."""

from __future__ import annotations

import threading
from typing import Any

from streams.applier.batches import Batch, BatchQueue


def _batch(commands: int) -> Batch:
    some: list[Any] = [None] * commands
    return Batch(generation=0, commands=some, starts={}, ends={})


def test_many_small_ones_wait_together_and_are_taken_together() -> None:
    applied = BatchQueue(10)
    batches = [_batch(1) for _ in range(10)]
    for batch in batches:
        applied.put(batch)
    assert applied.take(0) == batches
    assert applied.take(0) == []


def test_no_more_is_taken_in_than_may_wait() -> None:
    applied = BatchQueue(10)
    first, second = _batch(6), _batch(5)
    applied.put(first)
    done = threading.Event()

    def put() -> None:
        applied.put(second)
        done.set()

    writer = threading.Thread(target=put)
    writer.start()
    assert not done.wait(0.2)
    assert applied.take(1) == [first]
    assert done.wait(5)
    writer.join()
    assert applied.take(1) == [second]


def test_one_that_is_larger_than_all_room_waits_alone() -> None:
    applied = BatchQueue(10)
    large = _batch(2_000)
    applied.put(large)
    assert applied.take(1) == [large]
