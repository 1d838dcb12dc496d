"""Liveness: there is work, the servers answer, and nothing moves; then the process ends rather than stall.

What counts is what an outsider sees: the log end against the watermark, the outbox against the relay's
position. A stage may be busy or beat and yet get nowhere (a partition that stays paused, a client that
never delivers); and while a server is away nobody is stuck, so a restart would mend nothing: such time
does not count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from runtime.kafka import make_consumer
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from schemas.topics import COMMANDS
from sinks.backlog import publishable
from sinks.positions import watermarks
from sinks.windows import Position
from streams.pipeline import Pulse

_log = structlog.get_logger("liveness")
_ANSWER_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 5.0
#: So many times the patience for one place while others move.
_SHARE: Final = 10


class Standstill:
    """Since when each place has been where it is.

    A busy role serves its places one after the other, so one that waits while others move is given
    more time than one of a role that does not move at all.

    :param patience: seconds for which nothing may move although there is work.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: dict[int, tuple[int, float]] = {}
        self._moved = float("-inf")

    def look(self, places: Mapping[int, int], now: float, *, moved: bool = False) -> list[int]:
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
        return [
            place
            for place, (_, since) in self._since.items()
            if now - max(since, self._moved) > self._patience or now - since > _SHARE * self._patience
        ]

    def forgive(self) -> None:
        """Start anew: what was seen so far says nothing."""
        self._since = {}


class ApplierLiveness:
    """Watches the watermarks of the partitions an applier owns, by clients of its own.

    :param owned: the partitions as the reader has them now.
    """

    def __init__(
        self, settings: Settings, owned: Callable[[], list[int]], pulse: Pulse, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._owned = owned
        self._topic = settings.topic(COMMANDS)
        self._applied: dict[int, int] = {}
        self._watch = _Watch(settings, self._places, pulse, stop)

    def run(self) -> None:
        """Look until asked to stop.

        :raises Stop: a partition is stuck.
        """
        stuck = self._watch.run()
        if stuck is not None:
            number, watermark = stuck
            raise Stop(
                f"partition {number} is stuck: a record waits at offset {watermark} or beyond, the servers"
                f" answer, and its watermark has not moved for {self._settings.stuck_after_seconds:g} s."
                " Ending, so that a fresh process goes on"
            )

    def _places(self, connection: Connection, consumer: Consumer) -> tuple[dict[int, int], bool]:
        before = self._applied
        self._applied = watermarks(connection, self._settings.consumer_group, self._topic)
        owned = self._owned()
        moved = any(self._applied.get(number, 0) != before.get(number, 0) for number in owned)
        return {
            number: at
            for number in owned
            # Only for those that rest the broker is asked whether there is something to do.
            if (at := self._applied.get(number, 0)) == before.get(number, 0)
            and _record_waits(consumer, TopicPartition(self._topic, number, at))
        }, moved


class RelayLiveness:
    """Watches the position of a relay that leads against the outbox.

    :param position: where it is; ``None`` while another one leads.
    """

    def __init__(
        self,
        settings: Settings,
        position: Callable[[], Position | None],
        pulse: Pulse,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._position = position
        self._watch = _Watch(settings, self._places, pulse, stop)

    def run(self) -> None:
        """Look until asked to stop.

        :raises Stop: the relay is stuck.
        """
        if self._watch.run() is not None:
            raise Stop(
                "the relay is stuck: rows of the outbox wait, the servers answer, and it has published none"
                f" for {self._settings.stuck_after_seconds:g} s. Ending, so that a fresh process goes on"
            )

    def _places(self, connection: Connection, consumer: Consumer) -> tuple[dict[int, int], bool]:
        at = self._position()
        if at is None or not publishable(connection, at):
            return {}, False
        consumer.list_topics(self._settings.topic(COMMANDS), timeout=_ANSWER_SECONDS)
        return {0: hash(at)}, False


class _Watch:
    """Looks several times in the span of patience; only time in which both servers answered counts.

    :param places: each place that has work → where it stands; and whether anything moved.
    """

    def __init__(
        self,
        settings: Settings,
        places: Callable[[Connection, Consumer], tuple[dict[int, int], bool]],
        pulse: Pulse,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._places = places
        self._pulse = pulse
        self._stop = stop

    def run(self) -> tuple[int, int] | None:
        """The first place that stands still for too long, or ``None`` when asked to stop."""
        patience = self._settings.stuck_after_seconds
        standstill = Standstill(patience)
        consumer = make_consumer(self._settings, "interactions-liveness", **{"enable.partition.eof": True})
        connection: Connection | None = None
        try:
            while not self._stop.wait(min(_LOOK_SECONDS, patience / 4)):
                try:
                    if connection is None:
                        connection = connect(
                            self._settings, application_name="interactions-liveness", autocommit=True
                        )
                    places, moved = self._places(connection, consumer)
                except (Retry, Outage, KafkaException):
                    _close(connection)
                    connection = None
                    standstill.forgive()
                    continue
                if self._pulse.excused():
                    standstill.forgive()
                    continue
                for number in standstill.look(places, time.monotonic(), moved=moved):
                    _log.error("liveness.stuck", place=number, at=places[number], seconds=patience)
                    return number, places[number]
            return None
        finally:
            _close(connection)
            consumer.close()


def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection.close()


def _record_waits(consumer: Consumer, at: TopicPartition) -> bool:
    """Whether a committed record lies at or beyond a position; the markers of transactions are none.

    :raises KafkaException: the broker does not answer.
    """
    low, end = consumer.get_watermark_offsets(at, timeout=_ANSWER_SECONDS)
    if end <= max(low, at.offset):
        return False
    consumer.assign([TopicPartition(at.topic, at.partition, max(low, at.offset))])
    try:
        message = consumer.poll(_ANSWER_SECONDS)
    finally:
        consumer.unassign()
    return message is not None and message.error() is None
