"""Stage 1 of the applier: consume the commands topic, decode, queue batches."""

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
from runtime.incoming_records import place_of
from runtime.kafka import make_consumer
from runtime.outages import through_outages
from runtime.settings import Settings
from schemas.command import Command, Refused
from schemas.decode import DecodeAvro
from schemas.errors import Stop
from schemas.topics import COMMANDS
from streams.applier import ownership
from streams.applier.batches import Batch, BatchQueue, InFlight
from streams.applier.careful import Careful
from streams.applier.decoding import Decoding
from streams.applier.ownership import Ownership
from streams.applier.start_offsets import StartOffsets
from streams.heartbeat import Heartbeat
from streams.upkeep import Upkeep

_log = structlog.get_logger("applier")
_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001 - a public constant
#: Longer than any pause between two tries.
_EXCUSED_SECONDS: Final = 10.0
_RETRIES: Final = Backoff(ceiling=2.0)
Noted = TypeVar("Noted")


class Reader:
    """Reads the commands topic into ``batches``."""

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
        self._queued: Batch | None = None  # counted as in flight; the queue has no room for it yet
        self._ownership = Ownership(
            settings,
            in_flight,
            self._careful,
            StartOffsets(settings, heartbeat, stop, upkeep.ensure_months),
            upkeep,
            self._drain,
        )
        self.consumer: Consumer = make_consumer(
            settings,
            settings.consumer_group,
            **{
                "group.protocol": "consumer",
                "fetch.min.bytes": 1,
                "fetch.wait.max.ms": 100,
                # One or two batches ahead. More would only take memory. A fetch response is buffered whole,
                # so it must be small too; a larger record comes all the same (KIP-74).
                "queued.max.messages.kbytes": 2048,
                "max.partition.fetch.bytes": 131_072,
                # A partition that has filled this queue would not be fetched for a second (the default).
                "fetch.queue.backoff.ms": 5,
                "enable.partition.eof": True,
                # Hazard: "earliest" would skip records that retention deletes ahead of us, silently.
                "auto.offset.reset": "error",
            },
        )

    def owned(self) -> list[int]:
        """Partitions that this applier owns now."""
        return list(self._ownership.positions)

    def positions(self) -> dict[int, int]:
        """Partition → the offset after the last record that was read."""
        return dict(self._ownership.positions)

    def run(self) -> None:
        """Read until asked to stop.

        :raises Stop: ownership could not be handed over cleanly, or retention deleted unapplied records.
        """
        try:
            self._ownership.subscribe(self.consumer)
            while not self._stop.is_set():
                self._heartbeat.beat("reader")
                messages = self._poll()
                if messages:
                    crash_points.reach("after-poll")
                    self._deliver(messages)
                self._ownership.note_tails()
            self._in_flight.close()
            self._drain(self.consumer)
        finally:
            self._in_flight.close()
            self._heartbeat.rest("reader")
            self.consumer.close()
        self._ownership.raise_failure()

    def _poll(self) -> list[Message]:
        # No linger between an idle applier and its first command: wait for one, take what else is there.
        messages = self.consumer.consume(1, 0.25)
        if messages and self._settings.batch_size > 1:
            # Hazard: a rebalance in the second call makes the first message void, which the client, having
            # returned it, cannot discard.
            number = cast("int", messages[0].partition())
            assignment = self._ownership.assignments.get(number)
            more = self.consumer.consume(self._settings.batch_size - 1, 0)
            still = assignment == self._ownership.assignments.get(number)
            messages = [*messages, *more] if still else more
        self._ownership.raise_failure()
        self._in_flight.membership = self.consumer.consumer_group_metadata()
        return [message for message in messages if not self._at_end(message)]

    def _at_end(self, message: Message) -> bool:
        error = message.error()
        if error is None or error.code() != _EOF:
            return False
        _, number, offset = cast("tuple[str, int, int]", place_of(message))
        self._ownership.note_end(number, offset)
        return True

    def _deliver(self, messages: list[Message]) -> None:
        """Decode and queue the messages: at once, but in small groups where a partition needs care."""
        generation, careful = self._in_flight.generation, set(self._careful.partitions)
        assignments = dict(self._ownership.assignments)
        if not careful:
            self._take(messages, assignments)
            return
        others: list[Message] = []
        suspected: list[Message] = []
        for message in messages:
            suspect = message.error() is None and message.partition() in careful
            (suspected if suspect else others).append(message)
        self._take(others, assignments)
        for group in self._careful.groups(suspected):
            self._land()
            if self._in_flight.generation != generation:
                self._seek_back(assignments)
                return
            refused = self._noted(partial(self._careful.take_in_hand, group))
            try:
                self._take(group, assignments, refused)
                # Nothing else is in flight: whatever ends the process now is in this group.
                self._land()
            except BaseException:
                if self._ownership.failure is not None:  # a rebalance failed, not this group
                    self._careful.given_up(group)
                raise
            if self._in_flight.generation == generation:
                self._noted(partial(self._careful.finished, group, isolated=refused is not None))
            elif not self._in_flight.failed:
                self._careful.given_up(group)

    def _seek_back(self, assignments: dict[int, int]) -> None:
        """Read what was not taken once more, from the partitions that are still owned.

        Hazard: the consumer is past it. An end that it has reached is not the end of what was taken, and the
        next batch would begin behind the gap.
        """
        self._ownership.forget_ends()
        if self._stop.is_set() or self._in_flight.failed:
            return
        topic = self._settings.topic(COMMANDS)
        for number, position in self._ownership.positions.items():
            if assignments.get(number) == self._ownership.assignments[number]:
                self.consumer.seek(TopicPartition(topic, number, position))

    def _land(self) -> None:
        """Wait until nothing is in flight."""
        while not self._in_flight.drain(0.05):
            self._idle(0.0)

    def _noted(self, note: Callable[[], Noted]) -> Noted:
        """Store a crash mark; retry while the database is unavailable."""

        def log(error: Exception, _seconds: float) -> None:
            _log.warning("applier.retry", reason=str(error))
            self._heartbeat.excuse("reader", _EXCUSED_SECONDS)

        def idle(seconds: float) -> bool:
            if not self._stop.is_set():
                self._idle(seconds)
            return self._stop.is_set()

        return through_outages(note, log, idle, _RETRIES)

    def _take(
        self, messages: list[Message], assignments: dict[int, int], refused: Refused | None = None
    ) -> None:
        """Decode the messages and queue them as one batch.

        :param assignments: under which they were read; decoding may wait, and a partition be lost meanwhile.
        :param refused: the decision on the only message, when it is isolated.
        """
        generation, positions = self._in_flight.generation, self._ownership.positions
        current = self._ownership.assignments
        starts: dict[int, int] = {}
        commands: list[Command | Refused] = []
        for message in messages:
            error = message.error()
            if error is not None:
                _raise_if_fatal(error)
                continue
            partition, offset = cast("tuple[int, int]", (message.partition(), message.offset()))
            position = positions.get(partition)
            if position is None or offset < position or current[partition] != assignments.get(partition):
                continue  # of an ownership that has ended
            command = refused or self._decoding.decode(message)
            if current.get(partition) != assignments[partition]:
                continue
            starts.setdefault(partition, position)
            commands.append(command)
            positions[partition] = offset + 1
        crash_points.reach("after-decode")
        void = {partition for partition in starts if current.get(partition) != assignments[partition]}
        if void:
            starts = {partition: start for partition, start in starts.items() if partition not in void}
            commands = [command for command in commands if command.record.partition not in void]
        if commands:
            ends = {partition: positions[partition] for partition in starts}
            self._enqueue(Batch(generation=generation, commands=commands, starts=starts, ends=ends))

    def _wait_for_registry(self, seconds: float) -> None:
        self._heartbeat.excuse("reader", _EXCUSED_SECONDS)
        self._idle(seconds)

    def _enqueue(self, batch: Batch) -> None:
        self._in_flight.depart()
        self._queued = batch
        while not self._pushed(1.0):
            if self._stop.is_set():
                self._drop()
                return
            self._idle(0.0)  # a rebalance in here may push the batch, or make it void
            if not self._in_flight.current(batch):
                self._drop()
                return

    def _pushed(self, seconds: float) -> bool:
        """Push the waiting batch into the queue; ``False`` while there is no room for it."""
        if self._queued is not None:
            if not self._batches.put(self._queued, seconds):
                return False
            self._queued = None
        return True

    def _drop(self) -> None:
        if self._queued is not None:
            self._queued = None
            self._in_flight.land()

    def _idle(self, seconds: float) -> None:
        """Poll with all partitions paused, to remain a member of the group."""
        self._heartbeat.beat("reader")
        assigned = self.consumer.assignment()
        if assigned:
            self.consumer.pause(assigned)
        try:
            message = self.consumer.poll(seconds)
            if message is not None and message.error() is None:
                # Fetched before the pause took effect: seek back, or it would be skipped.
                self.consumer.seek(TopicPartition(*cast("tuple[str, int, int]", place_of(message))))
        finally:
            owned = self.consumer.assignment()
            if owned:
                self.consumer.resume(owned)
        self._ownership.raise_failure()
        # After the callbacks: a membership must never be newer than the losses that are known.
        self._in_flight.membership = self.consumer.consumer_group_metadata()

    def _drain(self, consumer: Consumer) -> bool:
        """Wait until nothing is in flight, while this thread is in a rebalance or at its end."""
        deadline = time.monotonic() + ownership.DRAIN_SECONDS
        # Hazard: a batch that still waits for room is in flight too, and only this thread can push it.
        while not (self._pushed(0.1) and self._in_flight.drain(0.1)):
            if time.monotonic() > deadline:
                return False
            self._heartbeat.beat("reader")
            # The group's member epoch may move on meanwhile; offsets are refused under an old one.
            self._in_flight.membership = consumer.consumer_group_metadata()
        return True


def _raise_if_fatal(error: KafkaError) -> None:
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - a public constant
        # The restart reports which records were deleted, if they were not applied.
        raise Stop(f"records were deleted before they could be read: {error.str()}")
    if error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise Stop(f"the consumer cannot go on: {error.str()}") from KafkaException(error)
    _log.warning("applier.broker", reason=error.str(), code=error.name())
