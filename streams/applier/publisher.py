"""Stage 3 of the applier: publish results and dead letters, together with the group's offsets."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import structlog
from confluent_kafka import KafkaException, Producer, TopicPartition

from domain.decision import Decision
from runtime import crash_points
from runtime.backoff import Backoff
from runtime.bounded_call import CallTimeout
from runtime.produce import produce
from runtime.settings import Settings
from schemas.command import Refused
from schemas.errors import Retry, Stop
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS, DEAD_LETTERS, RESULTS
from streams.applier.batches import Batch, BatchQueue, InFlight, Place, place_of_command
from streams.applier.dead_letter_records import MOST_LETTER_BYTES, dead_letter
from streams.applier.result_records import EncodeResult, all_notified, bare_value, result_record
from streams.applier.unpublishable import CONFIGURATION, Refusals, Unpublishable
from streams.heartbeat import Heartbeat
from streams.transactional_ids import lease_transactional_id
from streams.transactional_producer import TransactionalProducer, bounded

_log = structlog.get_logger("applier")
#: Linger of a results transaction while every waiting gateway has its outcome by notice already.
_LINGER_SECONDS: Final = 0.2
#: Longest time that a topic may be missing or forbidden.
_REFUSED_SECONDS: Final = 60.0


class _Void(Exception):
    """A batch in this transaction belongs to an assignment that has ended."""


class Publisher:
    """Publishes committed batches: one Kafka transaction for all that are waiting.

    The group's offsets are part of the same transaction, so a ``read_committed`` consumer sees one result
    per command even across a kill: records of an uncommitted transaction are never delivered.
    """

    def __init__(
        self,
        settings: Settings,
        encode: EncodeResult,
        in_flight: InFlight,
        applied: BatchQueue,
        heartbeat: Heartbeat,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._encode = encode
        self._in_flight = in_flight
        self._applied = applied
        self._heartbeat = heartbeat
        self._beat = partial(heartbeat.beat, "publisher")
        self._stop = stop
        self._commands = settings.topic(COMMANDS)
        self._topics = {topic: settings.topic(topic) for topic in (RESULTS, DEAD_LETTERS)}
        self._producer = TransactionalProducer(
            settings,
            "applier",
            "publisher",
            partial(lease_transactional_id, settings),
            heartbeat,
            stop,
            # A dead letter contains its record uncompressed.
            most_bytes=MOST_LETTER_BYTES + 64 * 1024,
        )
        self._refusals = Refusals()
        self._unsure = False  # an earlier transaction may have been committed after all

    def run(self) -> None:
        """Publish until the reader has ended and nothing is left.

        :raises Stop: the broker refuses for good.
        """
        self._producer.open()
        self._heartbeat.rest("publisher")
        while not self._in_flight.finished():
            batches = self._applied.take(0.25)
            if not batches:
                continue
            self._beat()
            batches += self._linger(batches)
            try:
                if not self._publish(batches):
                    # Hazard: the offsets of a later batch would pass results that are not published.
                    self._in_flight.abandon()
            finally:
                for _ in batches:
                    self._in_flight.land()
            self._heartbeat.rest("publisher")

    def _linger(self, batches: Sequence[Batch]) -> list[Batch]:
        """Wait a moment for further batches, while every waiting gateway has its outcome by notice already.

        A transaction of one result costs the broker as much as a transaction of many.
        """
        more: list[Batch] = []
        until = time.monotonic() + _LINGER_SECONDS
        while not self._stop.is_set() and all(all_notified(batch.decisions) for batch in (*batches, *more)):
            left = until - time.monotonic()
            if left <= 0:
                break
            more += self._applied.take(left)
        return more

    def _publish(self, batches: list[Batch]) -> bool:
        """Publish the batches; ``False`` when asked to stop before that was done.

        :raises Stop: the broker refuses the topics for good, or refuses too many records.
        """
        delays = Backoff(first=0.05, ceiling=1.0).delays()
        refused_since: float | None = None
        while current := [batch for batch in batches if self._in_flight.current(batch)]:
            self._beat()
            producer = self._producer.open()
            if producer is None:
                return False  # the next owner publishes from the group's offsets
            try:
                published = self._published(current) if self._unsure else {}
                self._transact(producer, current, published)
                return True
            except Unpublishable as unpublishable:
                self._refusals.note(unpublishable)
                if not self._producer.aborted(producer):
                    self._producer.replace(
                        "a transaction with a refused record cannot be ended", hanging=False
                    )
            except _Void:
                if not self._producer.aborted(producer):
                    self._producer.replace("a transaction that became void cannot be ended", hanging=False)
            except CallTimeout as hung:
                self._unsure = True
                self._producer.replace(str(hung), hanging=True)
            except Retry as unsettled:  # an earlier transaction: nothing of this one has begun
                _log.warning("applier.publish_retry", reason=str(unsettled))
                if self._stop.wait(next(delays)):
                    return False
            except KafkaException as failure:
                error = failure.args[0]
                _log.warning("applier.publish_retry", reason=error.str(), code=error.name())
                if error.fatal() or not self._producer.aborted(producer):
                    self._unsure = True
                    self._producer.replace(error.str(), hanging=False)
                if error.code() not in CONFIGURATION:
                    refused_since = None
                elif refused_since is None:
                    refused_since = time.monotonic()
                elif time.monotonic() - refused_since > _REFUSED_SECONDS:
                    raise Stop(f"results cannot be published: {error.str()}") from failure
                if self._stop.wait(next(delays)) and not error.retriable():
                    return False
        return True

    def _published(self, batches: list[Batch]) -> dict[int, int]:
        """Committed offsets of the group: they tell whether a transaction of unknown fate was committed."""
        partitions = sorted({partition for batch in batches for partition in batch.ends})
        return self._producer.published(self._settings.consumer_group, self._commands, partitions)

    def _transact(self, producer: Producer, batches: list[Batch], published: Mapping[int, int]) -> None:
        """Run one transaction: the results that are not published yet, and the offsets.

        :raises CallTimeout: a call of the client did not return; the client must be replaced.
        :raises KafkaException: nothing was published, or it is unknown whether.
        """
        producer.begin_transaction()
        ends: dict[int, int] = {}
        self._refusals.begin()
        for batch in batches:
            for decision in batch.decisions:
                partition, offset = place = place_of_command(decision.command)
                if offset >= published.get(partition, 0):
                    self._answer(producer, decision, batch.results.get(place))
            ends.update(batch.ends)
        bounded("flush", producer.flush)
        self._refusals.check()
        crash_points.reach("after-results-before-offsets")
        offsets = [TopicPartition(self._commands, partition, end) for partition, end in ends.items()]
        self._beat()
        membership = self._in_flight.membership
        if not all(self._in_flight.current(batch) for batch in batches):
            # Hazard: with the partitions lost and won back, the newest membership is valid and the batch is
            # not: another owner may have published it. Read before this check, the membership is old enough.
            raise _Void
        bounded(
            "send-offsets", lambda limit: producer.send_offsets_to_transaction(offsets, membership, limit)
        )
        crash_points.reach("after-offsets-before-commit")
        self._beat()
        self._producer.commit(producer)
        self._unsure = False
        self._in_flight.published.update(ends)
        self._refusals.settled(sum(len(batch.decisions) for batch in batches))

    def _answer(self, producer: Producer, decision: Decision, made: bytes | None) -> None:
        """Produce the result of one command, and its dead letter if it has one."""
        command = decision.command
        place = place_of_command(command)
        value = bare_value(decision, self._encode) if self._refusals.is_bare(place) else made
        try:
            result = result_record(decision, self._encode, value)
        except Exception as error:
            raise Unpublishable(place, "result", 0, error) from error
        self._produce(producer, result, (place, "result"))
        if isinstance(command, Refused) and command.undecodable:
            problem = decision.entry.facts.problem or {}
            letter = dead_letter(command, problem.get("detail"), small=self._refusals.is_small(place))
            self._produce(producer, letter, (place, "dead letter"))

    def _produce(self, producer: Producer, record: OutgoingRecord, about: tuple[Place, str]) -> None:
        topic = self._topics[record.topic]
        size = len(record.value or b"")
        delivered = partial(self._refusals.delivered, *about, size)
        try:
            produce(producer, topic, record, delivered, waiting=self._beat)
        except KafkaException as failure:
            delivered(failure.args[0], None)
        except (TypeError, ValueError) as error:  # the client cannot write it
            raise Unpublishable(*about, size, error) from error
