"""Publish records and the relay's checkpoint in one Kafka transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from runtime import crash_points
from runtime.bounded_call import CallTimeout
from runtime.produce import OF_A_RECORD, produce
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import RELAY_POSITION
from streams.heartbeat import Heartbeat
from streams.relay.checkpoint import EVENTS_SHARD, Checkpoint, encode_checkpoint
from streams.transactional_ids import OwnTransactionalId
from streams.transactional_producer import TransactionalProducer, bounded


class RelayPublisher:
    """Publishes through one transactional producer, from which a former leader is fenced.

    Hazard: make it before the checkpoint is read. A former leader may have a transaction open under either
    transactional id, and can still write as long as one of its ids is not fenced.
    """

    def __init__(
        self,
        settings: Settings,
        heartbeat: Heartbeat,
        stop: threading.Event,
        refused: Callable[[OutgoingRecord, str], None],
    ) -> None:
        self._settings = settings
        self._note_refused = refused
        self._refused: list[tuple[OutgoingRecord, str]] = []
        self._beat = partial(heartbeat.beat, "relay")
        identity = OwnTransactionalId(f"{settings.topic_prefix}interactions-relay-{EVENTS_SHARD}")
        self._producer = TransactionalProducer(settings, "relay", "relay", lambda: identity, heartbeat, stop)
        self._producer.open()

    def publish(self, records: Iterable[OutgoingRecord], shard: str | None, checkpoint: Checkpoint) -> None:
        """Publish records together with the checkpoint that covers them, in one transaction.

        A record that the client or the broker refuses for good is left out.

        :param shard: whose checkpoint it is; ``None`` publishes no checkpoint.
        :raises Retry: it is unknown whether they are published, as the checkpoint will show.
        :raises KafkaException: the broker refuses, or the producer is fenced.
        :raises Stop: too many records are left out.
        """
        records = list(records)
        while not self._published(records, shard, checkpoint):
            # Hazard: the broker refuses every record of a request that holds one too large.
            record, error = max(self._refused, key=lambda refused: len(refused[0].value or b""))
            self._note_refused(record, error)
            records = [it for it in records if it is not record]

    def _published(
        self, records: Iterable[OutgoingRecord], shard: str | None, checkpoint: Checkpoint
    ) -> bool:
        """Run one transaction; ``False`` if a record is refused for good, and nothing is published."""
        self._refused = []
        producer = self._producer.open()
        if producer is None:
            raise Retry("the relay is asked to stop")
        producer.begin_transaction()
        try:
            for record in records:
                self._produce(producer, record)
            if shard is not None:
                value = encode_checkpoint(checkpoint)
                self._produce(producer, OutgoingRecord(RELAY_POSITION, shard, value))
            bounded("flush", producer.flush)
            if not self._refused:
                crash_points.reach("relay-after-send-before-commit")
                self._producer.commit(producer)
        except CallTimeout:
            raise  # Hazard: the client hangs, and must not be used again; its successor ends the transaction.
        except:  # also what is not an exception class (runtime.supervised_thread)
            self._producer.aborted(producer)
            raise
        if self._refused:
            if not self._producer.aborted(producer):
                self._producer.replace("a transaction with a refused record cannot be ended", hanging=False)
            return False
        crash_points.reach("relay-after-commit-before-cleanup")
        return True

    def close(self) -> None:
        """Abandon the clients, of which one may hang."""
        self._producer.close()

    def _produce(self, producer: Producer, record: OutgoingRecord) -> None:
        def delivered(error: KafkaError | None, _message: Any = None) -> None:
            if error is not None and error.code() in OF_A_RECORD:
                self._refused.append((record, error.name()))

        try:
            produce(producer, self._settings.topic(record.topic), record, delivered, waiting=self._beat)
        except KafkaException as failure:
            delivered(failure.args[0])
            if failure.args[0].code() not in OF_A_RECORD:
                raise
