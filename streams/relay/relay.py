"""The relay: journal → topics, each event exactly once and in order for ``read_committed`` consumers.

Each chunk of a window is published in one Kafka transaction together with the relay's checkpoint. After a
crash, events sent without their checkpoint were never visible, and events sent with it are not sent again.
One leader per shard: a session-level advisory lock in Postgres elects it, and the ``transactional.id`` fences
a former leader that resumes.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog
from confluent_kafka import KafkaException

from runtime import crash_points
from runtime.backoff import Backoff
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from sinks.journal_reader import (
    JournalPosition,
    cluster_epoch,
    read_window,
    save_checkpoint,
    snapshot_xmin,
)
from sinks.leader_lock import try_lead
from sinks.notify import JOURNAL_CHANNEL
from streams.heartbeat import Heartbeat
from streams.relay.checkpoint import read_checkpoint
from streams.relay.event_publisher import EventPublisher
from streams.relay.records import Encode

_log = structlog.get_logger("relay")
SHARD: Final = "0"
_CHECKPOINT_SECONDS: Final = 0.5
#: Minimum time between the starts of two windows: for the broker a transaction of one event costs as much as
#: one of many.
_WINDOW_SECONDS: Final = 0.1
#: Longer than any delay between two attempts.
_EXCUSED_SECONDS: Final = 10.0


class Relay:
    """Publishes the journal until asked to stop."""

    def __init__(
        self, settings: Settings, encode: Encode, heartbeat: Heartbeat, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._encode = encode
        self._heartbeat = heartbeat
        self._stop = stop
        self._saved_at = 0.0
        self._unsaved = False
        self._position: JournalPosition | None = None

    def position(self) -> JournalPosition | None:
        """Return the current position; ``None`` while this process does not lead."""
        return self._position

    def run(self) -> None:
        """Lead, or wait to lead; start over after an outage of Postgres or Kafka.

        :raises Stop: another leader has fenced this one, or the database is not the one published from.
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
            self._position = None
            connection.close()

    def _lead(self, connection: Connection) -> None:
        # Hazard: before the checkpoint is read (see EventPublisher).
        publisher = EventPublisher(self._settings, SHARD, self._encode, self._heartbeat, self._stop)
        try:
            self._publish(connection, publisher)
        finally:
            publisher.close()

    def _publish(self, connection: Connection, publisher: EventPublisher) -> None:
        epoch = cluster_epoch(connection)
        position = self._resume(connection, epoch)
        connection.execute(f"LISTEN {JOURNAL_CHANNEL}")
        _log.info("relay.leading", shard=SHARD, floor=position.floor, position=position.position)
        latest = 0.0
        while not self._stop.is_set():
            self._heartbeat.beat("relay")
            self._position = position
            if position.ceiling is None:
                self._stop.wait(max(0.0, latest + _WINDOW_SECONDS - time.monotonic()))
                ceiling = snapshot_xmin(connection)
                if ceiling <= position.floor:
                    self._save_checkpoint(connection, epoch, position)
                    self._wait(connection)
                    continue
                position = JournalPosition(position.floor, ceiling, 0)
            published = 0
            began = time.monotonic()
            # The last chunk also counts as inside the window; after a restart the window is then empty.
            for chunk in read_window(connection, position, self._settings.batch_size):
                crash_points.reach("relay-after-read")
                publisher.publish(epoch, chunk)
                self._position = position = chunk.end
                published += len(chunk.entries)
                self._unsaved = True
                if self._stop.is_set():
                    break
            else:
                assert position.ceiling is not None
                position = JournalPosition(position.ceiling)
            if published:
                latest = began
            self._save_checkpoint(connection, epoch, position)
            if published == 0:
                self._wait(connection)

    def _resume(self, connection: Connection, epoch: str) -> JournalPosition:
        stored = read_checkpoint(self._settings, SHARD)
        if stored is None:
            return JournalPosition()
        if stored.epoch != epoch or stored.position.floor > snapshot_xmin(connection):
            raise Stop(
                "this database is not the one whose journal was published so far (restored from a backup, or"
                " another cluster). Publishing from it would lose or duplicate events; nothing was published."
                " See 'After restoring the database' in docs/operations.md"
            )
        return stored.position

    def _wait(self, connection: Connection) -> None:
        """Wait for the next commit's NOTIFY, at most 0.2 s: the notification is only a hint."""
        for _ in connection.notifies(timeout=0.2, stop_after=1):
            pass

    def _save_checkpoint(self, connection: Connection, epoch: str, position: JournalPosition) -> None:
        now = time.monotonic()
        if self._unsaved and now - self._saved_at >= _CHECKPOINT_SECONDS:
            save_checkpoint(connection, SHARD, epoch, position)
            self._saved_at, self._unsaved = now, False
