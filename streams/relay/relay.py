"""The relay: outbox → topics, each event exactly once and in order for ``read_committed`` consumers.

Each chunk of a window goes out in one Kafka transaction together with the relay's own position
(``relay_position``): after a kill, what was sent without the position never happened, and what was
sent with it is not sent again. One leader a shard: a session lock in Postgres chooses it, the
``transactional.id`` fences a former one that wakes up. Two producers take turns, for the reason that
``results_producer`` gives.
"""

from __future__ import annotations

import threading
import time
from itertools import cycle
from typing import Any, Final

import structlog
from confluent_kafka import KafkaException, Producer

from runtime import crash_points
from runtime.backoff import Backoff
from runtime.kafka import FLUSHED_LINGER_MS, make_producer
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from schemas.topics import RELAY_POSITION
from sinks.notify import OUTBOX_CHANNEL
from sinks.outbox_reader import (
    OutboxPosition,
    OutboxRow,
    cluster_epoch,
    read_window,
    save_checkpoint,
    snapshot_xmin,
    try_lead,
)
from streams.heartbeat import Heartbeat
from streams.relay.checkpoint import encode_checkpoint, read_checkpoint
from streams.relay.records import Encode, records_of

_log = structlog.get_logger("relay")
SHARD: Final = "0"
_TIMEOUT: Final = 30.0
_NOTE_SECONDS: Final = 0.5
#: From the beginning of one window's transactions to the next's: a transaction of one event costs the broker
#: as much as one of many.
_BETWEEN_SECONDS: Final = 0.1
#: Longer than any pause between two tries.
_EXCUSED_SECONDS: Final = 10.0


class Relay:
    """Publishes the outbox until asked to stop."""

    def __init__(
        self, settings: Settings, encode: Encode, heartbeat: Heartbeat, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._encode = encode
        self._heartbeat = heartbeat
        self._stop = stop
        self._noted = 0.0
        self._unnoted = False
        self._at: OutboxPosition | None = None

    def position(self) -> OutboxPosition | None:
        """How far it is; ``None`` while it does not lead."""
        return self._at

    def run(self) -> None:
        """Lead, or wait to lead; start over after an outage of Postgres or Kafka.

        :raises Stop: fenced by another leader, or the database is not the one that was published from.
        """
        delays = Backoff(first=0.1, ceiling=5.0).delays()
        while not self._stop.is_set():
            self._heartbeat.beat("relay")
            try:
                self._session()
            except (Retry, Outage) as error:
                _log.warning("relay.retry", reason=type(error).__name__)
                self._heartbeat.excuse("relay", _EXCUSED_SECONDS)
            except KafkaException as failure:
                cause = failure.args[0]
                if cause.fatal():
                    raise Stop(f"the relay's producer is fenced or broken: {cause.str()}") from failure
                _log.warning("relay.retry", reason=cause.str(), code=cause.name())
            else:
                delays = Backoff(first=0.1, ceiling=5.0).delays()
                continue
            self._stop.wait(next(delays))
        self._heartbeat.rest("relay")

    def _session(self) -> None:
        connection = connect(self._settings, application_name="interactions-relay", autocommit=True)
        try:
            while not try_lead(connection, SHARD):
                self._heartbeat.beat("relay")
                if self._stop.wait(0.5):
                    return
            self._lead(connection)
        finally:
            self._at = None
            connection.close()

    def _ready(self, suffix: str) -> Producer:
        producer = make_producer(
            self._settings,
            **{
                "transactional.id": f"{self._settings.topic_prefix}interactions-relay-{SHARD}{suffix}",
                "transaction.timeout.ms": 15000,
                "linger.ms": FLUSHED_LINGER_MS,
                "queue.buffering.max.messages": 100000,
            },
        )
        producer.init_transactions(_TIMEOUT)
        return producer

    def _lead(self, connection: Connection) -> None:
        # Hazard: both before the position is read. Under either id a former leader may have a transaction
        # open, and it may still write as long as one of his ids is his.
        producers = cycle([self._ready(""), self._ready("-b")])
        epoch = cluster_epoch(connection)
        at = self._resume(connection, epoch)
        connection.execute(f"LISTEN {OUTBOX_CHANNEL}")
        _log.info("relay.leading", shard=SHARD, floor=at.floor, position=at.position)
        latest = 0.0
        while not self._stop.is_set():
            self._heartbeat.beat("relay")
            self._at = at
            if at.ceiling is None:
                self._stop.wait(max(0.0, latest + _BETWEEN_SECONDS - time.monotonic()))
                ceiling = snapshot_xmin(connection)
                if ceiling <= at.floor:
                    self._note(connection, epoch, at)
                    self._wait(connection)
                    continue
                at = OutboxPosition(at.floor, ceiling, 0)
            published = 0
            began = time.monotonic()
            for rows in read_window(connection, at, self._settings.batch_size):
                crash_points.reach("relay-after-read")
                at = OutboxPosition(at.floor, at.ceiling, rows[-1].position)
                # The last chunk is recorded as inside the window too; a restart then finds it empty.
                self._publish(next(producers), epoch, rows, at)
                self._at = at
                published += len(rows)
                self._unnoted = True
                if self._stop.is_set():
                    break
            else:
                assert at.ceiling is not None
                at = OutboxPosition(at.ceiling)
            if published:
                latest = began
            self._note(connection, epoch, at)
            if published == 0:
                self._wait(connection)

    def _resume(self, connection: Connection, epoch: str) -> OutboxPosition:
        stored = read_checkpoint(self._settings, SHARD)
        if stored is None:
            return OutboxPosition()
        if stored.epoch != epoch or stored.at.floor > snapshot_xmin(connection):
            raise Stop(
                "this database is not the one whose outbox was published so far (restored from a backup,"
                " or another cluster): publishing on would lose or double events."
                " See 'After restoring the database' in docs/operations.md"
            )
        return stored.at

    def _publish(self, producer: Producer, epoch: str, rows: list[OutboxRow], at: OutboxPosition) -> None:
        producer.begin_transaction()
        try:
            for row in rows:
                for topic, key, value, headers in records_of(row, self._encode):
                    self._produce(producer, topic, key, value, headers)
            self._produce(producer, RELAY_POSITION, SHARD, encode_checkpoint(epoch, at), None)
            producer.flush(_TIMEOUT)
            crash_points.reach("relay-after-send-before-commit")
        except:  # also what is no exception class (runtime.supervised_thread)
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
                    # Hazard: whether it was committed is unknown; only the same call may settle it.
                    self._heartbeat.beat("relay")
                    continue
                if error.txn_requires_abort():
                    producer.abort_transaction(_TIMEOUT)
                raise

    def _produce(self, producer: Producer, topic: str, key: str, value: bytes | None, headers: Any) -> None:
        name = self._settings.topic(topic)
        while True:
            try:
                producer.produce(name, value=value, key=key, headers=headers)
                return
            except BufferError:
                producer.poll(0.1)

    def _wait(self, connection: Connection) -> None:
        """Until a commit is announced, and not longer than a moment: the announcement is a hint."""
        for _ in connection.notifies(timeout=0.2, stop_after=1):
            pass

    def _note(self, connection: Connection, epoch: str, at: OutboxPosition) -> None:
        now = time.monotonic()
        if self._unnoted and now - self._noted >= _NOTE_SECONDS:
            save_checkpoint(connection, SHARD, epoch, at)
            self._noted, self._unnoted = now, False
