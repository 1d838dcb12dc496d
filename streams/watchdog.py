"""Watchdogs: report a role that makes no progress although it has work and its servers answer, then end it.

Progress is measured from outside: the end of the log against the watermark, the watermark against the
published results, the journal against the relay's position. A stage can send heartbeats and still make no
progress (a partition that stays paused, a client that never delivers). Time in which a server does not answer
does not count: a restart would not help.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Final

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from runtime.health import Health, Stall
from runtime.kafka import make_admin
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from schemas.topics import COMMANDS
from sinks.due import server_time
from sinks.journal_reader import JournalPosition
from streams.heartbeat import Heartbeat
from streams.pending_work import BacklogProbe, PendingWork, unpublished_events
from streams.stall_detector import StallDetector

_log = structlog.get_logger("liveness")
_ANSWER_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 5.0


class ApplierWatchdog:
    """Watches the watermarks and published results of an applier's partitions, with its own clients.

    An applier that owns no partition watches all of them: partitions without an owner are a stall too.

    :param owned: returns the partitions that the reader owns now.
    """

    def __init__(
        self,
        settings: Settings,
        owned: Callable[[], list[int]],
        heartbeat: Heartbeat,
        stop: threading.Event,
        health: Health,
    ) -> None:
        self._settings = settings
        self._owned = owned
        self._watermarks: dict[int, int] | None = None
        self._probe = _LazyProbe(settings)
        self._watchdog = _Watchdog(settings, self._pending, heartbeat, stop, health)

    def run(self) -> None:
        """Watch until asked to stop.

        :raises Stop: a partition is stalled.
        """
        with closing(self._probe):
            self._watchdog.end_if_stuck("the applier")

    def _pending(self, connection: Connection) -> tuple[list[PendingWork], bool]:
        probe = self._probe.get()
        stored, before = probe.partition_progress(connection), self._watermarks
        self._watermarks = {number: progress.next_offset for number, progress in stored.items()}
        numbers = self._owned() or probe.partitions()
        # The broker is queried only for partitions whose watermark has not moved.
        idle = [] if before is None else [n for n in numbers if self._watermarks.get(n) == before.get(n)]
        progress = len(idle) < len(numbers)
        now = server_time(connection).timestamp()
        return [*probe.unapplied(stored, idle, now), *probe.unpublished(stored, numbers, now)], progress


class RelayWatchdog:
    """Watches the position of a leading relay against the journal.

    :param position: returns the relay's position; ``None`` while another process leads.
    """

    def __init__(
        self,
        settings: Settings,
        position: Callable[[], JournalPosition | None],
        heartbeat: Heartbeat,
        stop: threading.Event,
        health: Health,
    ) -> None:
        self._settings = settings
        self._position = position
        # One client for all probes: a new one has threads and connections of its own.
        self._admin: AdminClient | None = None
        self._watchdog = _Watchdog(settings, self._pending, heartbeat, stop, health)

    def run(self) -> None:
        """Watch until asked to stop.

        :raises Stop: the relay is stalled.
        """
        self._watchdog.end_if_stuck("the relay")

    def _pending(self, connection: Connection) -> tuple[list[PendingWork], bool]:
        position = self._position()
        found = [] if position is None else list(unpublished_events(connection, position))
        if found:  # a stall only counts while the broker answers
            self._admin = self._admin or make_admin(self._settings)
            self._admin.list_topics(self._settings.topic(COMMANDS), timeout=_ANSWER_SECONDS)
        return found, False


class QueueWatchdog:
    """Watches the queues of a role in the database.

    :param role: for the message, with its article.
    :param pending: finds the first row of each queue that waits.
    """

    def __init__(
        self,
        role: str,
        settings: Settings,
        pending: Callable[[Connection, BacklogProbe], Iterable[PendingWork]],
        heartbeat: Heartbeat,
        stop: threading.Event,
        health: Health,
    ) -> None:
        self._role = role
        self._find = pending
        self._probe = _LazyProbe(settings)
        self._watchdog = _Watchdog(settings, self._pending, heartbeat, stop, health)

    def run(self) -> None:
        """Watch until asked to stop.

        :raises Stop: a queue is stalled, and a new process may get past it.
        """
        with closing(self._probe):
            self._watchdog.end_if_stuck(self._role)

    def _pending(self, connection: Connection) -> tuple[list[PendingWork], bool]:
        return list(self._find(connection, self._probe.get())), False


class _LazyProbe:
    """Probe whose clients are made on first use, by the thread that uses them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: BacklogProbe | None = None

    def get(self) -> BacklogProbe:
        if self._made is None:
            self._made = BacklogProbe(self._settings)
        return self._made

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


class _Watchdog:
    """Probes several times per patience; counts only time in which both servers answered.

    :param pending: returns the pending work, and whether anything else made progress since the last probe.
    :param health: receives each stall of at least ``stalled_after_seconds``.
    """

    def __init__(
        self,
        settings: Settings,
        pending: Callable[[Connection], tuple[list[PendingWork], bool]],
        heartbeat: Heartbeat,
        stop: threading.Event,
        health: Health,
    ) -> None:
        self._settings = settings
        self._pending = pending
        self._heartbeat = heartbeat
        self._stop = stop
        self._health = health
        self._logged: set[tuple[str, str, object]] = set()

    def end_if_stuck(self, role: str) -> None:
        """Watch until asked to stop.

        :raises Stop: the role is stalled.
        """
        stall = self.run()
        if stall is not None:
            raise Stop(f"{role} is stuck. {stall.reason} The process ends so that a new one takes over")

    def run(self) -> Stall | None:
        """Return the first stall that outlasts the patience; ``None`` when asked to stop."""
        patience = self._settings.stuck_after_seconds
        detector = StallDetector(patience)
        connection: Connection | None = None
        try:
            while not self._stop.wait(min(_PROBE_SECONDS, patience / 4)):
                try:
                    if connection is None:
                        connection = connect(
                            self._settings, application_name="interactions-liveness", autocommit=True
                        )
                    pending, progress = self._pending(connection)
                except (Retry, Outage, KafkaException) as error:
                    _close(connection)
                    connection = None
                    detector.reset()
                    self._health.report_unchecked("liveness", f"A server does not answer: {_describe(error)}")
                    continue
                if self._heartbeat.excused():
                    detector.reset()
                    continue
                stall = self._check(detector, pending, progress)
                if stall is not None:
                    return stall
            return None
        finally:
            _close(connection)

    def _check(self, detector: StallDetector, pending: list[PendingWork], progress: bool) -> Stall | None:
        now = time.monotonic()
        partitions = {(work.stage, work.key): work for work in pending}
        positions = {partition: work.position for partition, work in partitions.items()}
        stalled = detector.observe(positions, now, progress=progress)
        stalls = []
        for partition, work in partitions.items():
            seconds = now - detector.since(partition)
            if seconds >= self._settings.stalled_after_seconds:
                stalls.append(work.stall(seconds))
                self._log_once(work, seconds)
        self._health.report("liveness", stalls)
        for partition in stalled:
            work = partitions[partition]
            if work.restart_helps:
                seconds = now - detector.since(partition)
                _log.error("liveness.stuck", stage=work.stage, place=work.place, seconds=round(seconds, 1))
                return work.stall(seconds)
        return None

    def _log_once(self, work: PendingWork, seconds: float) -> None:
        key = work.stage, work.key, work.position
        if key not in self._logged:
            self._logged.add(key)
            stall = work.stall(seconds)
            _log.warning("liveness.stalled", stage=stall.stage, place=stall.place, reason=stall.reason)


def _describe(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return f"Kafka: {error.args[0].str()}"
    return str(error) if isinstance(error, Retry) else "Postgres ended the connection"


def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection.close()
