"""Database upkeep of an applier beside its batches: stored offsets and monthly partitions."""

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
_INTERVAL_SECONDS: Final = 1.0
_PARTITIONS_SECONDS: Final = 3600.0
_SESSION: Final = (
    # Losing one of these writes is harmless: it is repeated, or the next owner starts from an older offset.
    "SET synchronous_commit = off",
    "SET lock_timeout = '5s'",
)


class Upkeep:
    """Stores the offsets that follow the last batch: each batch stores those of the batch before it.

    Runs in its own thread while nothing is in flight, and in the reader's thread at each revocation.
    """

    def __init__(self, settings: Settings, in_flight: InFlight, stop: threading.Event) -> None:
        self._settings = settings
        self._in_flight = in_flight
        self._stop = stop
        self._names = settings.consumer_group, settings.topic(COMMANDS)
        self._stored: dict[int, tuple[int, int]] = {}
        self._months_at = float("-inf")
        #: Partition → (position, end): between the two are only transaction markers and aborted records.
        #: Written by the reader.
        self.tails: dict[int, tuple[int, int]] = {}

    def run(self) -> None:
        """Store new offsets every second until asked to stop."""
        connection: Connection | None = None
        try:
            while not self._stop.wait(_INTERVAL_SECONDS):
                try:
                    connection = connection or self._connect()
                    self._ensure_months(connection)
                    if self._in_flight.empty():
                        self._save(connection, self._unsaved())
                except (Retry, Outage) as error:
                    _log.warning("applier.upkeep_retry", reason=type(error).__name__)
                    if connection is not None:
                        connection.close()
                    connection = None
        finally:
            if connection is not None:
                connection.close()

    def revoking(self, numbers: list[int]) -> None:
        """Store the offsets of revoked partitions for their next owner; nothing of them is in flight."""
        unsaved = self._unsaved(numbers)
        if not unsaved:
            return
        try:
            with self._connect() as connection:
                self._save(connection, unsaved)
        except (Retry, Outage) as error:
            _log.warning("applier.upkeep_retry", reason=type(error).__name__)

    def ensure_months(self) -> None:
        """Create missing monthly partitions before the first batch.

        :raises Retry: the database cannot be reached now.
        """
        try:
            with self._connect() as connection:
                self._ensure_months(connection)
        except Outage as error:
            raise Retry("the database did not create the monthly partitions") from error

    def _connect(self) -> Connection:
        connection = connect(self._settings, application_name="interactions-upkeep", autocommit=True)
        for statement in _SESSION:
            connection.execute(statement)
        return connection

    def _ensure_months(self, connection: Connection) -> None:
        if time.monotonic() - self._months_at > _PARTITIONS_SECONDS:
            # Invariant: the process's own wall clock decides nothing, so a step of it changes nothing.
            ensure_partitions(connection, server_time(connection).date())
            self._months_at = time.monotonic()

    def _unsaved(self, numbers: list[int] | None = None) -> dict[int, tuple[int, int]]:
        """Return partition → (results offset, end of its tail) where these are not stored yet."""
        tails, found = dict(self.tails), dict[int, tuple[int, int]]()
        for number, published in dict(self._in_flight.published).items():
            if numbers is None or number in numbers:
                found[number] = published, tails.get(number, (published, published))[1]
        return {number: offsets for number, offsets in found.items() if self._stored.get(number) != offsets}

    def _save(self, connection: Connection, unsaved: dict[int, tuple[int, int]]) -> None:
        tails = {number: self.tails[number] for number in unsaved if number in self.tails}
        published = {number: results for number, (results, _) in unsaved.items()}
        save_results_offsets(connection, *self._names, published)
        advance_past_markers(connection, *self._names, tails)
        self._stored.update(unsaved)
