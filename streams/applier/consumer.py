"""Stage 1 of the applier: owns the consumer; records in, decoded batches out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, cast

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime import crash_points
from runtime.backoff import Backoff
from runtime.kafka import make_consumer
from runtime.settings import Settings
from schemas.command import Command, Refused
from schemas.decode import DecodeAvro
from schemas.errors import Retry, Stop
from schemas.topics import COMMANDS
from streams.applier.batches import Batch, BatchQueue, InFlight
from streams.applier.careful import Careful
from streams.applier.decoding import Decoding
from streams.applier.incoming import place_of
from streams.applier.start_offsets import StartOffsets
from streams.heartbeat import Heartbeat
from streams.upkeep import Upkeep

_log = structlog.get_logger("applier")
#: How long a rebalance waits for what is in flight; well below max.poll.interval.ms.
_DRAIN_SECONDS: Final = 30.0
_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001 - a public constant
_Rebalance = Callable[[Consumer, list[TopicPartition]], None]
#: Longer than any pause between two tries.
_EXCUSED_SECONDS: Final = 10.0
Answer = TypeVar("Answer")


class Reader:
    """Reads the commands topic into ``batches``.

    Kafka's committed offset says how far results are published, the database's watermark how far
    commands are applied: on assignment reading starts at the smaller one, so that a result lost
    between commit and publishing is published again, and a commit that is ahead of the database
    (a restored backup) loses nothing.

    :param upkeep: told of the ends that were reached, and of partitions that are about to be given up.
    """

    def __init__(
        self,
        settings: Settings,
        decode_avro: DecodeAvro,
        in_flight: InFlight,
        batches: BatchQueue,
        heartbeat: Heartbeat,
        stop: threading.Event,
        upkeep: Upkeep,
    ) -> None:
        self._settings = settings
        self._careful = Careful(settings)
        self._decoding = Decoding(decode_avro, self._wait_for_registry, stop)
        self._in_flight = in_flight
        self._batches = batches
        self._heartbeat = heartbeat
        self._stop = stop
        self._upkeep = upkeep
        self._positions: dict[int, int] = {}
        self._reached: dict[int, int] = {}  # ends that were reached since the last batch
        self._starts = StartOffsets(settings, heartbeat, stop, upkeep.ensure_months)
        self._failure: BaseException | None = None  # of a callback
        self._waiting: Batch | None = None  # departed, and the writer has no room for it yet
        self._gave_up = False
        self._topic = settings.topic(COMMANDS)
        self.consumer: Consumer = make_consumer(
            settings,
            settings.consumer_group,
            **{
                "group.protocol": "consumer",
                "fetch.min.bytes": 1,
                "fetch.wait.max.ms": 100,
                # A batch or two ahead; more would only take memory. An answer to a fetch is taken in whole,
                # so it must be small too; a larger record comes all the same (KIP-74).
                "queued.max.messages.kbytes": 2048,
                "max.partition.fetch.bytes": 131_072,
                "enable.partition.eof": True,
                # Hazard: "earliest" would pass in silence over records that retention deletes ahead of us.
                "auto.offset.reset": "error",
            },
        )

    def owned(self) -> list[int]:
        """The partitions that are ours now."""
        return list(self._positions)

    def positions(self) -> dict[int, int]:
        """Partition → the offset after the last record that was read."""
        return dict(self._positions)

    def run(self) -> None:
        """Read until asked to stop.

        :raises Stop: ownership could not be handed over cleanly, or retention cut into the unapplied.
        """
        self.consumer.subscribe(
            [self._topic],
            on_assign=self._kept(self._assigned),
            on_revoke=self._kept(self._revoked),
            on_lost=self._kept(self._lost),
        )
        try:
            while not self._stop.is_set():
                self._heartbeat.beat("reader")
                messages = self._poll()
                if messages:
                    crash_points.reach("after-poll")
                    self._deliver(messages)
                self._note_tails()
            self._drain(self.consumer)
        finally:
            self._heartbeat.rest("reader")
            self.consumer.close()
        self._raise_failure()

    def _kept(self, callback: _Rebalance) -> _Rebalance:
        """A callback whose failure is kept for :meth:`_raise_failure`.

        Hazard: what is raised through the client comes out of it as no exception at all.
        """

        def call(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            try:
                callback(consumer, partitions)
            except BaseException as error:  # noqa: BLE001 - raised again, outside of the client
                self._failure = self._failure or error

        return call

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _poll(self) -> list[Message]:
        # No timer between an idle applier and its first command: wait for one, take what is there.
        messages = self.consumer.consume(1, 0.25)
        if messages and self._settings.batch_size > 1:
            messages += self.consumer.consume(self._settings.batch_size - 1, 0)
        self._raise_failure()
        self._in_flight.membership = self.consumer.consumer_group_metadata()
        return [message for message in messages if not self._at_end(message)]

    def _at_end(self, message: Message) -> bool:
        """Take note of an end of a partition; anything else is for :meth:`_deliver`."""
        error = message.error()
        if error is None or error.code() != _EOF:
            return False
        _, number, offset = cast("tuple[str, int, int]", place_of(message))
        self._reached[number] = offset
        return True

    def _note_tails(self) -> None:
        # Hazard: only when all that came before the ends has gone into the positions.
        for number, end in self._reached.items():
            position = self._positions.get(number)
            if position is not None and end > position:
                self._upkeep.tails[number] = (position, end)
        self._reached.clear()

    def _deliver(self, messages: list[Message]) -> None:
        """Take the messages: whole, but in small groups where a partition needs care."""
        generation, careful = self._in_flight.generation, set(self._careful.partitions)
        if not careful:
            self._take(messages)
            return
        others: list[Message] = []
        suspected: list[Message] = []
        for message in messages:
            suspect = message.error() is None and message.partition() in careful
            (suspected if suspect else others).append(message)
        self._take(others)
        for group in self._careful.groups(suspected):
            self._land()
            if self._in_flight.generation != generation:
                return
            refused = self._noted(partial(self._careful.take_in_hand, group))
            try:
                self._take(group, refused)
                # Nothing else is in flight: what ends the process now is in this group.
                self._land()
            except BaseException:
                if self._failure is not None:  # a rebalance failed, not this group
                    self._careful.given_up(group)
                raise
            if self._in_flight.generation == generation:
                self._noted(partial(self._careful.finished, group, isolated=refused is not None))
            elif not self._in_flight.failed:
                self._careful.given_up(group)

    def _land(self) -> None:
        """Wait until nothing is in flight."""
        while not self._in_flight.drain(0.05):
            self._idle(0.0)

    def _noted(self, note: Callable[[], Answer]) -> Answer:
        """Write a mark; a database that is not available is waited for."""
        delays = Backoff(ceiling=2.0).delays()
        while True:
            try:
                return note()
            except Retry as error:
                if self._stop.is_set():
                    raise
                _log.warning("applier.retry", reason=str(error))
                self._heartbeat.excuse("reader", _EXCUSED_SECONDS)
                self._idle(next(delays))

    def _take(self, messages: list[Message], refused: Refused | None = None) -> None:
        """Decode the messages and hand them over.

        :param refused: the one message, already decided upon.
        """
        generation = self._in_flight.generation
        starts: dict[int, int] = {}
        commands: list[Command | Refused] = []
        for message in messages:
            error = message.error()
            if error is not None:
                _raise_if_fatal(error)
                continue
            partition, offset = cast("tuple[int, int]", (message.partition(), message.offset()))
            position = self._positions.get(partition)
            if position is None or offset < position:
                continue  # of an ownership that has ended
            starts.setdefault(partition, position)
            commands.append(refused or self._decoding.decode(message))
            self._positions[partition] = offset + 1
        crash_points.reach("after-decode")
        if commands:
            ends = {partition: self._positions[partition] for partition in starts}
            self._enqueue(Batch(generation=generation, commands=commands, starts=starts, ends=ends))

    def _wait_for_registry(self, seconds: float) -> None:
        self._heartbeat.excuse("reader", _EXCUSED_SECONDS)
        self._idle(seconds)

    def _enqueue(self, batch: Batch) -> None:
        self._in_flight.depart()
        self._waiting = batch
        while not self._pushed(1.0):
            if self._stop.is_set():
                self._drop()
                return
            self._idle(0.0)  # a rebalance in here may push the batch, or make it void
            if not self._in_flight.current(batch):
                self._drop()
                return

    def _pushed(self, seconds: float) -> bool:
        """Whether nothing waits for room, after trying for so long to make it so."""
        if self._waiting is not None:
            if not self._batches.put(self._waiting, seconds):
                return False
            self._waiting = None
        return True

    def _drop(self) -> None:
        if self._waiting is not None:
            self._waiting = None
            self._in_flight.land()

    def _idle(self, seconds: float) -> None:
        """Stay a member of the group while nothing more can be taken in."""
        self._heartbeat.beat("reader")
        assigned = self.consumer.assignment()
        if assigned:
            self.consumer.pause(assigned)
        try:
            message = self.consumer.poll(seconds)
            if message is not None and message.error() is None:
                # Fetched before the pause took hold: go back to it, or it would be skipped.
                self.consumer.seek(TopicPartition(*cast("tuple[str, int, int]", place_of(message))))
        finally:
            owned = self.consumer.assignment()
            if owned:
                self.consumer.resume(owned)
        self._raise_failure()
        # After the callbacks: a membership must never be newer than what is known to be lost.
        self._in_flight.membership = self.consumer.consumer_group_metadata()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [part.partition for part in partitions]
        if not numbers:
            consumer.incremental_assign([])
            return
        found = self._starts.find(consumer, partitions)
        starts = []
        for number, start in found.items():
            self._positions[number] = start.offset
            self._in_flight.published[number] = start.published
            starts.append(TopicPartition(self._topic, number, start.offset))
        self._careful.assigned(
            {number: (start.offset, start.waiting) for number, start in found.items()},
            {number: start.applied for number, start in found.items()},
        )
        _log.info("applier.assigned", partitions=numbers, starts=[part.offset for part in starts])
        consumer.incremental_assign(starts)
        # Hazard: a pause outlives the loss of a partition; without this it would come back deaf.
        consumer.resume(partitions)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [part.partition for part in partitions]
        _log.info("applier.revoked", partitions=numbers)
        if not self._gave_up and not self._drain(consumer):
            # Closing the consumer comes here again: what could not land once is not waited for twice.
            self._gave_up = True
            self._in_flight.generation += 1
            raise Stop("a rebalance could not wait for the batch in flight; starting afresh")
        self._upkeep.revoking(numbers)
        self._forget(numbers)
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [part.partition for part in partitions]
        _log.warning("applier.lost", partitions=numbers)
        # Another worker may own them already: what is in flight must neither publish nor commit.
        self._in_flight.generation += 1
        self._forget(numbers)
        consumer.incremental_unassign(partitions)

    def _drain(self, consumer: Consumer) -> bool:
        """Let what is in flight land while this thread waits in a rebalance or at the end."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        # Hazard: a batch that still waits for room is in flight too, and only this thread can push it.
        while not (self._pushed(0.1) and self._in_flight.drain(0.1)):
            if time.monotonic() > deadline:
                return False
            self._heartbeat.beat("reader")
            # The membership's epoch may move on meanwhile; the offsets are refused under an old one.
            self._in_flight.membership = consumer.consumer_group_metadata()
        return True

    def _forget(self, partitions: list[int]) -> None:
        self._careful.revoked(partitions)
        for number in partitions:
            self._positions.pop(number, None)
            self._upkeep.tails.pop(number, None)
            self._reached.pop(number, None)
            self._in_flight.published.pop(number, None)


def _raise_if_fatal(error: KafkaError) -> None:
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - a public constant
        # Starting afresh says which records they are, if they were not applied.
        raise Stop(f"records were deleted before they could be read: {error.str()}")
    if error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise Stop(f"the consumer cannot go on: {error.str()}") from KafkaException(error)
    _log.warning("applier.broker", reason=error.str(), code=error.name())
