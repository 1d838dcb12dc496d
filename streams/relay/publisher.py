"""Publish records and the relay's checkpoint in one Kafka transaction."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial

from confluent_kafka import Producer

from runtime import crash_points
from runtime.bounded_call import CallTimeout
from runtime.produce import produce
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

    def __init__(self, settings: Settings, heartbeat: Heartbeat, stop: threading.Event) -> None:
        self._settings = settings
        self._beat = partial(heartbeat.beat, "relay")
        identity = OwnTransactionalId(f"{settings.topic_prefix}interactions-relay-{EVENTS_SHARD}")
        self._producer = TransactionalProducer(settings, "relay", "relay", lambda: identity, heartbeat, stop)
        self._producer.open()

    def publish(self, records: Iterable[OutgoingRecord], shard: str | None, checkpoint: Checkpoint) -> None:
        """Publish records together with the checkpoint that covers them, in one transaction.

        :param shard: whose checkpoint it is; ``None`` publishes no checkpoint.

        :raises Retry: it is unknown whether they are published, as the checkpoint will show.
        :raises KafkaException: the broker refuses, or the producer is fenced.
        """
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
            crash_points.reach("relay-after-send-before-commit")
            self._producer.commit(producer)
        except CallTimeout:
            raise  # Hazard: the client hangs, and must not be used again; its successor ends the transaction.
        except:  # also what is not an exception class (runtime.supervised_thread)
            self._producer.aborted(producer)
            raise
        crash_points.reach("relay-after-commit-before-cleanup")

    def close(self) -> None:
        """Abandon the clients, of which one may hang."""
        self._producer.close()

    def _produce(self, producer: Producer, record: OutgoingRecord) -> None:
        produce(producer, self._settings.topic(record.topic), record, waiting=self._beat)
