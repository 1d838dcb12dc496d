"""The relay: journal → topics, each event exactly once and in order for ``read_committed`` consumers.

The events of each chunk of a window are published in one Kafka transaction together with a checkpoint. After
a crash, events sent without their checkpoint were never visible, and events sent with it are not sent again.
States follow in transactions of their own, with a checkpoint of their own (``streams.relay.states``).
One leader per shard: a session-level advisory lock in Postgres elects it, and the ``transactional.id`` fences
a former leader that resumes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import structlog
from confluent_kafka import KafkaException

from runtime import crash_points
from runtime.backoff import Backoff
from runtime.outages import describe, sessions
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.avro_codec import Encode
from schemas.errors import Stop
from sinks.journal_reader import (
    Chunk,
    JournalPosition,
    cluster_epoch,
    read_between,
    read_window,
    save_checkpoint,
    snapshot_xmin,
)
from sinks.notify import JOURNAL_CHANNEL
from sinks.stored_states import Stored, StoredStates
from streams.heartbeat import Heartbeat
from streams.leadership import wait_to_lead
from streams.relay.checkpoint import EVENTS_SHARD, STATES_SHARD, STORED_SHARD, Checkpoint, read_checkpoints
from streams.relay.isolation import Isolation
from streams.relay.publisher import RelayPublisher
from streams.relay.records import stored_record
from streams.relay.states import PendingStates

_log = structlog.get_logger("relay")
_CHECKPOINT_SECONDS: Final = 0.5
#: Pause after a window, as a share of its duration, and at least: for the broker a transaction of one event
#: costs as much as one of many.
_PAUSE_SHARE: Final = 0.3
_LEAST_PAUSE_SECONDS: Final = 0.02
#: Longer than any delay between two attempts.
_EXCUSED_SECONDS: Final = 10.0
_RETRIES: Final = Backoff(ceiling=5.0)


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
        self._isolation = Isolation()

    def position(self) -> JournalPosition | None:
        """Return up to where events and states are published; ``None`` while this process does not lead."""
        return self._position

    def run(self) -> None:
        """Lead, or wait to lead; start over after an outage of Postgres or Kafka.

        :raises Stop: another leader has fenced this one, or the database is not the one published from.
        """
        sessions(self._session, self._note_outage, self._stop.wait, _RETRIES)
        self._heartbeat.rest("relay")

    def _note_outage(self, error: Exception, _seconds: float) -> None:
        if not isinstance(error, KafkaException):
            self._heartbeat.excuse("relay", _EXCUSED_SECONDS)
        elif error.args[0].fatal():
            raise Stop(f"the relay's producer is fenced or broken: {error.args[0].str()}") from error
        _log.warning("relay.retry", reason=describe(error))

    def _session(self) -> None:
        self._heartbeat.beat("relay")
        connection = connect(self._settings, application_name="interactions-relay", autocommit=True)
        try:
            if wait_to_lead(connection, EVENTS_SHARD, self._heartbeat, "relay", self._stop, every=0.5):
                self._lead(connection)
        finally:
            self._position = None
            connection.close()

    def _lead(self, connection: Connection) -> None:
        self._unsaved = True  # the former leader may have ended before it stored its position
        # Hazard: before the checkpoints are read (see RelayPublisher).
        publisher = RelayPublisher(self._settings, self._heartbeat, self._stop, self._isolation.refused)
        try:
            self._publish(connection, publisher)
        finally:
            publisher.close()

    def _publish(self, connection: Connection, publisher: RelayPublisher) -> None:
        epoch = cluster_epoch(connection)
        stored = read_checkpoints(self._settings)
        position, behind = self._resume(connection, epoch, stored)
        rows = StoredStates(connection)
        older = rows.pages(self._settings.batch_size) if STORED_SHARD not in stored else None
        if behind is None:
            behind = position
            # Hazard: before the first events, or a crash would leave no trace of the states that follow.
            publisher.publish((), STATES_SHARD, Checkpoint(epoch, behind))
        self._position = behind
        states = self._states_between(connection, behind, position)
        connection.execute(f"LISTEN {JOURNAL_CHANNEL}")
        _log.info("relay.leading", shard=EVENTS_SHARD, floor=position.floor, position=position.position)
        resume_at = 0.0
        while not self._stop.is_set():
            self._heartbeat.beat("relay")
            if states.due():
                self._publish_states(publisher, states, rows, Checkpoint(epoch, position))
            if older is not None:
                older = self._publish_older(publisher, older, Checkpoint(epoch, position))
            if not states.waiting:
                self._position = position
                self._save_checkpoint(connection, epoch, position)
            if position.ceiling is None:
                self._stop.wait(max(0.0, resume_at - time.monotonic()))
                ceiling = snapshot_xmin(connection)
                if ceiling <= position.floor:
                    self._wait(connection)
                    continue
                position = JournalPosition(position.floor, ceiling, 0)
            published = 0
            began = time.monotonic()
            # The last chunk also counts as inside the window; after a restart the window is then empty.
            size, decode = self._settings.batch_size, self._isolation.entry
            for chunk in read_window(connection, position, size, decode=decode):
                crash_points.reach("relay-after-read")
                self._publish_events(publisher, chunk, Checkpoint(epoch, chunk.end), states)
                position = chunk.end
                published += len(chunk.entries)
                if states.due():
                    self._publish_states(publisher, states, rows, Checkpoint(epoch, position))
                if self._stop.is_set():
                    break
            else:
                assert position.ceiling is not None
                position = JournalPosition(position.ceiling)
            if published:
                self._unsaved = True
                ended = time.monotonic()
                resume_at = ended + max(_LEAST_PAUSE_SECONDS, _PAUSE_SHARE * (ended - began))
            else:
                self._wait(connection)

    def _publish_events(
        self, publisher: RelayPublisher, chunk: Chunk, checkpoint: Checkpoint, states: PendingStates
    ) -> None:
        changes = [self._isolation.change(entry, self._encode) for entry in chunk.entries]
        records = [record for *_, made in changes for record in made]
        publisher.publish(records, EVENTS_SHARD, checkpoint)
        self._isolation.published(len(records))
        for entry, events, _ in changes:
            states.add(entry, events)

    def _states_between(
        self, connection: Connection, behind: JournalPosition, position: JournalPosition
    ) -> PendingStates:
        states = PendingStates()
        size, decode = self._settings.batch_size, self._isolation.entry
        for chunk in read_between(connection, behind, position, size, decode):
            for entry in chunk.entries:
                kept, events, _ = self._isolation.change(entry, self._encode)
                states.add(kept, events)
        return states

    def _publish_states(
        self, publisher: RelayPublisher, states: PendingStates, rows: StoredStates, checkpoint: Checkpoint
    ) -> None:
        records = self._isolation.states(states.builders(self._encode, rows))
        publisher.publish(records, STATES_SHARD, checkpoint)
        self._isolation.published(len(records))
        states.clear()
        self._position = checkpoint.position  # in a long window too: the watchdog looks for progress

    def _publish_older(
        self, publisher: RelayPublisher, pages: Iterator[list[Stored]], checkpoint: Checkpoint
    ) -> Iterator[list[Stored]] | None:
        """Publish one page of rows that were stored before their state topics existed; ``None`` at the end.

        Between two pages events go on. A relay that takes over begins from the first page.
        """
        page = next(pages, None)
        if page is None:
            publisher.publish((), STORED_SHARD, checkpoint)
            return None
        builders = (partial(stored_record, row, self._encode) for row in page)
        publisher.publish(self._isolation.states(builders), None, checkpoint)
        return pages

    def _resume(
        self, connection: Connection, epoch: str, stored: Mapping[str, Checkpoint]
    ) -> tuple[JournalPosition, JournalPosition | None]:
        """Read where events and states go on; ``None`` if states were never published apart from events.

        :raises Stop: the checkpoints are those of another database.
        """
        newest = snapshot_xmin(connection)
        for checkpoint in stored.values():
            if checkpoint.epoch != epoch or checkpoint.position.floor > newest:
                raise Stop(
                    "this database is not the one whose journal was published so far (restored from a backup,"
                    " or another cluster). Publishing from it would lose or duplicate events; nothing was"
                    " published. See 'After restoring the database' in docs/operations.md"
                )
        events, states = stored.get(EVENTS_SHARD), stored.get(STATES_SHARD)
        return events.position if events else JournalPosition(), states.position if states else None

    def _wait(self, connection: Connection) -> None:
        """Wait for the next commit's NOTIFY, at most 0.2 s: the notification is only a hint."""
        for _ in connection.notifies(timeout=0.2, stop_after=1):
            pass

    def _save_checkpoint(self, connection: Connection, epoch: str, position: JournalPosition) -> None:
        now = time.monotonic()
        if self._unsaved and now - self._saved_at >= _CHECKPOINT_SECONDS:
            save_checkpoint(connection, EVENTS_SHARD, epoch, position)
            self._saved_at, self._unsaved = now, False
