"""Batches on their way through the applier, the queue between its stages, and the in-flight tracker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.decision import Decision
from schemas.command import Command, Refused

#: Partition and offset of a command's record.
Place = tuple[int, int]


def place_of_command(command: Command | Refused) -> Place:
    """Partition and offset of the command's record."""
    return command.record.partition, command.record.offset


@dataclass(slots=True)
class Batch:
    """Records that pass the stages together: consumed, applied, published.

    :param generation: assignment generation in which they were read; a later one makes the batch void.
    :param starts: per partition, the position before the batch: no record lies between it and the batch's
        first record.
    :param ends: per partition, the position after the batch.
    :param results: encoded results by partition and offset.
    """

    generation: int
    commands: Sequence[Command | Refused]
    starts: dict[int, int]
    ends: dict[int, int]
    decisions: list[Decision] = field(default_factory=list)
    results: dict[Place, bytes] = field(default_factory=dict)


def joined(batches: Sequence[Batch]) -> Batch:
    """Join consecutive batches of one generation."""
    first, *others = batches
    if not others:
        return first
    starts, ends = dict(first.starts), dict(first.ends)
    for other in others:
        starts = {**other.starts, **starts}
        ends |= other.ends
    commands = [command for batch in batches for command in batch.commands]
    return Batch(generation=first.generation, commands=commands, starts=starts, ends=ends)


class BatchQueue:
    """Bounded queue of batches between two stages.

    :param most: commands that may wait; a larger batch waits alone.
    """

    def __init__(self, most: int) -> None:
        self._condition = threading.Condition()
        self._batches: list[Batch] = []
        self._most = most

    def put(self, batch: Batch, seconds: float | None = None) -> bool:
        """Add a batch once there is room for it; ``False`` when there was none within ``seconds``."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._fits(batch), timeout=seconds):
                return False
            self._batches.append(batch)
            self._condition.notify_all()
            return True

    def take(self, seconds: float) -> list[Batch]:
        """Take all waiting batches in order; empty when none came within ``seconds``."""
        with self._condition:
            self._condition.wait_for(lambda: bool(self._batches), timeout=seconds)
            taken, self._batches = self._batches, []
            self._condition.notify_all()
            return taken

    def _fits(self, batch: Batch) -> bool:
        waiting = sum(len(other.commands) for other in self._batches)
        return not waiting or waiting + len(batch.commands) <= self._most


class InFlight:
    """Tracks the batches between consuming and publishing."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._abandoned = False
        self._closed = False
        #: A stage has failed; a stop on request is no failure.
        self.failed = False
        self.generation = 0
        #: Partition → the offset below which results are published.
        self.published: dict[int, int] = {}
        #: The consumer's membership (opaque), for sending offsets in a producer's transaction.
        #: Hazard: only the reader may read it from the consumer; any other thread would wait for a
        #: ``consume`` that never yields to it (confluent-kafka 2.16).
        self.membership: object = None

    def depart(self) -> None:
        with self._condition:
            self._count += 1

    def land(self) -> None:
        with self._condition:
            self._count -= 1
            self._condition.notify_all()

    def abandon(self, *, failed: bool = False) -> None:
        """Give up everything in flight: every batch is void, and ``drain`` waits for none.

        :param failed: a stage has failed.
        """
        with self._condition:
            self._abandoned = True
            self.failed = self.failed or failed
            self.generation += 1
            self._condition.notify_all()

    def current(self, batch: Batch) -> bool:
        return batch.generation == self.generation

    def empty(self) -> bool:
        with self._condition:
            return self._abandoned or self._count == 0

    def close(self) -> None:
        """Note that no further batch will depart: the reader has ended."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def finished(self) -> bool:
        """True once no batch is in flight, and none can follow.

        Hazard: a stop request is no substitute for ``close``. Writer and publisher would end between the last
        poll of the reader and the departure of its batch, and the reader would wait for that batch in vain.
        """
        with self._condition:
            return self.failed or (self._closed and (self._abandoned or self._count == 0))

    def drain(self, seconds: float) -> bool:
        """Wait until nothing is in flight; ``False`` when it takes longer than ``seconds``."""
        with self._condition:
            return self._condition.wait_for(lambda: self._abandoned or self._count == 0, timeout=seconds)
