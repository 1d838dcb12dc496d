"""Liveness: work waits, the servers answer, and nothing moves; it is said, and then the process ends.

What counts is what an outsider sees: the log end against the watermark, the watermark against the published
results, the outbox against the relay's position. A stage may be busy or beat and yet get nowhere (a partition
that stays paused, a client that never delivers); and while a server does not answer nobody is stuck, so a
restart would mend nothing: such time does not count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Final, TypeVar

import structlog
from confluent_kafka import KafkaException

from runtime.health import Health
from runtime.kafka import make_admin
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from runtime.stalls import Stall
from schemas.errors import Retry, Stop
from schemas.topics import COMMANDS
from sinks.due import server_time
from sinks.outbox_reader import OutboxPosition
from streams.heartbeat import Heartbeat
from streams.pending_work import BacklogProbe, PendingWork, unpublished_events

_log = structlog.get_logger("liveness")
_ANSWER_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 5.0
#: So many times the patience for one place while others move.
_SHARE: Final = 10
Place = TypeVar("Place", bound=Hashable)


class StallDetector:
    """Since when each place has been where it is.

    A busy role serves its places one after the other, so one that waits while others move is given
    ten times the patience.

    :param patience: seconds after which a place that does not move is stuck.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: dict[Hashable, tuple[int, float]] = {}
        self._moved = float("-inf")

    def look(self, places: Mapping[Place, int], now: float, *, moved: bool = False) -> list[Place]:
        """The places that have not moved for too long; those not named are forgotten.

        :param places: each place that has work → where it is.
        :param now: seconds of a clock that never goes back.
        :param moved: whether anything moved since the last look, named or not.
        """
        before, self._since = self._since, {}
        for place, at in places.items():
            known = before.get(place)
            self._since[place] = (at, known[1] if known and known[0] == at else now)
            moved = moved or (known is not None and known[0] != at)
        if moved:
            self._moved = now
        stuck = []
        for place in places:
            _, since = self._since[place]
            if now - max(since, self._moved) > self._patience or now - since > _SHARE * self._patience:
                stuck.append(place)
        return stuck

    def since(self, place: Hashable) -> float:
        """When a place of the last look was first seen where it is."""
        return self._since[place][1]

    def forgive(self) -> None:
        """Start again: what was seen so far says nothing."""
        self._since = {}


class ApplierWatchdog:
    """Watches the watermarks and results of the partitions an applier owns, by clients of its own.

    An applier that owns nothing watches all of them: that nobody is given a partition is a stall too.

    :param owned: the partitions as the reader has them now.
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
        self._applied: dict[int, int] | None = None
        self._look: BacklogProbe | None = None
        self._watch = _Watchdog(settings, self._waiting, heartbeat, stop, health)

    def run(self) -> None:
        """Look until asked to stop.

        :raises Stop: a partition is stuck.
        """
        try:
            stuck = self._watch.run()
        finally:
            if self._look is not None:
                self._look.close()
        if stuck is not None:
            raise Stop(f"the applier is stuck. {stuck.reason} Ending, so that a fresh process goes on")

    def _waiting(self, connection: Connection) -> tuple[list[PendingWork], bool]:
        look = self._look = self._look or BacklogProbe(self._settings)
        stored, before = look.partition_progress(connection), self._applied
        self._applied = {number: standing.next_offset for number, standing in stored.items()}
        numbers = self._owned() or look.partitions()
        # Only for those that rest the broker is asked whether there is something to do.
        resting = [] if before is None else [n for n in numbers if self._applied.get(n) == before.get(n)]
        moved = len(resting) < len(numbers)
        now = server_time(connection).timestamp()
        return [*look.unapplied(stored, resting, now), *look.unpublished(stored, numbers, now)], moved


class RelayWatchdog:
    """Watches the position of a relay that leads against the outbox.

    :param position: where it is; ``None`` while another one leads.
    """

    def __init__(
        self,
        settings: Settings,
        position: Callable[[], OutboxPosition | None],
        heartbeat: Heartbeat,
        stop: threading.Event,
        health: Health,
    ) -> None:
        self._settings = settings
        self._position = position
        self._watch = _Watchdog(settings, self._waiting, heartbeat, stop, health)

    def run(self) -> None:
        """Look until asked to stop.

        :raises Stop: the relay is stuck.
        """
        stuck = self._watch.run()
        if stuck is not None:
            raise Stop(f"the relay is stuck. {stuck.reason} Ending, so that a fresh process goes on")

    def _waiting(self, connection: Connection) -> tuple[list[PendingWork], bool]:
        at = self._position()
        found = [] if at is None else list(unpublished_events(connection, at))
        if found:
            admin = make_admin(self._settings)
            admin.list_topics(self._settings.topic(COMMANDS), timeout=_ANSWER_SECONDS)
        return found, False


class _Watchdog:
    """Looks several times in the span of patience; only time in which both servers answered counts.

    :param waiting: what waits, and whether anything else moved since the last look.
    :param health: told of each place that stands still for half of the patience.
    """

    def __init__(
        self,
        settings: Settings,
        waiting: Callable[[Connection], tuple[list[PendingWork], bool]],
        heartbeat: Heartbeat,
        stop: threading.Event,
        health: Health,
    ) -> None:
        self._settings = settings
        self._waiting = waiting
        self._heartbeat = heartbeat
        self._stop = stop
        self._health = health
        self._said: set[tuple[str, str, int]] = set()

    def run(self) -> Stall | None:
        """The first place that stands still for too long, or ``None`` when asked to stop."""
        patience = self._settings.stuck_after_seconds
        standstill = StallDetector(patience)
        connection: Connection | None = None
        try:
            while not self._stop.wait(min(_LOOK_SECONDS, patience / 4)):
                try:
                    if connection is None:
                        connection = connect(
                            self._settings, application_name="interactions-liveness", autocommit=True
                        )
                    waiting, moved = self._waiting(connection)
                except (Retry, Outage, KafkaException) as error:
                    _close(connection)
                    connection = None
                    standstill.forgive()
                    self._health.blind("liveness", f"A server does not answer: {_words(error)}")
                    continue
                if self._heartbeat.excused():
                    standstill.forgive()
                    continue
                stuck = self._check(standstill, waiting, moved)
                if stuck is not None:
                    return stuck
            return None
        finally:
            _close(connection)

    def _check(self, standstill: StallDetector, waiting: list[PendingWork], moved: bool) -> Stall | None:
        now = time.monotonic()
        places = {(found.stage, found.key): found for found in waiting}
        at = {place: found.at for place, found in places.items()}
        stuck = standstill.look(at, now, moved=moved)
        stalls = []
        for place, found in places.items():
            seconds = now - standstill.since(place)
            if seconds >= self._settings.stalled_after_seconds:
                stalls.append(found.stall(seconds))
                self._say(found, seconds)
        self._health.report("liveness", stalls)
        for place in stuck:
            if (found := places[place]).mended:
                seconds = now - standstill.since(place)
                _log.error("liveness.stuck", stage=found.stage, place=found.place, seconds=round(seconds, 1))
                return found.stall(seconds)
        return None

    def _say(self, found: PendingWork, seconds: float) -> None:
        place = found.stage, found.key, found.at
        if place not in self._said:
            self._said.add(place)
            stall = found.stall(seconds)
            _log.warning("liveness.stalled", stage=stall.stage, place=stall.place, reason=stall.reason)


def _words(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return f"Kafka: {error.args[0].str()}"
    return str(error) if isinstance(error, Retry) else "Postgres ended the connection"


def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection.close()
