"""Batches that wait together are applied together, never across two assignments."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.settings import Settings
from streams.applier.batches import Batch, BatchQueue, InFlight
from streams.applier.writer import Writer
from streams.heartbeat import Heartbeat


class Noting:
    """A transaction that notes what it is given, and stops the writer after so many commands."""

    def __init__(self) -> None:
        self.applied: list[tuple[list[tuple[int, int]], dict[int, int]]] = []

    def apply(
        self, commands: Sequence[Any], starts: Mapping[int, int], _published: Mapping[int, int]
    ) -> list[Any]:
        places = [(command.record.partition, command.record.offset) for command in commands]
        self.applied.append((places, dict(starts)))
        return [SimpleNamespace(outcome="applied", command=command) for command in commands]


def _batch(generation: int, places: list[tuple[int, int]], starts: dict[int, int]) -> Batch:
    commands: list[Any] = [SimpleNamespace(record=SimpleNamespace(partition=p, offset=o)) for p, o in places]
    return Batch(generation=generation, commands=commands, starts=starts, ends={p: o + 1 for p, o in places})


def _run(in_flight: InFlight, batches: list[Batch]) -> tuple[Noting, list[Batch]]:
    waiting, applied = BatchQueue(10), BatchQueue(10)
    for batch in batches:
        in_flight.depart()
        assert waiting.put(batch, 0)
    writer = Writer(Settings(), lambda _: b"", in_flight, waiting, applied, Heartbeat(), threading.Event())
    noting = Noting()
    writer._applier = noting  # type: ignore[assignment]
    done: list[Batch] = []

    def publisher() -> None:
        while not in_flight.finished():
            for batch in applied.take(0.05):
                done.append(batch)
                in_flight.land()

    in_flight.close()
    thread = threading.Thread(target=publisher)
    thread.start()
    writer.run()
    thread.join(10)
    return noting, done


def test_small_batches_that_wait_share_a_transaction() -> None:
    in_flight = InFlight()
    # Offset 12 of partition 0 is a marker.
    batches = [
        _batch(0, [(0, 10), (0, 11)], {0: 9}),
        _batch(0, [(1, 5)], {1: 5}),
        _batch(0, [(0, 13), (1, 6)], {0: 12, 1: 6}),
    ]
    noting, done = _run(in_flight, batches)
    assert noting.applied == [([(0, 10), (0, 11), (1, 5), (0, 13), (1, 6)], {0: 9, 1: 5})]
    (batch,) = done
    assert batch.ends == {0: 14, 1: 7}
    assert [decision.command for decision in batch.decisions] == list(batch.commands)
    assert in_flight.empty()


@pytest.mark.parametrize("old", [0, 1])
def test_a_batch_of_an_ownership_that_ended_takes_nothing_with_it(old: int) -> None:
    in_flight = InFlight()
    in_flight.generation = 1
    batches = [_batch(old, [(0, 10)], {0: 10}), _batch(1, [(1, 5)], {1: 5})]
    wanted = 1 + old
    noting, done = _run(in_flight, batches)
    assert [place for places, _ in noting.applied for place in places] == [(0, 10), (1, 5)][-wanted:]
    assert len(done) == 1
    assert in_flight.empty()
