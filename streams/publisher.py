"""Stage 3 of the applier: results and dead letters out, together with the group's offsets."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from confluent_kafka import KafkaException, Producer, TopicPartition

from runtime import crash_points
from runtime.backoff import Backoff
from runtime.bounded_call import Hung
from runtime.settings import Settings
from schemas.command import Refused
from schemas.errors import Retry
from schemas.topics import COMMANDS, DEAD_LETTERS, RESULTS
from streams.pipeline import Batch, Flight, HandOver, Pulse
from streams.result_records import EncodeResult, all_told, dead_letter_headers, result_record
from streams.results_producer import ResultsProducer, bounded

_log = structlog.get_logger("applier")
_TIMEOUT: Final = 15.0
#: How much later the results topic may learn what those who asked know by then.
_GATHER_SECONDS: Final = 0.2


class _Void(Exception):
    """A batch in this transaction is no longer ours."""


class Publisher:
    """Publishes what was committed: one Kafka transaction for all batches that are waiting.

    The group's offsets travel in the same transaction, so a ``read_committed`` reader sees one result
    for each command even across a kill: what was sent and not committed never happened.
    """

    def __init__(
        self,
        settings: Settings,
        encode: EncodeResult,
        flight: Flight,
        applied: HandOver,
        pulse: Pulse,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._encode = encode
        self._flight = flight
        self._applied = applied
        self._pulse = pulse
        self._stop = stop
        self._commands = settings.topic(COMMANDS)
        self._results = settings.topic(RESULTS)
        self._dead_letters = settings.topic(DEAD_LETTERS)
        self._producer = ResultsProducer(settings, pulse, stop)
        self._unsure = False  # whether an earlier transaction of ours may have been committed after all

    def run(self) -> None:
        """Publish until asked to stop and nothing is left.

        :raises Stop: the broker refuses for good.
        """
        self._producer.open()
        self._pulse.rest("publisher")
        while not (self._stop.is_set() and self._flight.empty()):
            batches = self._applied.take(0.25)
            if not batches:
                continue
            self._pulse.beat("publisher")
            batches += self._more(batches)
            try:
                self._publish(batches)
            finally:
                for _ in batches:
                    self._flight.land()
            self._pulse.rest("publisher")

    def _more(self, batches: Sequence[Batch]) -> list[Batch]:
        """What comes in a moment, while everybody who waits for these results knows them already.

        A transaction of one result costs the broker as much as one of many.
        """
        more: list[Batch] = []
        until = time.monotonic() + _GATHER_SECONDS
        while not self._stop.is_set() and all(all_told(batch.decisions) for batch in (*batches, *more)):
            left = until - time.monotonic()
            if left <= 0:
                break
            more += self._applied.take(left)
        return more

    def _publish(self, batches: list[Batch]) -> None:
        delays = Backoff(first=0.05, ceiling=1.0).delays()
        while current := [batch for batch in batches if self._flight.current(batch)]:
            self._pulse.beat("publisher")
            producer = self._producer.open()
            if producer is None:
                return  # told to stop: the next owner publishes from the group's offsets
            try:
                published = self._published(current) if self._unsure else {}
                self._transact(producer, current, published)
                return
            except _Void:
                if not self._aborted(producer):
                    self._producer.replace("a transaction that became void cannot be ended", hanging=False)
            except Hung as hung:
                self._unsure = True
                self._producer.replace(str(hung), hanging=True)
            except Retry as unsettled:  # an earlier transaction: nothing of this one has begun
                _log.warning("applier.publish_retry", reason=str(unsettled))
                if self._stop.wait(next(delays)):
                    return  # the next owner publishes from the group's offsets
            except KafkaException as failure:
                error = failure.args[0]
                _log.warning("applier.publish_retry", reason=error.str(), code=error.name())
                if error.fatal() or not self._aborted(producer):
                    self._unsure = True
                    self._producer.replace(error.str(), hanging=False)
                if self._stop.wait(next(delays)) and not error.retriable():
                    return

    def _aborted(self, producer: Producer) -> bool:
        try:
            bounded("abort", producer.abort_transaction)
        except Hung:
            return False
        except KafkaException as failure:
            _log.warning("applier.abort_failed", reason=failure.args[0].str(), code=failure.args[0].name())
            return False
        return True

    def _published(self, batches: list[Batch]) -> dict[int, int]:
        """What a transaction whose end we have not seen did publish: its offsets stand, or they do not."""
        partitions = sorted({partition for batch in batches for partition in batch.ends})
        return self._producer.published(self._settings.consumer_group, self._commands, partitions)

    def _transact(self, producer: Producer, batches: list[Batch], published: Mapping[int, int]) -> None:
        """One transaction: the results that are not published yet, and the offsets.

        :raises Hung: the client does not come back and must be replaced.
        :raises KafkaException: nothing was published, or it is unknown whether.
        """
        producer.begin_transaction()
        ends: dict[int, int] = {}
        for batch in batches:
            for decision in batch.decisions:
                command = decision.command
                record = command.record
                if record.offset < published.get(record.partition, 0):
                    continue
                key, value, headers = result_record(decision, self._encode)
                self._produce(producer, self._results, key, value, headers)
                if isinstance(command, Refused) and command.undecodable:
                    headers = dead_letter_headers(command)
                    self._produce(producer, self._dead_letters, record.key, record.value, headers)
            ends.update(batch.ends)
        bounded("flush", producer.flush)
        crash_points.reach("after-results-before-offsets")
        offsets = [TopicPartition(self._commands, partition, end) for partition, end in ends.items()]
        self._pulse.beat("publisher")
        membership = self._flight.membership
        if not all(self._flight.current(batch) for batch in batches):
            # Hazard: lost and won back meanwhile, our newest membership is valid and the batch is not:
            # another owner may have published it. Read first, checked second, it is of the batch's time.
            raise _Void
        bounded(
            "send-offsets", lambda limit: producer.send_offsets_to_transaction(offsets, membership, limit)
        )
        crash_points.reach("after-offsets-before-commit")
        self._pulse.beat("publisher")
        self._commit(producer)
        self._unsure = False
        self._producer.take_turns()
        self._flight.published.update(ends)

    def _commit(self, producer: Producer) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                bounded("commit", producer.commit_transaction)
                return
            except KafkaException as failure:
                # Hazard: the outcome of a timed-out commit is unknown. The same call settles it, or the
                # group's offsets do, once a successor of the client has ended the transaction.
                if not failure.args[0].retriable():
                    raise
                if time.monotonic() > deadline:
                    raise Hung("the commit of a results transaction") from failure
                self._pulse.beat("publisher")

    def _produce(
        self,
        producer: Producer,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, Any]],
    ) -> None:
        while True:
            try:
                producer.produce(topic, value=value, key=key, headers=headers)
                return
            except BufferError:
                self._pulse.beat("publisher")
                producer.poll(0.1)
