"""Publish journal entries and the relay's checkpoint in one Kafka transaction."""

from __future__ import annotations

from itertools import cycle
from typing import Final

from confluent_kafka import KafkaException, Producer

from runtime import crash_points
from runtime.kafka import FLUSHED_LINGER_MS, make_producer
from runtime.settings import Settings
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import RELAY_POSITION
from sinks.journal_reader import Chunk
from streams.heartbeat import Heartbeat
from streams.relay.checkpoint import encode_checkpoint
from streams.relay.records import Encode, records_of

_TIMEOUT: Final = 30.0


class EventPublisher:
    """Two transactional producers that alternate, for the reason given in ``transactional_producer``.

    Hazard: make it before the checkpoint is read. A former leader may have a transaction open under either
    transactional id, and can still write as long as one of its ids is not fenced.
    """

    def __init__(self, settings: Settings, shard: str, encode: Encode, heartbeat: Heartbeat) -> None:
        self._settings = settings
        self._shard = shard
        self._encode = encode
        self._heartbeat = heartbeat
        self._producers = cycle([self._initialized(""), self._initialized("-b")])

    def _initialized(self, suffix: str) -> Producer:
        producer = make_producer(
            self._settings,
            **{
                "transactional.id": f"{self._settings.topic_prefix}interactions-relay-{self._shard}{suffix}",
                "transaction.timeout.ms": 15000,
                "linger.ms": FLUSHED_LINGER_MS,
                "queue.buffering.max.messages": 100000,
            },
        )
        producer.init_transactions(_TIMEOUT)
        return producer

    def publish(self, epoch: str, chunk: Chunk) -> None:
        """Publish the records of the entries together with the checkpoint, in one transaction.

        :raises KafkaException: the broker refuses, or the producer is fenced.
        """
        producer = next(self._producers)
        producer.begin_transaction()
        try:
            for entry in chunk.entries:
                for record in records_of(entry, self._encode):
                    self._produce(producer, record)
            checkpoint = encode_checkpoint(epoch, chunk.end)
            self._produce(producer, OutgoingRecord(RELAY_POSITION, self._shard, checkpoint))
            producer.flush(_TIMEOUT)
            crash_points.reach("relay-after-send-before-commit")
        except:  # also what is not an exception class (runtime.supervised_thread)
            producer.abort_transaction(_TIMEOUT)
            raise
        self._commit(producer)
        crash_points.reach("relay-after-commit-before-cleanup")

    def _commit(self, producer: Producer) -> None:
        while True:
            try:
                producer.commit_transaction(_TIMEOUT)
                return
            except KafkaException as failure:
                error = failure.args[0]
                if error.retriable():
                    # Hazard: the outcome of the commit is unknown; only the same call may settle it.
                    self._heartbeat.beat("relay")
                    continue
                if error.txn_requires_abort():
                    producer.abort_transaction(_TIMEOUT)
                raise

    def _produce(self, producer: Producer, record: OutgoingRecord) -> None:
        topic = self._settings.topic(record.topic)
        while True:
            try:
                producer.produce(topic, value=record.value, key=record.key, headers=record.headers)
                return
            except BufferError:
                producer.poll(0.1)
