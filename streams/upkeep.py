"""An applier's upkeep of the database beside its batches: noted positions, months to come."""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog

from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.topics import COMMANDS
from sinks.consumed_offsets import advance_past_markers, save_results_offsets
from sinks.due import server_time
from sinks.monthly_partitions import ensure_partitions
from streams.applier.batches import InFlight

_log = structlog.get_logger("applier")
_LOOK_SECONDS: Final = 1.0
_PARTITIONS_SECONDS: Final = 3600.0
_SESSION: Final = (
    # Losing a note is harmless: it is made again, or the next owner publishes from an older one.
    "SET synchronous_commit = off",
    "SET lock_timeout = '5s'",
)


class Upkeep:
    """Runs in a thread of its own while nothing is in flight, and at each revocation in the reader's.

    A batch stores the positions of the one before; what follows the last batch is stored here.
    """

    def __init__(self, settings: Settings, in_flight: InFlight, stop: threading.Event) -> None:
        self._settings = settings
        self._in_flight = in_flight
        self._stop = stop
        self._names = settings.consumer_group, settings.topic(COMMANDS)
        self._noted: dict[int, tuple[int, int]] = {}
        self._months_at = float("-inf")
        #: Partition → a position, and a later offset below which no record follows it: in between lie
        #: markers of transactions and aborted records alone. Written by the reader.
        self.tails: dict[int, tuple[int, int]] = {}

    def run(self) -> None:
        """Look every second until asked to stop."""
        connection: Connection | None = None
        try:
            while not self._stop.wait(_LOOK_SECONDS):
                try:
                    connection = connection or self._connect()
                    self._ensure_months(connection)
                    if self._in_flight.empty():
                        self._note(connection, self._fresh())
                except (Retry, Outage) as error:
                    _log.warning("applier.upkeep_retry", reason=type(error).__name__)
                    if connection is not None:
                        connection.close()
                    connection = None
        finally:
            if connection is not None:
                connection.close()

    def revoking(self, numbers: list[int]) -> None:
        """Store what the next owner of these partitions must know; nothing of them is in flight."""
        fresh = self._fresh(numbers)
        if not fresh:
            return
        try:
            with self._connect() as connection:
                self._note(connection, fresh)
        except (Retry, Outage) as error:
            _log.warning("applier.upkeep_retry", reason=type(error).__name__)

    def ensure_months(self) -> None:
        """Make the monthly tables where they are missing, before the first batch.

        :raises Retry: the database cannot be reached now.
        """
        try:
            with self._connect() as connection:
                self._ensure_months(connection)
        except Outage as error:
            raise Retry("the database did not make the monthly tables") from error

    def _connect(self) -> Connection:
        connection = connect(self._settings, application_name="interactions-upkeep", autocommit=True)
        for statement in _SESSION:
            connection.execute(statement)
        return connection

    def _ensure_months(self, connection: Connection) -> None:
        if time.monotonic() - self._months_at > _PARTITIONS_SECONDS:
            # Law: our own wall clock decides nothing; a step of it must change nothing.
            ensure_partitions(connection, server_time(connection).date())
            self._months_at = time.monotonic()

    def _fresh(self, numbers: list[int] | None = None) -> dict[int, tuple[int, int]]:
        """Partition → where results are out and where the log is read to, if that is not noted yet."""
        tails, found = dict(self.tails), dict[int, tuple[int, int]]()
        for number, published in dict(self._in_flight.published).items():
            if numbers is None or number in numbers:
                found[number] = published, tails.get(number, (published, published))[1]
        return {number: places for number, places in found.items() if self._noted.get(number) != places}

    def _note(self, connection: Connection, fresh: dict[int, tuple[int, int]]) -> None:
        tails = {number: self.tails[number] for number in fresh if number in self.tails}
        save_results_offsets(
            connection, *self._names, {number: places[0] for number, places in fresh.items()}
        )
        advance_past_markers(connection, *self._names, tails)
        self._noted.update(fresh)
