"""Progress probe: sample the positions of applier and relay ten times per second, to time recovery."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final

import psycopg

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.topics import COMMANDS

_POLL: Final = 0.1
_WATERMARKS: Final = (
    "SELECT partition, next_offset FROM consumed_offsets"
    " WHERE consumer_group = %s AND topic = %s AND next_offset > 0"
)


class ProgressProbe:
    """Poll the watermarks and the relay's stored position over a separate connection.

    :ivar applied: partition → watermark.
    :ivar relayed: the relay's floor and position.
    :ivar moved: partition (``-1``: the relay) → time of its last progress (``time.monotonic``).
    :ivar responsive: Postgres responded to the last poll.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self.applied: dict[int, int] = {}
        self.relayed: tuple[int, int] = (0, 0)
        self.moved: dict[int, float] = {}
        self.responsive = False

    def __enter__(self) -> ProgressProbe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(15)

    def all_moved_since(self, moment: float) -> bool:
        """Return whether every partition's watermark has advanced since a time."""
        return len(self.applied) > 0 and all(self.moved[number] > moment for number in self.applied)

    def relay_moved_since(self, moment: float) -> bool:
        """Return whether the relay's position has advanced since a time."""
        return self.moved.get(-1, 0.0) > moment

    def caught_up(self, ends: Mapping[int, int]) -> bool:
        """Return whether everything below ``ends`` is applied."""
        return all(self.applied.get(partition, 0) >= end for partition, end in ends.items())

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with connect(self._settings, application_name="faults-probe", autocommit=True) as connection:
                    while not self._over.wait(_POLL):
                        self._look(connection)
                        self.responsive = True
            except (Retry, psycopg.Error):
                self.responsive = False
                self._over.wait(_POLL)

    def _look(self, connection: psycopg.Connection) -> None:
        names = self._settings.consumer_group, self._settings.topic(COMMANDS)
        for partition, offset in connection.execute(_WATERMARKS, names):
            if self.applied.get(partition) != offset:
                self.applied[partition] = offset
                self.moved[partition] = time.monotonic()
        row = connection.execute("SELECT xid_floor, position FROM relay_positions").fetchone()
        if row is not None and tuple(row) != self.relayed:
            self.relayed = tuple(row)
            self.moved[-1] = time.monotonic()
