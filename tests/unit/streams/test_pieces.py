"""A batch that times out in the database is applied in smaller pieces, none of them past a gap."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import psycopg

from runtime.settings import Settings
from schemas.errors import Retry
from streams.applier.batches import Batch, BatchQueue, InFlight
from streams.applier.writer import Writer
from streams.heartbeat import Heartbeat


class Slow:
    """A transaction that times out on more than two commands."""

    def __init__(self) -> None:
        self.applied: list[tuple[list[int], dict[int, int]]] = []
        self.refused: list[int] = []

    def apply(
        self, commands: Sequence[Any], starts: Mapping[int, int], _published: Mapping[int, int]
    ) -> list[Any]:
        if len(commands) > 2:
            self.refused.append(len(commands))
            raise Retry("timed out", after=0.0) from psycopg.errors.IdleInTransactionSessionTimeout()
        self.applied.append(([command.record.offset for command in commands], dict(starts)))
        return [SimpleNamespace(outcome="applied", command=command) for command in commands]


def _command(partition: int, offset: int) -> Any:
    return SimpleNamespace(record=SimpleNamespace(partition=partition, offset=offset))


def test_pieces_grow_smaller_until_they_go_through() -> None:
    places = [(0, 10), (1, 5), (0, 11), (0, 13), (1, 6)]  # 12 is a marker
    batch = Batch(
        generation=0, commands=[_command(*at) for at in places], starts={0: 9, 1: 5}, ends={0: 14, 1: 7}
    )
    writer = Writer(
        Settings(), lambda _: b"", InFlight(), BatchQueue(10), BatchQueue(10), Heartbeat(), threading.Event()
    )
    slow = Slow()
    writer._applier = slow  # type: ignore[assignment]
    assert writer._commit(batch)
    assert slow.refused == [5, 3]
    assert slow.applied == [([10, 5], {0: 9, 1: 5}), ([11, 13], {0: 11}), ([6], {1: 6})]
    assert [decision.command for decision in batch.decisions] == list(batch.commands)
