"""Signals that are being resolved past their deadline (A15).

The answer may be on its way: the timers publish it, and the applier may have a backlog in front of it. So a
signal is late only if everything that was published by the time the timers had acted is applied, and the
signal is still being resolved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from runtime.kafka import make_admin
from runtime.outages import describe
from runtime.postgres import Connection
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.topics import COMMANDS
from sinks.due import server_time
from sinks.integrity.row_checks import late_signals
from sinks.integrity.violations import Violation
from streams.partition_ends import partition_ends, partition_numbers
from streams.pending_work import BacklogProbe

_log = structlog.get_logger("watch")
#: Longest time from the deadline of a resolution until the command that ends it is applied, as in the audit.
_ANSWER_SECONDS: Final = 300
#: Time in which the timers publish the answer of a resolution whose deadline has passed, while Kafka answers.
_TIMERS_SECONDS: Final = 15.0
_MOST: Final = 1000
Key = tuple[str, int]


class LateAnswers:
    """Resolutions past their deadline, with the ends of the commands topic that must be applied first.

    :param clock: seconds of a monotonic clock.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._since: dict[Key, float] = {}
        self._ends: dict[Key, dict[int, int]] = {}
        self._probe: BacklogProbe | None = None
        self._admin: AdminClient | None = None
        #: Ids of the signals past their deadline at the last look, late or not.
        self.overdue: set[str] = set()

    def look(self, connection: Connection) -> list[Violation]:
        """Return the late ones."""
        seconds = self._settings.resolution_deadline_seconds + _ANSWER_SECONDS
        found = late_signals(connection, server_time(connection) - timedelta(seconds=seconds), _MOST)
        self.overdue = {identity for identity, _ in found}
        if not found:
            self._since, self._ends = {}, {}
            return []
        now = self._clock()
        self._since = {key: self._since.get(key, now) for key in found}
        self._ends = {key: ends for key, ends in self._ends.items() if key in found}
        try:
            late = self._late(connection, now)
        except (Retry, KafkaException) as error:
            # Without Kafka the timers cannot publish: the time counts from its return.
            self._since, self._ends = {}, {}
            _log.warning("watch.retry", reason=describe(error))
            return []
        return [found[key] for key in late]

    def close(self) -> None:
        """Close the clients."""
        if self._probe is not None:
            self._probe.close()

    def _late(self, connection: Connection, now: float) -> list[Key]:
        applied = self._applied(connection) if self._ends else {}
        late = [
            key
            for key, ends in self._ends.items()
            if all(number not in applied or applied[number] >= end for number, end in ends.items())
        ]
        # At every look, so that an outage of Kafka is noticed.
        ends = self._log_ends()
        for key, since in self._since.items():
            if now - since >= _TIMERS_SECONDS:
                self._ends.setdefault(key, ends)
        return late

    def _log_ends(self) -> dict[int, int]:
        admin = self._admin = self._admin or make_admin(self._settings)
        topic = self._settings.topic(COMMANDS)
        return {n: e.high for n, e in partition_ends(admin, topic, partition_numbers(admin, topic)).items()}

    def _applied(self, connection: Connection) -> dict[int, int]:
        """Return partition → watermark of the partitions in which a command waits."""
        probe = self._probe = self._probe or BacklogProbe(self._settings)
        stored = probe.partition_progress(connection)
        pending = probe.unapplied(stored, probe.partitions(), server_time(connection).timestamp())
        numbers = [int(work.key) for work in pending]
        return {n: stored[n].next_offset if n in stored else 0 for n in numbers}
