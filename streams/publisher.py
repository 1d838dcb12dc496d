"""Stage 3 of the applier: results and dead letters out, together with the group's offsets."""

from __future__ import annotations

import queue
import threading
from typing import Any, Final

import structlog
from confluent_kafka import KafkaException, Producer, TopicPartition

from runtime import crash_points
from runtime.backoff import Backoff
from runtime.kafka import make_producer
from runtime.settings import Settings
from schemas.command import Refused
from schemas.errors import Stop
from schemas.topics import COMMANDS, DEAD_LETTERS, RESULTS
from streams.pipeline import Batch, Flight, Pulse
from streams.result_records import EncodeResult, dead_letter_headers, result_record
from streams.slots import Slot

_log = structlog.get_logger("applier")
_TIMEOUT: Final = 30.0
_TRANSACTION_SECONDS: Final = 15.0
_HUNG_SECONDS: Final = _TRANSACTION_SECONDS + 5.0


class Publisher:
    """Publishes what was committed: one Kafka transaction for all batches that are waiting.

    The group's offsets travel in the same transaction, so a ``read_committed`` reader sees one result
    for each command even across a kill: what was sent and not committed never happened.
    """

    def __init__(
        self,
        settings: Settings,
        encode: EncodeResult,
        slot: Slot,
        flight: Flight,
        applied: queue.Queue[Batch],
        pulse: Pulse,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._encode = encode
        self._slot = slot  # its lock lives as long as its connection, which lives as long as we hold it
        self._flight = flight
        self._applied = applied
        self._pulse = pulse
        self._stop = stop
        self._commands = settings.topic(COMMANDS)
        self._results = settings.topic(RESULTS)
        self._dead_letters = settings.topic(DEAD_LETTERS)
        self._producer: Producer = make_producer(
            settings,
            **{
                "transactional.id": slot.transactional_id,
                # A killed owner's open transaction hides later results from readers for so long.
                "transaction.timeout.ms": int(_TRANSACTION_SECONDS * 1000),
                "linger.ms": 0,
            },
        )

    def run(self) -> None:
        """Publish until asked to stop and nothing is left.

        :raises Stop: another process has taken over this producer's identity, or the broker refuses.
        """
        self._start()
        while not (self._stop.is_set() and self._flight.empty()):
            try:
                batches = [self._applied.get(timeout=0.25)]
            except queue.Empty:
                continue
            self._pulse.beat("publisher")
            while True:
                try:
                    batches.append(self._applied.get_nowait())
                except queue.Empty:
                    break
            try:
                self._publish(batches)
            finally:
                for _ in batches:
                    self._flight.land()
            self._pulse.rest("publisher")

    def _start(self) -> None:
        delays = Backoff(ceiling=5.0).delays()
        while not self._stop.is_set():
            self._pulse.beat("publisher")
            try:
                self._producer.init_transactions(_TIMEOUT)
            except KafkaException as failure:
                if not failure.args[0].retriable():
                    raise Stop(f"the results producer cannot start: {failure.args[0].str()}") from failure
                self._stop.wait(next(delays))
            else:
                break
        self._pulse.rest("publisher")

    def _publish(self, batches: list[Batch]) -> None:
        delays = Backoff(first=0.05, ceiling=5.0).delays()
        while True:
            current = [batch for batch in batches if self._flight.current(batch)]
            if not current:
                return
            try:
                self._transact(current)
                return
            except KafkaException as failure:
                error = failure.args[0]
                self._pulse.beat("publisher")
                if error.fatal():
                    raise Stop(f"the results producer is fenced or broken: {error.str()}") from failure
                _log.warning("applier.publish_retry", reason=error.str(), code=error.name())
                self._abort()
                if self._stop.is_set() and not error.retriable():
                    return
                self._stop.wait(next(delays))

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(_TIMEOUT)
        except KafkaException as failure:
            error = failure.args[0]
            if error.fatal():
                raise Stop(f"the results producer is fenced or broken: {error.str()}") from failure
            _log.warning("applier.abort_failed", reason=error.str(), code=error.name())

    def _transact(self, batches: list[Batch]) -> None:
        producer = self._producer
        producer.begin_transaction()
        ends: dict[int, int] = {}
        for batch in batches:
            for decision in batch.decisions:
                record = decision.command.record
                key, value, headers = result_record(decision, self._encode)
                self._produce(self._results, key, value, headers)
                command = decision.command
                if isinstance(command, Refused) and command.undecodable:
                    self._produce(self._dead_letters, record.key, record.value, dead_letter_headers(command))
            ends.update(batch.ends)
        producer.flush(_TIMEOUT)
        crash_points.reach("after-results-before-offsets")
        offsets = [TopicPartition(self._commands, partition, end) for partition, end in ends.items()]
        # Hazard: this call ignores its timeout when the group's coordinator was cut off (librdkafka issue
        # 5456) and then never returns. By that time the broker has ended the transaction: start afresh.
        self._pulse.beat("publisher", within=_HUNG_SECONDS)
        producer.send_offsets_to_transaction(offsets, self._flight.membership, _TIMEOUT)
        self._pulse.beat("publisher")
        self._commit()
        self._flight.published.update(ends)

    def _commit(self) -> None:
        while True:
            try:
                self._producer.commit_transaction(_TIMEOUT)
                return
            except KafkaException as failure:
                # Hazard: the outcome of a timed-out commit is unknown; only the same call may settle it.
                if not failure.args[0].retriable():
                    raise
                self._pulse.beat("publisher")

    def _produce(
        self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, Any]]
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value=value, key=key, headers=headers)
                return
            except BufferError:
                self._producer.poll(0.1)
