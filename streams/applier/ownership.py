"""Ownership of partitions: where reading begins, what is handed over, and what a loss makes void."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Final

import structlog
from confluent_kafka import Consumer, TopicPartition

from runtime.settings import Settings
from schemas.errors import Stop
from schemas.topics import COMMANDS
from streams.applier.batches import InFlight
from streams.applier.careful import Careful
from streams.applier.start_offsets import StartOffsets
from streams.upkeep import Upkeep

_log = structlog.get_logger("applier")
#: Longest wait of a rebalance for what is in flight; well below max.poll.interval.ms.
DRAIN_SECONDS: Final = 30.0
_Rebalance = Callable[[Consumer, list[TopicPartition]], None]


class Ownership:
    """The partitions of this applier, kept by the callbacks of its consumer.

    Kafka's committed offset says how far results are published, the database's watermark how far
    commands are applied. On assignment reading starts at the smaller one, so that a result lost
    between commit and publishing is published again, and a commit that is ahead of the database
    (a restored backup) loses nothing.

    :param drain: waits in a rebalance until nothing is in flight; ``False`` when it takes too long.
    """

    def __init__(
        self,
        settings: Settings,
        in_flight: InFlight,
        careful: Careful,
        starts: StartOffsets,
        upkeep: Upkeep,
        drain: Callable[[Consumer], bool],
    ) -> None:
        self._topic = settings.topic(COMMANDS)
        self._in_flight = in_flight
        self._careful = careful
        self._starts = starts
        self._upkeep = upkeep
        self._drain = drain
        self._gave_up = False
        self._ends: dict[int, int] = {}
        #: Partition → the offset after the last record that was taken.
        self.positions: dict[int, int] = {}
        #: Partition → its assignment. Records read under an earlier one are void.
        self.assignments: dict[int, int] = {}
        self._numbers = count()
        #: The failure of a callback, for :meth:`raise_failure`.
        self.failure: BaseException | None = None

    def subscribe(self, consumer: Consumer) -> None:
        """Subscribe the consumer to the commands topic, with these callbacks."""
        consumer.subscribe(
            [self._topic],
            on_assign=self.kept(self.assigned),
            on_revoke=self.kept(self.revoked),
            on_lost=self.kept(self.lost),
        )

    def kept(self, callback: _Rebalance) -> _Rebalance:
        """A callback whose failure is kept for :meth:`raise_failure`.

        Hazard: an exception raised through the client comes out of it as no exception at all.
        """

        def call(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            try:
                callback(consumer, partitions)
            except BaseException as error:  # noqa: BLE001 - raised again, outside of the client
                self.failure = self.failure or error

        return call

    def raise_failure(self) -> None:
        """Raise what a callback raised, if one failed; after every call of the client."""
        if self.failure is not None:
            raise self.failure

    def note_end(self, number: int, offset: int) -> None:
        """Note that the consumer reached the end of a partition."""
        self._ends[number] = offset

    def forget_ends(self) -> None:
        """Discard the ends that were reached: records before them were not taken."""
        self._ends.clear()

    def note_tails(self) -> None:
        """Pass the ends that were reached to the upkeep: only markers lie between position and end.

        Hazard: only when all records before the ends are in the positions. The watermark moves to the end,
        and records between the two would never be applied.
        """
        for number, end in self._ends.items():
            position = self.positions.get(number)
            if position is not None and end > position:
                self._upkeep.tails[number] = (position, end)
        self._ends.clear()

    def assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin to read partitions, each at its start offset.

        :raises Stop: a partition must not be read; see ``start_offset``.
        """
        numbers = [part.partition for part in partitions]
        if not numbers:
            consumer.incremental_assign([])
            return
        found = self._starts.find(consumer, partitions)
        starts = []
        for number, start in found.items():
            self.positions[number] = start.offset
            self.assignments[number] = next(self._numbers)
            self._in_flight.published[number] = start.published
            starts.append(TopicPartition(self._topic, number, start.offset))
        self._careful.assigned(
            {number: (start.offset, start.waiting) for number, start in found.items()},
            {number: start.applied for number, start in found.items()},
        )
        _log.info("applier.assigned", partitions=numbers, starts=[part.offset for part in starts])
        consumer.incremental_assign(starts)
        # Hazard: a pause outlives the loss of a partition. Won back without this, it would stay paused.
        consumer.resume(partitions)

    def revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Hand partitions over, once nothing of them is in flight.

        :raises Stop: the batch in flight takes too long.
        """
        numbers = [part.partition for part in partitions]
        _log.info("applier.revoked", partitions=numbers)
        if not self._gave_up and not self._drain(consumer):
            # Closing the consumer comes here again, and must not wait a second time.
            self._gave_up = True
            self._in_flight.generation += 1
            raise Stop("a rebalance could not wait for the batch in flight; the process restarts")
        self._upkeep.revoking(numbers)
        self._forget(numbers)
        consumer.incremental_unassign(partitions)

    def lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Give up partitions that another worker may own already: what is in flight becomes void."""
        numbers = [part.partition for part in partitions]
        _log.warning("applier.lost", partitions=numbers)
        self._in_flight.generation += 1
        self._forget(numbers)
        consumer.incremental_unassign(partitions)

    def _forget(self, numbers: list[int]) -> None:
        self._careful.revoked(numbers)
        for number in numbers:
            self.positions.pop(number, None)
            self.assignments.pop(number, None)
            self._upkeep.tails.pop(number, None)
            self._ends.pop(number, None)
            self._in_flight.published.pop(number, None)
